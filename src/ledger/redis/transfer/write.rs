//! Records as commands, some hundred at a time. First the names of all accounts, so that what an import leaves that is broken off can be found again; a way
//! that leads to an account is written after what it leads to.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use redis::{Pipeline, Value};
use tokio::task::JoinSet;

use super::claim::Claim;
use super::{ask, damaged, failed};
use crate::ledger::redis::codec::{json, label_text};
use crate::ledger::redis::connections::Connections;
use crate::ledger::redis::keys;
use crate::ledger::redis::operations::{Answer, Operations};
use crate::ledger::redis::records::{Figures, Identity};
use crate::ledger::rules::EntryKind;
use crate::ledger::transfer::{
    Checked, CheckedAccount, CheckpointRecord, EntryRecord, HoldRecord, Label, LedgerReader, Named, Record, TokenRecord, TombstoneRecord, TransferError,
    UsageRecord, token_of,
};
use crate::ledger::types::{ChargeLabel, LedgerError};
use crate::tokens::SecretHash;

/// The first line of a journal.
pub(super) const BEGIN: &str = r#"[0,"begin"]"#;
/// How many commands wait before they are sent.
const COMMANDS: usize = 500;
/// How long the scripts remember that a hold ended: an outbox may still hold its ending, and must not charge it again.
const ENDED_LIFE: Duration = Duration::from_secs(120);

/// What waits to be sent.
struct Writer<'a> {
    connections: &'a Connections,
    checked: &'a Checked,
    names: HashMap<u32, &'a str>,
    /// For each account, on keys of it.
    waiting: BTreeMap<u32, Pipeline>,
    /// Ways to accounts: a key of its own each.
    ways: Vec<(String, String)>,
    commands: usize,
    /// Holds that ended after this are remembered, in milliseconds.
    remembered_after: i64,
}

/// Writes all of it.
pub(super) async fn write(
    connections: &Connections,
    claim: &Claim,
    zone: &TimeZone,
    checked: &Checked,
    reader: &mut LedgerReader,
) -> Result<(), TransferError> {
    let now = Timestamp::now().as_millisecond();
    let mut writer = Writer {
        connections,
        checked,
        names: checked.accounts.iter().map(|account| (account.record.id, account.record.name.as_str())).collect(),
        waiting: BTreeMap::new(),
        ways: Vec::new(),
        commands: 0,
        remembered_after: now - i64::try_from(ENDED_LIFE.as_millis()).unwrap_or(0),
    };
    writer.names().await?;
    let operations = Operations::new(connections.clone(), zone.clone());
    for account in &checked.accounts {
        writer.account(&operations, account).await?;
    }
    while let Some(record) = reader.next_record()? {
        writer.take(record)?;
        if writer.commands >= COMMANDS {
            claim.check(connections).await?;
            writer.send().await?;
        }
    }
    claim.check(connections).await?;
    writer.send().await
}

// === impl Writer ===

impl Writer<'_> {
    async fn names(&self) -> Result<(), TransferError> {
        for some in self.checked.accounts.chunks(COMMANDS) {
            let mut set = redis::cmd("HSET");
            set.arg(keys::ACCOUNTS);
            for account in some {
                set.arg(&account.record.name).arg(account.record.id);
            }
            // The next id that is given out.
            set.arg("").arg(some.last().map_or(0, |account| account.record.id + 1));
            ask::<i64>(self.connections, keys::ACCOUNTS, set).await?;
        }
        Ok(())
    }

    /// The account as the script makes one, then its own figures.
    async fn account(&mut self, operations: &Operations<Connections>, account: &CheckedAccount) -> Result<(), TransferError> {
        let CheckedAccount { record, newest, last_token_number } = account;
        let main_key = record.main_key.map(|key| SecretHash(key.0));
        match operations.ensure_account(&record.name, record.id, main_key).await.map_err(|error| failed(&error))?.0 {
            Answer::Done(ensured) if ensured.created => {}
            _ => return Err(LedgerError::Locked(format!("the account {:?} was made by somebody else meanwhile", record.name)).into()),
        }
        let balance = record.balance.map(|balance| balance.0.nanos().to_string()).unwrap_or_default();
        let head = [
            ("balance", balance),
            ("held", record.held.0.nanos().to_string()),
            ("sets", record.sets.to_string()),
            ("created", record.created.millis().to_string()),
            ("now", newest.millis().to_string()),
            ("next_token", last_token_number.to_string()),
        ];
        let key = self.key(record.id, "account")?;
        self.waiting.entry(record.id).or_default().cmd("HSET").arg(key).arg(&head);
        if let Some(key) = main_key {
            self.ways.push((keys::main_key(&key), record.name.clone()));
        }
        // No key of an account is ever missing.
        self.set(record.id, keys::SLICES, "", "")?;
        self.commands += 1;
        if self.commands >= COMMANDS { self.send().await } else { Ok(()) }
    }

    fn take(&mut self, record: Record) -> Result<(), TransferError> {
        match record {
            // They are there.
            Record::Account(_) => Ok(()),
            Record::Token(record) => self.token(*record),
            Record::Hold(record) => self.hold(&record),
            Record::Tombstone(record) => self.tombstone(&record),
            Record::Checkpoint(CheckpointRecord { account, token: None, balance, .. }) => self.set(account, "checkpoints", "account", &balance.0.to_string()),
            Record::Checkpoint(CheckpointRecord { account, token: Some(token), balance, cost }) => {
                self.set(account, "checkpoints", &token.to_string(), &format!("{} {}", balance.0, cost.0))
            }
            Record::Usage(record) => self.usage(&record),
            Record::Journal(record) => self.entry(&record),
        }
    }

    fn token(&mut self, record: TokenRecord) -> Result<(), TransferError> {
        let (account, id) = (record.account, record.id.to_string());
        let token = token_of(record);
        let figures = Figures {
            balance: token.budget.balance,
            held: token.budget.held,
            sets: token.budget.sets,
            spent: token.spent,
            resets_at: token.resets_at,
            last_used_at: token.last_used_at,
        };
        let identity = Identity {
            name: token.name.to_string(),
            kind: token.kind,
            secrets: token.secrets,
            active_balance: token.active_balance,
            reset: token.reset,
            expire_time: token.expire_time,
            created_at: token.created_at,
            deleted_at: token.deleted_at,
        };
        self.set(account, "identities", &id, &identity.text())?;
        self.set(account, "figures", &id, &figures.text())?;
        if identity.deleted_at.is_none() {
            self.set(account, "names", &identity.name, &id)?;
            self.rank(account, "live", &id, &id)?;
        }
        for secret in identity.secrets {
            self.set(account, "names", &format!("/{}", keys::hex(&secret.hash.0)), &id)?;
            let name = self.name(account)?.to_owned();
            self.ways.push((keys::secret(&secret.hash), name));
        }
        Ok(())
    }

    fn hold(&mut self, record: &HoldRecord) -> Result<(), TransferError> {
        let HoldRecord { hold, token, amount, on_token, on_account, lease_end, label } = record;
        let account = self.account_of(*token)?;
        let text = format!("{token} {} {} {} {} {}", amount.0.nanos(), u8::from(*on_token), u8::from(*on_account), lease_end.millis(), self::label(label));
        self.set(account, "holds", &hold.text(), &text)?;
        self.rank(account, "leases", &lease_end.millis().to_string(), &hold.text())
    }

    fn tombstone(&mut self, record: &TombstoneRecord) -> Result<(), TransferError> {
        let ends = record.ends.millis().to_string();
        let mut text = ends.clone();
        // A file does not say in which account an id is refused: then it is in each.
        let accounts: Vec<u32> = match (&record.expired, record.account) {
            (Some(expired), _) => {
                text = format!(
                    "{ends} {} {} {} {} {} {} {} {} {} {}",
                    expired.at.millis(),
                    expired.token,
                    expired.amount.0.nanos(),
                    u8::from(expired.on_token),
                    u8::from(expired.on_account),
                    expired.lease_end.millis(),
                    expired.token_sets,
                    expired.account_sets,
                    expired.day.0,
                    label(&expired.label)
                );
                vec![self.account_of(expired.token)?]
            }
            (None, Some(account)) => vec![account],
            (None, None) => self.checked.accounts.iter().map(|account| account.record.id).collect(),
        };
        for account in accounts {
            self.set(account, "tombstones", &record.hold.text(), &text)?;
            self.rank(account, "tombstone_ends", &ends, &record.hold.text())?;
        }
        Ok(())
    }

    fn usage(&mut self, record: &UsageRecord) -> Result<(), TransferError> {
        let field = format!("[\"{}\",\"{}\",{}]", record.day.0, record.token, label(&record.label));
        let mut text = format!("{} {} {}", record.requests, record.cost.0, record.estimated);
        if !record.units.is_empty() {
            text.push(' ');
            text.push_str(&record.units.text());
        }
        self.set(self.account_of(record.token)?, "usage", &field, &text)
    }

    fn entry(&mut self, record: &EntryRecord) -> Result<(), TransferError> {
        let hold = record.hold.map(|hold| hold.text()).unwrap_or_default();
        let line = format!(
            "[{},\"{}\",\"{}\",\"{hold}\",{},{},{},\"{}\",{},\"{}\",{}]",
            record.time.millis(),
            record.kind.0.word(),
            record.token.map(|token| token.to_string()).unwrap_or_default(),
            record.token_delta.0,
            record.account_delta.0,
            record.cost.0.nanos(),
            record.certainty.map_or("", |certainty| certainty.0.word()),
            record.label.as_ref().map_or_else(|| "\"\",\"\",\"\"".to_owned(), label),
            record.units.text(),
            json(&record.price_version)
        );
        self.command(record.account, "RPUSH", "journal", &[&line])?;
        let ended = matches!(record.kind.0, EntryKind::Charge | EntryKind::Expire) && record.time.millis() > self.remembered_after;
        if ended { self.rank(record.account, "ended", &record.time.millis().to_string(), &hold) } else { Ok(()) }
    }

    fn set(&mut self, account: u32, part: &str, field: &str, value: &str) -> Result<(), TransferError> {
        self.command(account, "HSET", part, &[field, value])
    }

    fn rank(&mut self, account: u32, part: &str, score: &str, member: &str) -> Result<(), TransferError> {
        self.command(account, "ZADD", part, &[score, member])
    }

    fn command(&mut self, account: u32, command: &str, part: &str, arguments: &[&str]) -> Result<(), TransferError> {
        let key = self.key(account, part)?;
        self.waiting.entry(account).or_default().cmd(command).arg(key).arg(arguments);
        self.commands += 1;
        Ok(())
    }

    fn key(&self, account: u32, part: &str) -> Result<String, TransferError> {
        self.name(account).map(|name| keys::of_account_part(name, part))
    }

    fn name(&self, account: u32) -> Result<&str, TransferError> {
        self.names.get(&account).copied().ok_or_else(|| damaged("an account"))
    }

    fn account_of(&self, token: u64) -> Result<u32, TransferError> {
        self.checked.account_of(token).ok_or_else(|| damaged("a token"))
    }

    /// Sends what waits: each account's in one step.
    async fn send(&mut self) -> Result<(), TransferError> {
        for (account, commands) in std::mem::take(&mut self.waiting) {
            let answers = self.connections.transaction(self.name(account)?, commands).await.map_err(|error| failed(&error))?;
            if let Some(Value::ServerError(error)) = answers.into_iter().find(|answer| matches!(answer, Value::ServerError(_))) {
                return Err(LedgerError::Unavailable(redis::RedisError::from(error).to_string()).into());
            }
        }
        let mut under_way = JoinSet::new();
        for (key, account) in self.ways.drain(..) {
            let connections = self.connections.clone();
            under_way.spawn(async move {
                let mut set = redis::cmd("SET");
                set.arg(&key).arg(account);
                connections.command(&key, set).await
            });
        }
        while let Some(done) = under_way.join_next().await {
            done.map_err(|error| LedgerError::Unavailable(error.to_string()))?.map_err(|error| failed(&error))?;
        }
        self.commands = 0;
        Ok(())
    }
}

fn label(label: &Label) -> String {
    label_text(&ChargeLabel { provider: label.provider.clone(), model: label.model.clone(), feature: label.feature.clone() })
}
