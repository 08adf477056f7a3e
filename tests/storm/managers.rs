//! What goes on above the traffic: budgets are set anew, secrets rotated, the account's own budget filled up.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::json;

use super::{Shared, Token};
use crate::support::gateway::MAIN_KEY;
use crate::support::money::dollars;
use crate::support::random::Random;
use crate::support::tokens::path;
use crate::support::{Answer, Client, Request};

/// Where the account's own budget is.
pub(crate) const CREDITS: &str = "/v2/cost_management/credits/";

/// Changes one thing after the other until the storm is over. What it was told is done is written down in the shared state.
pub(crate) async fn manager(shared: Arc<Shared>, mut random: Random) {
    while !shared.over() {
        tokio::time::sleep(Duration::from_millis(50 + random.below(200))).await;
        // No change while the store may lose what it acknowledged: only requests are made good.
        let _calm = shared.calm.read().await;
        let token = &shared.tokens[usize::try_from(random.below(shared.tokens.len() as u64)).unwrap()];
        match random.below(8) {
            0 => credits(&shared, &mut random).await,
            1 | 2 if token.rotates => rotate(&shared, token, &mut random).await,
            3..=6 if token.is_set_anew => budget(&shared, token, &mut random).await,
            _ => {}
        }
    }
}

/// Sends until a gateway answers; none where the storm is over before.
async fn told(shared: &Shared, request: Request, random: &mut Random) -> Option<Answer> {
    for _ in 0..200 {
        let lives = shared.lives.now();
        let client: Client = lives[usize::try_from(random.below(lives.len() as u64)).unwrap()].client;
        match client.try_ask(request.clone().bearer(MAIN_KEY)).await {
            Ok(answer) if answer.status.as_u16() < 500 => return Some(answer),
            _ if shared.over() => return None,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("no gateway did what it was told");
}

async fn credits(shared: &Shared, random: &mut Random) {
    let Some(credits) = shared.credits else { return };
    let body = json!({"credits": dollars(credits)}).to_string();
    let request = Request::new(Method::PATCH, CREDITS).header("content-type", "application/json").body(body);
    if let Some(answer) = told(shared, request, random).await {
        answer.expect(200);
    }
}

/// To at least as much as all clients together can hold of it: below that, what is in flight could take it below zero, rightly.
async fn budget(shared: &Shared, token: &Token, random: &mut Random) {
    let balance = shared.least_set + i64::try_from(random.below(shared.least_set.unsigned_abs())).unwrap();
    token.sets.lock().unwrap().push(balance);
    let body = json!({"balance": dollars(balance)}).to_string();
    let request = Request::new(Method::PATCH, &path(&token.name)).header("content-type", "application/json").body(body);
    if let Some(answer) = told(shared, request, random).await {
        answer.expect(200);
    }
}

/// The old secret goes on working for a minute. A rotation whose answer is lost is repeated: meanwhile nobody knows the newest.
async fn rotate(shared: &Shared, token: &Token, random: &mut Random) {
    let request = Request::post(&format!("{}rotate/", path(&token.name)), &json!({"grace_seconds": 60}));
    token.expect_revocations();
    if let Some(answer) = told(shared, request, random).await {
        let secret = answer.expect(200).json()["token"].as_str().unwrap().to_owned();
        token.now_opens_with(secret);
    }
}
