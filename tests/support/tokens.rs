//! The token API in tests: create a token, look at it, change it.

use serde_json::{Value, json};

use super::client::{Answer, Client, Request};
use super::money::{RawObject, amount};

/// The collection of tokens.
pub(crate) const COLLECTION: &str = "/v2/user/custom_token/";

/// The token API with a key.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) client: Client,
    pub(crate) key: String,
}

/// A token and the money on it, in nano-dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Money {
    pub(crate) balance: Option<i64>,
    pub(crate) held: i64,
    pub(crate) spent: i64,
}

// === impl Tokens ===

impl Tokens {
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.client.ask(Request::post(COLLECTION, body).bearer(&self.key)).await
    }

    pub(crate) async fn get(&self, name: &str) -> Answer {
        self.client.ask(Request::get(&path(name)).bearer(&self.key)).await
    }

    pub(crate) async fn patch(&self, name: &str, body: &Value) -> Answer {
        let request = Request::new(hyper::Method::PATCH, &path(name)).header("content-type", "application/json").body(body.to_string());
        self.client.ask(request.bearer(&self.key)).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Answer {
        self.client.ask(Request::new(hyper::Method::DELETE, &path(name)).bearer(&self.key)).await
    }

    /// Creates a token and returns its secret.
    pub(crate) async fn create(&self, body: &Value) -> String {
        let answer = self.post(body).await.expect(201);
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// An `api_token` whose budget is enforced.
    pub(crate) async fn with_budget(&self, name: &str, balance: &str) -> String {
        self.create(&json!({"name": name, "balance": balance, "active_balance": true})).await
    }

    /// An `api_token` with no budget.
    pub(crate) async fn without_budget(&self, name: &str) -> String {
        self.create(&json!({"name": name})).await
    }

    /// A `sandbox_api_token`.
    pub(crate) async fn sandbox(&self, name: &str) -> String {
        self.create(&json!({"name": name, "token_type": "sandbox_api_token"})).await
    }

    /// What is on a token.
    pub(crate) async fn money(&self, name: &str) -> Money {
        let answer = self.get(name).await.expect(200);
        let object: RawObject = serde_json::from_slice(&answer.body).unwrap();
        Money { balance: amount(&object, "balance"), held: amount(&object, "held").expect("held"), spent: amount(&object, "spent").expect("spent") }
    }

    /// Waits until a token has this balance, this much held and this much spent: beside what is asked of it, a gateway on Redis may have set a slice aside, which
    /// goes back when nobody used it for a moment.
    pub(crate) async fn comes_to(&self, name: &str, balance: i64, held: i64, spent: i64) {
        let began = std::time::Instant::now();
        let expected = Money { balance: Some(balance), held, spent };
        loop {
            let money = self.money(name).await;
            if money == expected {
                return;
            }
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "{money:?} is not {expected:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// What is on a token once nothing is held any more.
    pub(crate) async fn settled(&self, name: &str) -> Money {
        super::eventually("every hold to end", async || Some(self.money(name).await).filter(|money| money.held == 0)).await
    }
}

/// The path of one token; the name percent-encoded.
pub(crate) fn path(name: &str) -> String {
    let mut path = COLLECTION.to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path.push('/');
    path
}
