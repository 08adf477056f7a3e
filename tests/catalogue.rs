//! The catalogue: every way that we know of to get service for less than its price, tried one after the other on one gateway.
//!
//! The oracle is the provider's own ledger. Each attempt is refused, and the provider heard nothing of it; or it is charged at least what the
//! provider bills, and exactly that where the provider tells. Each one that is served is tried again with less money than it cost: then it is refused, or
//! made cheaper, and no balance is ever below zero. At the end the journal and the audit must agree.

mod answers;
mod attempt;
mod chat;
mod cohere;
mod edenai;
mod edenai_resold;
mod gemini;
mod json;
mod media;
mod messages;
mod mistral;
mod models;
mod responses;
mod texts;
mod wire;

use std::collections::HashMap;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::attempt::{Attempt, Expect, Leaves, Token};
use crate::support::journal::Journal;
use crate::support::money::dollars;
use crate::support::routes::{Routes, UPSTREAM_KEY};
use crate::support::stand_in::Row;
use crate::support::tokens::Money;
use crate::support::wait::bounded;
use crate::support::{Gateway, Setup, StandIn};

/// Of each attempt's token. In nano-dollars.
const BUDGET: i64 = 20_000_000_000;
/// Where the provider may be asked: what the client may have added to a path never gets there.
const TARGETS: &[&str] = &[
    "/v1/chat/completions",
    "/v1/chat/completions?api-version=2024-10-21",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/responses/input_tokens",
    "/v1/images/generations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21",
    "/v1/messages",
    "/v1/messages?beta=true",
    "/v1/messages/count_tokens",
    "/v1/messages/count_tokens?beta=true",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    "/v1beta/models/gemini-2.5-flash:countTokens",
    "/v1beta/models/gemini-embedding-001:embedContent",
    "/v1beta/models/gemini-embedding-001:batchEmbedContents",
    "/v2/chat",
    "/v2/embed",
    "/v2/rerank",
    "/mistral/v1/chat/completions",
    "/mistral/v1/fim/completions",
    "/mistral/v1/embeddings",
    "/mistral/v1/ocr",
    "/v3/chat/completions",
    "/v3/llm/chat/completions",
    "/v3/embeddings",
    "/v3/responses",
    "/v3/llm/responses",
    "/v3/moderations",
    "/v3/images/generations",
    "/v3/audio/speech",
    "/v3/audio/transcriptions",
    "/v3/v1/messages",
    "/v3/v1/messages/count_tokens",
    "/v3/universal-ai",
    "/ocr",
];

/// A gateway and a provider, and what has been tried on them.
struct Bench {
    provider: StandIn,
    gateway: Gateway,
    /// The tokens, by name: what they had.
    budgets: HashMap<String, i64>,
}

/// What came of an attempt.
#[derive(Debug)]
struct Outcome {
    /// None: closed without a word, or the client left before it.
    status: Option<u16>,
    /// The provider's rows about it.
    rows: Vec<Row>,
    billed: i64,
    money: Money,
}

fn all() -> Vec<Attempt> {
    let apis = [chat::attempts(), texts::attempts(), responses::attempts(), media::attempts(), messages::attempts(), gemini::attempts()];
    let later = [cohere::attempts(), mistral::attempts(), edenai::attempts(), edenai_resold::attempts()];
    let others = [json::attempts(), models::attempts(), wire::attempts(), answers::attempts()];
    apis.into_iter().chain(later).chain(others).flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_served_for_less_than_its_price() {
    let attempts = all();
    assert!(attempts.len() >= 150, "{} attempts", attempts.len());
    let mut bench = Bench::new().await;
    let mut faults = Vec::new();
    for (number, attempt) in attempts.iter().enumerate() {
        if let Err(fault) = bench.judge(number, attempt).await {
            faults.push(format!("{}: {fault}", attempt.name));
        }
    }
    let tried = bench.budgets.len();
    faults.extend(bench.close().await);
    assert!(faults.is_empty(), "{} faults in {tried} requests of {} attempts:\n{}", faults.len(), attempts.len(), faults.join("\n"));
}

// === impl Bench ===

impl Bench {
    async fn new() -> Self {
        let provider = StandIn::start().await;
        let at = provider.address();
        let routes = Routes::at(at)
            .upstream("cohere", at, "", "")
            .upstream("mistral", at, "/mistral", "")
            .anthropic("/v1/messages*", "")
            .openai("")
            .gemini("/v1beta/*", "")
            .route("/openai/*", "azure", "azure", "")
            .anthropic("/v1/*", "")
            .route("/v2/chat*", "cohere", "cohere", "")
            .route("/v2/embed*", "cohere", "cohere", "")
            .route("/v2/rerank*", "cohere", "cohere", "")
            .route("/mistral/v1/*", "mistral", "mistral", "")
            .edenai("/v3/universal-ai*", "models = [\"text/*\"]\nprice = { reported = { json = \"/cost\" }, hold = \"0.05\" }")
            .edenai("/v3/*", "default_max_output = 32768")
            .http("/ocr", r#"{ per_request = "0.01" }"#);
        let gateway = Gateway::start(Setup::new(&routes)).await;
        Self { provider, gateway, budgets: HashMap::new() }
    }

    /// Tries it with plenty of money, and, where that was spent, with too little.
    async fn judge(&mut self, number: usize, attempt: &Attempt) -> Result<(), String> {
        // Its token's name: not every character may stand in one.
        let name: String = attempt.name.chars().map(|char| if char == ' ' || char.is_ascii_graphic() && char != '/' { char } else { '?' }).collect();
        let name = format!("{number}, {name}");
        let outcome = self.attempt(attempt, &name, BUDGET).await?;
        attempt.expect.check(&outcome).map_err(|fault| format!("{fault}\n    {outcome:?}"))?;
        for (part, budget) in [("a half", outcome.billed / 2), ("nine tenths", outcome.billed / 10 * 9), ("all but a nano-dollar", outcome.billed - 1)] {
            if budget > 0 && attempt.again {
                let name = format!("{name}, with {part} of its price");
                let outcome = self.attempt(attempt, &name, budget).await.map_err(|fault| format!("with {part} of its price: {fault}"))?;
                let refused = outcome.rows.is_empty() && outcome.status != Some(200);
                if !refused && outcome.billed > 0 && outcome.money.spent == 0 {
                    return Err(format!("with {part} of its price it was free: {outcome:?}"));
                }
            }
        }
        Ok(())
    }

    /// Tries it with so much money, and checks what must hold whatever comes.
    async fn attempt(&mut self, attempt: &Attempt, name: &str, budget: i64) -> Result<Outcome, String> {
        let tokens = self.gateway.tokens();
        let secret = match attempt.token {
            Token::Budget => tokens.with_budget(name, &dollars(budget)).await,
            Token::Sandbox => tokens.sandbox(name).await,
        };
        self.budgets.insert(name.to_owned(), budget);
        self.provider.behave(&attempt.script);
        let status = self.send(&attempt.request(&secret, name), attempt.leaves).await;
        let money = tokens.settled(name).await;
        let rows = self.provider.rows_that(|row| row.headers.get("user-agent").is_some_and(|agent| agent == name));
        let outcome = Outcome { status, billed: rows.iter().map(|row| row.consumed.cost).sum(), rows, money };
        outcome.check(attempt, budget, &secret).map_err(|fault| format!("{fault}\n    {outcome:?}"))?;
        Ok(outcome)
    }

    /// Sends the bytes as they are and answers with the status, where there is one.
    async fn send(&self, bytes: &[u8], leaves: Leaves) -> Option<u16> {
        let mut socket = bounded("a connection", TcpStream::connect(self.gateway.client().address)).await.unwrap();
        let (sent, read) = match leaves {
            Leaves::AtTheEnd => (bytes.len(), usize::MAX),
            Leaves::Sending(sent) => (sent.min(bytes.len()), 0),
            Leaves::Reading(read) => (bytes.len(), read),
        };
        // The gateway may answer and close before it has read all: an error here is its right.
        let _ = socket.write_all(&bytes[..sent]).await;
        let mut seen = Vec::new();
        let reading = async {
            let mut buffer = [0; 16_384];
            while seen.len() < read {
                let most = buffer.len().min(read - seen.len());
                match socket.read(&mut buffer[..most]).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => seen.extend_from_slice(&buffer[..count]),
                }
            }
        };
        bounded("the answer", reading).await;
        let head = String::from_utf8_lossy(&seen);
        head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok())
    }

    /// Stops the gateway and holds its journal against the provider's ledger, attempt by attempt.
    async fn close(mut self) -> Vec<String> {
        let mut faults = Vec::new();
        let status = self.gateway.terminate().await;
        assert!(status.success(), "{status}");
        self.gateway.audit();
        let mut billed = HashMap::<String, i64>::new();
        for row in self.provider.rows() {
            let agent = row.headers.get("user-agent").and_then(|agent| agent.to_str().ok()).unwrap_or("?");
            *billed.entry(agent.to_owned()).or_default() += row.consumed.cost;
        }
        let (mut balances, mut charged) = (HashMap::<&str, i64>::new(), HashMap::<&str, i64>::new());
        let journal = Journal::of_file(&self.gateway.store());
        for entry in &journal.0 {
            let balance = balances.entry(&entry.token).or_default();
            *balance += entry.token_delta;
            *charged.entry(&entry.token).or_default() += entry.cost;
            if *balance < 0 && !entry.token.is_empty() {
                faults.push(format!("{}: its balance was {balance}", entry.token));
            }
        }
        for (name, cost) in billed {
            let charge = charged.get(name.as_str()).copied().unwrap_or_default();
            if charge < cost || !self.budgets.contains_key(&name) {
                faults.push(format!("{name}: the journal says {charge}, the provider bills {cost}"));
            }
        }
        faults
    }
}

// === impl Outcome ===

impl Outcome {
    /// What must hold whatever is tried.
    fn check(&self, attempt: &Attempt, budget: i64, secret: &str) -> Result<(), String> {
        let Self { billed, money, rows, .. } = self;
        if money.spent < *billed {
            return Err(format!("it was charged {}, and the provider bills {billed}", money.spent));
        }
        if rows.is_empty() && money.spent != 0 {
            return Err(format!("it was charged {}, and the provider heard nothing", money.spent));
        }
        if attempt.token == Token::Budget && (money.balance != Some(budget - money.spent) || money.balance < Some(0)) {
            return Err(format!("it had {budget}, spent {} and has {:?}", money.spent, money.balance));
        }
        for row in rows {
            if !TARGETS.contains(&row.target.as_str()) {
                return Err(format!("the provider was asked at {}", row.target));
            }
            let told = |value: &[u8]| String::from_utf8_lossy(value).contains(secret);
            if row.headers.values().any(|value| told(value.as_bytes())) || told(&row.body) || told(row.target.as_bytes()) {
                return Err("the provider was told the secret".to_owned());
            }
            for (name, value) in &row.headers {
                let value = value.to_str().unwrap_or("?");
                let known = match name.as_str() {
                    "host" | "user-agent" | "accept" | "content-length" | "anthropic-version" | "anthropic-beta" => true,
                    "authorization" | "x-api-key" | "api-key" | "x-goog-api-key" => value.ends_with(UPSTREAM_KEY),
                    "content-type" if row.target.ends_with("/transcriptions") => value == "multipart/form-data; boundary=x",
                    "content-type" => value == "application/json",
                    "accept-encoding" => value == "identity",
                    _ => false,
                };
                if !known {
                    return Err(format!("the provider was told {name}: {value}"));
                }
            }
        }
        Ok(())
    }
}

// === impl Expect ===

impl Expect {
    fn check(self, outcome: &Outcome) -> Result<(), String> {
        let Outcome { status, rows, billed, money } = outcome;
        let unheard = rows.is_empty();
        let served = !unheard && *billed > 0;
        let fine = match self {
            Self::Refused(expected) => unheard && *status == Some(expected),
            Self::Turned => unheard && status.is_none_or(|status| StatusCode::from_u16(status).unwrap().is_client_error() || status == 501 || status == 505),
            Self::Fair => unheard || served && money.spent == *billed,
            Self::Exact => served && money.spent == *billed,
            Self::AtLeast => served && money.spent >= *billed,
            Self::Unbilled => !unheard && *billed == 0 && money.spent == 0,
            Self::Simulated => unheard && *status == Some(200) && money.spent == 0,
        };
        if fine { Ok(()) } else { Err(format!("expected {self:?}; status {status:?}, {} heard, {billed} billed, {} charged", rows.len(), money.spent)) }
    }
}
