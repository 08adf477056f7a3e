//! The clients of a storm: what each asks for, what it saw of the answer, and whether a refusal told the truth.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Shared;
use crate::support::asks::{CHAT, limited, streamed};
use crate::support::client::{Failure, Streaming};
use crate::support::fleet::Life;
use crate::support::money::{CENT, RawObject, amount};
use crate::support::random::Random;
use crate::support::{Answer, Connection, Request};

/// The output limit of every chat.
const LIMIT: i64 = 60;

/// A request that went out and was not refused.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) marker: String,
    /// Which token paid.
    pub(crate) token: usize,
    pub(crate) life: Life,
    /// The hold, 32 hex digits; none where no head came.
    pub(crate) hold: Option<String>,
    pub(crate) fate: Fate,
    /// When it was over for the client.
    pub(crate) over: Instant,
    /// The most that it can have set aside.
    pub(crate) most: i64,
    /// The provider was told to break its answer off.
    pub(crate) cut_by_provider: bool,
}

/// How it ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It saw the end.
    Ended,
    /// The answer, or the connection before it, broke off.
    Cut,
    /// It went away itself.
    HungUp,
}

/// A request that was refused because the ledger did not answer.
#[derive(Clone, Debug)]
pub(crate) struct Unavailable {
    pub(crate) hold: String,
    pub(crate) life: Life,
}

/// All that one client saw.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) seen: Vec<Seen>,
    pub(crate) unavailable: Vec<Unavailable>,
    /// Refusals by code.
    pub(crate) refused: BTreeMap<String, usize>,
    /// Connections that no gateway took: it was dead just then.
    pub(crate) unreachable: usize,
    /// Refusals that did not tell the truth, and answers that should not be.
    pub(crate) untrue: Vec<String>,
}

/// One request to be.
struct Ask {
    marker: String,
    request: Request,
    most: i64,
    cut_by_provider: bool,
    hang_up: HangUp,
}

#[derive(Clone, Copy)]
enum HangUp {
    Never,
    BeforeHead(Duration),
    AfterBytes(usize),
}

/// Sends one request after the other until the storm is over.
pub(crate) async fn client(shared: Arc<Shared>, number: usize, mut random: Random) -> Tally {
    let mut tally = Tally::default();
    for turn in 0.. {
        if shared.over() {
            break;
        }
        let lives = shared.lives.now();
        let life = lives[usize::try_from(random.below(lives.len() as u64)).unwrap()];
        let token = usize::try_from(random.below(shared.tokens.len() as u64)).unwrap();
        let ask = Ask::random(&shared, number, turn, token, &mut random);
        if !send(&shared, ask, token, life, &mut tally).await {
            // Nothing to be had here just now.
            tokio::time::sleep(Duration::from_millis(5 + random.below(40))).await;
        }
    }
    tally
}

/// Sends one request and notes what became of it. False where it was refused or could not be sent.
async fn send(shared: &Shared, ask: Ask, token: usize, life: Life, tally: &mut Tally) -> bool {
    let Ask { marker, request, most, cut_by_provider, hang_up } = ask;
    let address = life.client.address;
    let Ok(connection) = Connection::open(address).await else {
        tally.unreachable += 1;
        return false;
    };
    let mut seen = Seen { marker, token, life, hold: None, fate: Fate::Cut, over: Instant::now(), most, cut_by_provider };
    let head = match hang_up {
        HangUp::BeforeHead(after) => match tokio::time::timeout(after, connection.stream(address, request)).await {
            Ok(head) => head,
            Err(_) => {
                seen.fate = Fate::HungUp;
                seen.over = Instant::now();
                tally.seen.push(seen);
                return true;
            }
        },
        _ => connection.stream(address, request).await,
    };
    let streaming = match head {
        Ok(streaming) => streaming,
        Err(_) => {
            seen.over = Instant::now();
            tally.seen.push(seen);
            return false;
        }
    };
    let hold = streaming.headers.get("spendgate-request-id").map(|id| id.to_str().unwrap().replace('-', ""));
    if hold.is_none() {
        tally.untrue.push(format!("{}: an answer without its id", seen.marker));
    }
    if streaming.status != 200 {
        let answer = match streaming.rest().await {
            Ok(answer) => answer,
            Err(_) => {
                seen.hold = hold;
                seen.over = Instant::now();
                tally.seen.push(seen);
                return false;
            }
        };
        if answer.code() == "scripted_error" {
            seen.fate = Fate::Ended;
            (seen.hold, seen.over) = (hold, Instant::now());
            tally.seen.push(seen);
            return true;
        }
        *tally.refused.entry(format!("{} {}", answer.status.as_u16(), answer.code())).or_default() += 1;
        if answer.code() == "ledger_unavailable" {
            tally.unavailable.extend(hold.map(|hold| Unavailable { hold, life }));
        }
        if let Err(what) = truth(&answer, shared.tokens[token].may_be_revoked()) {
            tally.untrue.push(format!("{}: {what}: {}", seen.marker, answer.text()));
        }
        return false;
    }
    seen.hold = hold;
    seen.fate = follow(streaming, hang_up).await;
    seen.over = Instant::now();
    tally.seen.push(seen);
    true
}

/// Reads an answer to its end, or to where the client goes away.
async fn follow(mut streaming: Streaming, hang_up: HangUp) -> Fate {
    loop {
        if let HangUp::AfterBytes(bytes) = hang_up
            && streaming.seen.len() >= bytes
        {
            return Fate::HungUp;
        }
        match streaming.more().await {
            Ok(Some(())) => {}
            Ok(None) => return Fate::Ended,
            Err(Failure::Cut { .. } | Failure::NoHead(_)) => return Fate::Cut,
        }
    }
}

/// Whether a refusal is true of the figures that it shows itself.
pub(crate) fn truth(answer: &Answer, may_be_revoked: bool) -> Result<(), String> {
    let retry_after = answer.header("retry-after").is_some();
    match (answer.status.as_u16(), answer.code().as_str()) {
        (503, "ledger_unavailable") if retry_after => Ok(()),
        (401, "invalid_token") if may_be_revoked => Ok(()),
        (status @ (402 | 429), code @ ("budget_exhausted" | "budget_held")) => {
            let (balance, held, asked) = figures(answer)?;
            match (status, code) {
                (402, "budget_exhausted") if balance < asked && !retry_after => Ok(()),
                (429, "budget_held") if balance >= asked && balance - held < asked && retry_after => Ok(()),
                _ => Err(format!("balance {balance}, held {held}, asked {asked}")),
            }
        }
        _ => Err("no answer for a storm".to_owned()),
    }
}

/// Balance, held and asked of a refusal, in nano-dollars.
pub(crate) fn figures(answer: &Answer) -> Result<(i64, i64, i64), String> {
    let json: Value = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let budget: RawObject = serde_json::from_str(&json["error"]["budget"].to_string()).map_err(|error| error.to_string())?;
    let figure = |name: &str| amount(&budget, name).ok_or_else(|| format!("no {name}"));
    Ok((figure("balance")?, figure("held")?, figure("asked")?))
}

// === impl Ask ===

impl Ask {
    fn random(shared: &Shared, client: usize, turn: usize, token: usize, random: &mut Random) -> Self {
        let marker = format!("<{client}-{turn}>");
        let token = &shared.tokens[token];
        let stream = random.below(2) == 0;
        let cut_by_provider = stream && random.below(40) == 0;
        let mut words = format!("{marker} @{{tokens={} cached={} delay={}", 1 + random.below(50), random.below(3), random.below(4));
        if cut_by_provider {
            words.push_str(&format!(" cut={}", random.below(10)));
        } else if random.below(60) == 0 {
            words.push_str(" status=500");
        }
        if random.below(3) == 0 {
            words.push_str(&format!(" delay-head={}", random.below(30)));
        }
        words.push('}');
        let per_call = token.per_call && random.below(3) > 0;
        let (cut_by_provider, request) = match (per_call, stream) {
            (true, _) => (false, Request::post("/ocr", &json!({"document": marker}))),
            (false, true) => (cut_by_provider, Request::post(CHAT, &streamed(&words, LIMIT.unsigned_abs()))),
            (false, false) => (false, Request::post(CHAT, &limited(&words, LIMIT.unsigned_abs()))),
        };
        let bytes = i64::try_from(request.body_bytes()).unwrap();
        // Every byte a token, at twice the price: no hold is larger.
        let most = if per_call { CENT } else { 2 * ((bytes + 100) * 150 + LIMIT * 600) };
        let hang_up = match random.below(20) {
            0 => HangUp::BeforeHead(Duration::from_micros(random.below(25_000))),
            1 => HangUp::AfterBytes(usize::try_from(1 + random.below(6_000)).unwrap()),
            _ => HangUp::Never,
        };
        Self { marker, request: request.bearer(&token.secret()), most, cut_by_provider, hang_up }
    }
}
