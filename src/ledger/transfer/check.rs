//! What must be true of records before any of them is imported: they name only what is there, nothing is there twice, and the figures are those of the
//! journal and the live holds. Accounts, tokens and live holds are remembered; of the journal and the daily usage only sums.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::error::TransferError;
use super::record::{AccountRecord, CheckpointRecord, EntryRecord, HoldRecord, Record, TokenRecord, TombstoneRecord, UsageRecord};
use super::words::{Hex, Time};
use crate::ledger::audit::{AuditReport, Audited};

/// The largest id of an account on a server: ids of tokens stay below 2^53.
const LAST_ACCOUNT: u32 = 2_097_150;
/// Ids of tokens are below this, so that every store can hold them exactly.
const TOKENS_END: u64 = 1 << 53;

/// Records on their way, checked as they pass.
#[derive(Default)]
pub(in crate::ledger) struct Check {
    accounts: BTreeMap<u32, Account>,
    tokens: HashMap<u64, Token>,
    account_names: HashSet<String>,
    token_names: HashSet<(u32, String)>,
    secrets: HashSet<Hex<32>>,
    holds: HashSet<Hex<16>>,
    checkpoints: HashSet<(u32, Option<u64>)>,
}

struct Account {
    record: AccountRecord,
    figures: Audited,
    newest: Time,
}

struct Token {
    account: u32,
    figures: Audited,
}

/// What is known of records that were all true: what a store needs before it writes the first of them.
pub(in crate::ledger) struct Checked {
    /// The accounts, by id.
    pub(in crate::ledger) accounts: Vec<CheckedAccount>,
    tokens: HashMap<u64, u32>,
}

/// An account and what follows from its records.
pub(in crate::ledger) struct CheckedAccount {
    /// As it is in the file.
    pub(in crate::ledger) record: AccountRecord,
    /// The newest time of it: its clock goes on from there.
    pub(in crate::ledger) newest: Time,
    /// A server makes ids of tokens from an account's id and a number: the last one that is used, by whichever account.
    pub(in crate::ledger) last_token_number: u64,
}

// === impl Check ===

impl Check {
    /// Takes the next record. The error says what is wrong with it.
    pub(super) fn take(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Account(account) => self.account(account),
            Record::Token(token) => self.token(token),
            Record::Hold(hold) => self.hold(hold),
            Record::Tombstone(tombstone) => self.tombstone(tombstone),
            Record::Checkpoint(checkpoint) => self.checkpoint(checkpoint),
            Record::Usage(row) => self.usage(row),
            Record::Journal(entry) => self.entry(entry),
        }
    }

    /// That was all: compares the figures.
    pub(super) fn finish(self) -> Result<Checked, TransferError> {
        let mut report = AuditReport::default();
        let tokens = self.tokens.iter().map(|(id, token)| (*id, token.account)).collect();
        let mut last: HashMap<u64, u64> = HashMap::new();
        let mut figures: HashMap<u32, Vec<Audited>> = HashMap::new();
        for (id, token) in self.tokens {
            let number = last.entry(id >> 32).or_default();
            *number = (*number).max(id & u64::from(u32::MAX));
            figures.entry(token.account).or_default().push(token.figures);
        }
        let mut accounts = Vec::with_capacity(self.accounts.len());
        for (id, account) in self.accounts {
            report.compare(account.figures, figures.remove(&id).unwrap_or_default().into_iter());
            let last_token_number = last.get(&u64::from(id)).copied().unwrap_or(0);
            accounts.push(CheckedAccount { record: account.record, newest: account.newest, last_token_number });
        }
        if report.differences.is_empty() { Ok(Checked { accounts, tokens }) } else { Err(TransferError::Differs(report.differences)) }
    }

    fn account(&mut self, record: &AccountRecord) -> Result<(), String> {
        let mut figures = Audited::new(record.name.clone());
        figures.balance.recorded = record.balance.map_or(0, |balance| balance.0.nanos());
        figures.held.recorded = record.held.0.nanos();
        if record.id > LAST_ACCOUNT || record.name.is_empty() {
            return Err("an account needs a name, and an id below 2097151".to_owned());
        }
        if !self.account_names.insert(record.name.clone()) {
            return Err(format!("there is an account {:?} before it", record.name));
        }
        if record.main_key.is_some_and(|key| !self.secrets.insert(key)) {
            return Err("its main key is another secret too".to_owned());
        }
        match self.accounts.insert(record.id, Account { record: record.clone(), figures, newest: record.created }) {
            Some(_) => Err(format!("there is an account with id {} before it", record.id)),
            None => Ok(()),
        }
    }

    fn token(&mut self, record: &TokenRecord) -> Result<(), String> {
        let account = known(&mut self.accounts, record.account)?;
        account.newest = [Some(record.created), record.last_used, record.deleted].into_iter().flatten().fold(account.newest, Time::max);
        if record.id == 0 || record.id >= TOKENS_END {
            return Err(format!("{} cannot be the id of a token", record.id));
        }
        if record.deleted.is_none() && !self.token_names.insert((record.account, record.name.clone())) {
            return Err(format!("there is a live token {:?} of this account before it", record.name));
        }
        if record.deleted.is_some() && !record.secrets.is_empty() {
            return Err("a deleted token has no secrets".to_owned());
        }
        if !record.secrets.iter().all(|secret| self.secrets.insert(secret.sha256)) {
            return Err("one of its secrets is another's too".to_owned());
        }
        let mut figures = Audited::new(record.name.clone());
        figures.balance.recorded = record.balance.map_or(0, |balance| balance.0.nanos());
        (figures.held.recorded, figures.spent.recorded) = (record.held.0.nanos(), record.spent.0.nanos());
        add(&mut account.figures.spent.recorded, record.spent.0.nanos())?;
        match self.tokens.insert(record.id, Token { account: record.account, figures }) {
            Some(_) => Err(format!("there is a token with id {} before it", record.id)),
            None => Ok(()),
        }
    }

    fn hold(&mut self, record: &HoldRecord) -> Result<(), String> {
        let (token, account) = self.both(record.token)?;
        if record.amount.0.is_negative() {
            return Err("a hold is not negative".to_owned());
        }
        if record.on_token {
            add(&mut token.figures.held.computed, record.amount.0.nanos())?;
        }
        if record.on_account {
            add(&mut account.figures.held.computed, record.amount.0.nanos())?;
        }
        if self.holds.insert(record.hold) { Ok(()) } else { Err("there is a hold with this id before it".to_owned()) }
    }

    fn tombstone(&mut self, record: &TombstoneRecord) -> Result<(), String> {
        if let Some(account) = record.account {
            known(&mut self.accounts, account)?;
        }
        match &record.expired {
            Some(expired) => {
                let (_, account) = self.both(expired.token)?;
                account.newest = account.newest.max(expired.at);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn checkpoint(&mut self, record: &CheckpointRecord) -> Result<(), String> {
        if !self.checkpoints.insert((record.account, record.token)) {
            return Err("there is a checkpoint of the same before it".to_owned());
        }
        let Some(id) = record.token else {
            return add(&mut known(&mut self.accounts, record.account)?.figures.balance.computed, record.balance.0);
        };
        let (token, account) = self.both(id)?;
        of_account(token, record.account)?;
        add(&mut token.figures.balance.computed, record.balance.0)?;
        add(&mut token.figures.spent.computed, record.cost.0)?;
        add(&mut account.figures.spent.computed, record.cost.0)
    }

    fn usage(&mut self, record: &UsageRecord) -> Result<(), String> {
        let (token, _) = self.both(record.token)?;
        add(&mut token.figures.usage.recorded, record.cost.0)
    }

    fn entry(&mut self, record: &EntryRecord) -> Result<(), String> {
        let EntryRecord { token_delta, account_delta, cost, .. } = record;
        if record.hold.is_some() != record.label.is_some() || (record.hold.is_some() && record.token.is_none()) {
            return Err("an entry about a request has a token, a hold and a label, another has no hold and no label".to_owned());
        }
        let account = known(&mut self.accounts, record.account)?;
        account.newest = account.newest.max(record.time);
        add(&mut account.figures.balance.computed, account_delta.0)?;
        add(&mut account.figures.spent.computed, cost.0.nanos())?;
        match record.token {
            None if token_delta.0 != 0 || cost.0.nanos() != 0 => Err("an entry with no token changes no token".to_owned()),
            None => Ok(()),
            Some(id) => {
                let (token, _) = self.both(id)?;
                of_account(token, record.account)?;
                add(&mut token.figures.balance.computed, token_delta.0)?;
                add(&mut token.figures.spent.computed, cost.0.nanos())
            }
        }
    }

    fn both(&mut self, token: u64) -> Result<(&mut Token, &mut Account), String> {
        let token = self.tokens.get_mut(&token).ok_or_else(|| format!("there is no token with id {token} before it"))?;
        let account = known(&mut self.accounts, token.account)?;
        Ok((token, account))
    }
}

fn known(accounts: &mut BTreeMap<u32, Account>, id: u32) -> Result<&mut Account, String> {
    accounts.get_mut(&id).ok_or_else(|| format!("there is no account with id {id} before it"))
}

fn of_account(token: &Token, account: u32) -> Result<(), String> {
    if token.account == account { Ok(()) } else { Err(format!("the token is of account {}, not of {account}", token.account)) }
}

fn add(sum: &mut i64, nanos: i64) -> Result<(), String> {
    *sum = sum.checked_add(nanos).ok_or("the sum is more than can be counted")?;
    Ok(())
}

// === impl Checked ===

impl Checked {
    /// The account of a token.
    pub(in crate::ledger) fn account_of(&self, token: u64) -> Option<u32> {
        self.tokens.get(&token).copied()
    }
}
