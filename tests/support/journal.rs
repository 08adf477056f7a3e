//! The ledger's journal, read from the store itself with no code of the gateway: what was charged, hold by hold, and every change of a balance.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::redis::command;

/// The account of the tests.
pub(crate) const ACCOUNT: &str = "default";
/// How many entries are read at a time.
const CHUNK: i64 = 5_000;

/// One entry. Amounts are nano-dollars.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    /// The token's name; empty in an entry about the account.
    pub(crate) token: String,
    /// 32 hex digits; empty where it is not about a hold.
    pub(crate) hold: String,
    pub(crate) token_delta: i64,
    pub(crate) account_delta: i64,
    pub(crate) cost: i64,
    /// It is about a slice: what a gateway had set aside when it died.
    pub(crate) slice: bool,
}

/// What was charged for one hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charged {
    pub(crate) token: String,
    /// How often it was charged, by a settlement or by the end of its lease: never more than once.
    pub(crate) charges: usize,
    /// How often such a charge was lowered: never more than once.
    pub(crate) corrections: usize,
    /// In the end.
    pub(crate) cost: i64,
    /// It is a slice, not a request's.
    pub(crate) slice: bool,
}

/// All entries, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(pub(crate) Vec<Entry>);

// === impl Journal ===

impl Journal {
    /// From an SQLite file.
    pub(crate) fn of_file(path: &Path) -> Self {
        let connection = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let sql = "SELECT journal.kind, coalesce(tokens.name, ''), coalesce(lower(hex(hold_id)), ''), token_delta_nanos, account_delta_nanos, cost_nanos
                   FROM journal LEFT JOIN tokens USING (token_id) ORDER BY seq";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            Ok(Entry {
                kind: row.get(0)?,
                token: row.get(1)?,
                hold: row.get(2)?,
                token_delta: row.get(3)?,
                account_delta: row.get(4)?,
                cost: row.get(5)?,
                slice: false,
            })
        });
        Self(rows.unwrap().map(Result::unwrap).collect())
    }

    /// From a Redis server that holds the account: entries are JSON arrays, the newest last.
    pub(crate) async fn of_server(address: SocketAddr) -> Self {
        let key = |name: &str| format!("sg:{{{ACCOUNT}}}:{name}");
        let identities = command(address, &["HGETALL", &key("identities")]).await;
        let mut names = BTreeMap::new();
        for pair in identities.array().chunks(2).filter(|pair| !pair[0].text().is_empty()) {
            let identity: Value = serde_json::from_str(pair[1].text()).unwrap();
            names.insert(pair[0].text().to_owned(), identity["name"].as_str().unwrap().to_owned());
        }
        let mut entries = Vec::new();
        for from in (0..).step_by(usize::try_from(CHUNK).unwrap()) {
            let (from, to) = (from.to_string(), (from + CHUNK - 1).to_string());
            let chunk = command(address, &["LRANGE", &key("journal"), &from, &to]).await;
            if chunk.array().is_empty() {
                break;
            }
            entries.extend(chunk.array().iter().filter_map(|entry| entry_of(entry.text(), &names)));
        }
        Self(entries)
    }

    /// By hold.
    pub(crate) fn by_hold(&self) -> BTreeMap<String, Charged> {
        let mut holds = BTreeMap::<String, Charged>::new();
        for entry in self.0.iter().filter(|entry| !entry.hold.is_empty()) {
            let charged = holds.entry(entry.hold.clone()).or_default();
            charged.token.clone_from(&entry.token);
            charged.cost += entry.cost;
            charged.slice |= entry.slice;
            match entry.kind.as_str() {
                "correct" => charged.corrections += 1,
                _ => charged.charges += 1,
            }
        }
        holds
    }
}

/// An entry of the Redis journal; none where it marks the begin.
fn entry_of(text: &str, names: &BTreeMap<String, String>) -> Option<Entry> {
    let fields: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let text_at = |at: usize| match &fields[at] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let number_at = |at: usize| text_at(at).parse::<i64>().unwrap_or_else(|_| panic!("field {at} is no whole number: {text}"));
    let kind = text_at(1);
    if kind == "begin" {
        return None;
    }
    let token = text_at(2);
    let token = if token.is_empty() { token } else { names.get(&token).cloned().unwrap_or_else(|| panic!("an unknown token: {text}")) };
    let is_slice = fields.get(10).and_then(Value::as_str) == Some("slice");
    Some(Entry { kind, token, hold: text_at(3), token_delta: number_at(4), account_delta: number_at(5), cost: number_at(6), slice: is_slice })
}
