//! `spendgate token`: creates, lists, shows, changes, rotates and deletes tokens through the HTTP API.

mod view;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Output;
use super::client::{Client, ClientError, ServerArgs, encode};
use super::time::{Expiry, Span};
use crate::money::Usd;
use crate::tokens::fields::amount_text;
use view::TokenLine;

const ROOT: &str = "/v2/user/custom_token/";

/// Arguments of `spendgate token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Where the gateway is.
    #[command(flatten)]
    pub server: ServerArgs,
    /// Print the API's answer as JSON
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Create a token and print its secret, once
    Create {
        /// Its name, unique among the account's tokens
        name: String,
        /// What it is for
        #[arg(long = "type", value_enum, default_value = "api_token")]
        kind: KindArg,
        /// What it may spend, in USD: enforced unless --no-enforce
        #[arg(long, value_name = "USD", value_parser = amount_text, allow_hyphen_values = true)]
        balance: Option<Usd>,
        /// When it expires: 14d, 12h, 2026-12-31T18:00:00Z
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// How often the balance is set anew
        #[arg(long, value_enum, requires = "reset_amount")]
        reset_period: Option<PeriodArg>,
        /// What the balance is then set to, in USD
        #[arg(long, value_name = "USD", value_parser = amount_text, requires = "reset_period")]
        reset_amount: Option<Usd>,
        /// Store the balance without enforcing it
        #[arg(long, conflicts_with = "reset_period")]
        no_enforce: bool,
    },
    /// List tokens
    List {
        /// Only those whose name begins with this
        #[arg(long)]
        prefix: Option<String>,
    },
    /// Show a token
    Show {
        /// Its name
        name: String,
    },
    /// Change a token: what is not given stays as it is
    Update {
        /// Its name
        name: String,
        /// What it may spend from now on, in USD: enforced unless --no-enforce. `none`: no balance, nothing enforced
        #[arg(long, value_name = "USD", allow_hyphen_values = true)]
        balance: Option<BalanceArg>,
        /// When it expires: 14d, 12h, 2026-12-31T18:00:00Z, never
        #[arg(long, value_name = "WHEN")]
        expires: Option<Expiry>,
        /// How often the balance is set anew
        #[arg(long, value_enum)]
        reset_period: Option<PeriodArg>,
        /// What the balance is then set to, in USD
        #[arg(long, value_name = "USD", value_parser = amount_text)]
        reset_amount: Option<Usd>,
        /// Enforce the balance
        #[arg(long, conflicts_with = "no_enforce")]
        enforce: bool,
        /// Stop enforcing the balance; the figure is kept
        #[arg(long)]
        no_enforce: bool,
    },
    /// Give a token a new secret and print it, once
    Rotate {
        /// Its name
        name: String,
        /// For how long the old secret goes on working: 1h
        #[arg(long, value_name = "SPAN")]
        grace: Option<Span>,
    },
    /// Delete a token: it is refused at once
    Delete {
        /// Its name
        name: String,
    },
}

/// A token's type, as the API calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum KindArg {
    /// Sends traffic to the provider.
    ApiToken,
    /// Gets simulated answers.
    SandboxApiToken,
}

/// A reset period, as the API calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PeriodArg {
    /// Never.
    None,
    /// At midnight.
    Daily,
    /// At midnight before Monday.
    Weekly,
    /// At midnight before the first of the month.
    Monthly,
}

/// An amount, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceArg(pub Option<Usd>);

// === impl TokenArgs ===

impl TokenArgs {
    /// Does it.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn run(self) -> anyhow::Result<Output> {
        let client = self.server.client()?;
        self.action.run(&client, self.json, Timestamp::now()).await
    }
}

// === impl TokenAction ===

impl TokenAction {
    /// Does it, at the time `now`.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub async fn run(self, client: &Client, json: bool, now: Timestamp) -> anyhow::Result<Output> {
        match self {
            Self::Create { ref name, .. } => {
                let answer = client.call(Method::POST, ROOT, Some(self.fields(now)?.to_string())).await?;
                let hint = format!("Token '{name}' created. Its secret is shown this once: store it now.\n");
                secret_shown(answer, json, hint)
            }
            Self::List { prefix } => list(client.call(Method::GET, ROOT, None).await?, prefix.as_deref().unwrap_or(""), json),
            Self::Show { name } => shown(call(client, Method::GET, &name, "", None).await?, json),
            Self::Update { ref name, .. } => {
                let fields = self.fields(now)?;
                if fields.as_object().is_none_or(Map::is_empty) {
                    anyhow::bail!("nothing to change: see `spendgate token update --help`");
                }
                shown(call(client, Method::PATCH, name, "", Some(fields)).await?, json)
            }
            Self::Rotate { name, grace } => {
                let body = grace.map(|Span(grace)| json!({ "grace_seconds": grace.as_secs() }));
                let answer = call(client, Method::POST, &name, "rotate/", body).await?;
                let old = if grace.is_some() { "when the grace is over" } else { "already" };
                secret_shown(answer, json, format!("Token '{name}' has a new secret; the old one ends {old}. It is shown this once: store it now.\n"))
            }
            Self::Delete { name } => {
                call(client, Method::DELETE, &name, "", None).await?;
                let hint = format!("Token '{name}' deleted.\n");
                Ok(if json { Output::of(json!({ "name": name, "deleted": true }).to_string()) } else { Output { hint, ..Output::default() } })
            }
        }
    }

    /// The body of create and update. Amounts go as strings, exact.
    fn fields(&self, now: Timestamp) -> anyhow::Result<Value> {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        match self {
            Self::Create { name, kind, balance, expires, reset_period, reset_amount, no_enforce } => {
                set("name", json!(name));
                set("token_type", json!(kind.name()));
                if let Some(balance) = balance {
                    set("balance", json!(balance.to_string()));
                    set("active_balance", json!(!no_enforce));
                }
                if let Some(time) = expires.map(|expiry| expiry.resolve(now)).transpose()? {
                    set("expire_time", json!(time.map(|time| time.to_string())));
                }
                if let Some(period) = reset_period {
                    set("balance_reset_period", json!(period.name()));
                }
                if let Some(amount) = reset_amount {
                    set("balance_reset_amount", json!(amount.to_string()));
                }
            }
            Self::Update { balance, expires, reset_period, reset_amount, enforce, no_enforce, .. } => {
                if let Some(BalanceArg(balance)) = balance {
                    set("balance", json!(balance.map(|usd| usd.to_string())));
                    // Who names a budget wants it kept; who takes it away leaves nothing to keep.
                    set("active_balance", json!(balance.is_some()));
                }
                if *enforce || *no_enforce {
                    set("active_balance", json!(*enforce));
                }
                if let Some(time) = expires.map(|expiry| expiry.resolve(now)).transpose()? {
                    set("expire_time", json!(time.map(|time| time.to_string())));
                }
                if let Some(period) = reset_period {
                    set("balance_reset_period", json!(period.name()));
                }
                if let Some(amount) = reset_amount {
                    set("balance_reset_amount", json!(amount.to_string()));
                }
            }
            _ => {}
        }
        Ok(fields.into())
    }
}

/// Calls the API on one token, and says which where there is none of that name.
async fn call(client: &Client, method: Method, name: &str, below: &str, body: Option<Value>) -> anyhow::Result<String> {
    // `me`, `.` and the empty string are other paths, which no token has.
    if matches!(name, "" | "me" | "." | "..") {
        anyhow::bail!("there is no token '{name}'");
    }
    match client.call(method, &format!("{ROOT}{}/{below}", encode(name)), body.map(|body| body.to_string())).await {
        Err(ClientError::NotFound) => anyhow::bail!("there is no token '{name}'"),
        other => Ok(other?),
    }
}

fn shown(answer: String, json: bool) -> anyhow::Result<Output> {
    if json {
        return Ok(Output::of(answer));
    }
    let line: TokenLine = serde_json::from_str(&answer)?;
    Ok(Output::of(line.sheet()))
}

fn list(answer: String, prefix: &str, json: bool) -> anyhow::Result<Output> {
    if json {
        // Each token as it came: an amount that was read and written again might not be the same.
        let mut kept = Vec::new();
        for token in serde_json::from_str::<Vec<&RawValue>>(&answer)? {
            if serde_json::from_str::<TokenLine>(token.get())?.name.starts_with(prefix) {
                kept.push(token);
            }
        }
        return Ok(Output::of(serde_json::to_string(&kept)?));
    }
    let mut lines: Vec<TokenLine> = serde_json::from_str(&answer)?;
    lines.retain(|line| line.name.starts_with(prefix));
    if lines.is_empty() {
        return Ok(Output { hint: "No tokens.\n".to_owned(), ..Output::default() });
    }
    Ok(Output::of(view::table(&lines)))
}

/// The secret alone on standard output, so that a script can take it; what to do with it beside.
fn secret_shown(answer: String, json: bool, hint: String) -> anyhow::Result<Output> {
    let result = if json { answer } else { serde_json::from_str::<TokenLine>(&answer)?.token };
    Ok(Output { hint, ..Output::of(result) })
}

// === impl KindArg ===

impl KindArg {
    fn name(self) -> &'static str {
        match self {
            Self::ApiToken => "api_token",
            Self::SandboxApiToken => "sandbox_api_token",
        }
    }
}

// === impl PeriodArg ===

impl PeriodArg {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }
}

// === impl BalanceArg ===

impl std::str::FromStr for BalanceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { amount_text(text).map(|usd| Self(Some(usd))) }
    }
}
