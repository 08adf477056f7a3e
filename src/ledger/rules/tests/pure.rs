//! The rules as a subject of the scripts, with the invariants checked after each step.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::model::compare;
use super::script::{ACCOUNT, Action, Figures, Player, Reply, Step, Subject, script};
use crate::ledger::rules::{AdmitReply, Changes, EntryKind, JournalEntry, State};
use crate::ledger::types::HoldId;
use crate::money::Usd;
use crate::tokens::TokenId;

pub(super) struct Pure {
    state: State,
    journal: Vec<JournalEntry>,
    /// The sum of the daily usage of each token.
    usage: HashMap<TokenId, i64>,
}

impl Pure {
    pub(super) fn new(now: Timestamp) -> Self {
        let mut state = State::new(TimeZone::UTC);
        state.ensure_account(now, ACCOUNT, None, &mut Changes::default());
        Self { state, journal: Vec::new(), usage: HashMap::new() }
    }

    /// I1, I2 and I3, from nothing but the journal and the live holds.
    fn check(&self) -> Result<(), String> {
        let differs =
            |what: &str, name: &str, is: i64, should: i64| if is == should { Ok(()) } else { Err(format!("{what} of {name} is {is}, should be {should}")) };
        for token in self.state.tokens() {
            let entries = || self.journal.iter().filter(|entry| entry.token == Some(token.id));
            differs("balance", &token.name, token.budget.balance.unwrap_or_default().nanos(), entries().map(|entry| entry.token_delta_nanos).sum())?;
            differs("spent", &token.name, token.spent.nanos(), entries().map(|entry| entry.cost.nanos()).sum())?;
            differs("usage", &token.name, self.usage.get(&token.id).copied().unwrap_or(0), token.spent.nanos())?;
            let held = self.state.holds().filter(|(_, hold)| hold.token == token.id && hold.on_token).map(|(_, hold)| hold.amount.nanos()).sum();
            differs("held", &token.name, token.budget.held.nanos(), held)?;
        }
        let account = self.state.account_named(ACCOUNT).unwrap();
        differs("balance", ACCOUNT, account.budget.balance.unwrap_or_default().nanos(), self.journal.iter().map(|entry| entry.account_delta_nanos).sum())?;
        let held = self.state.holds().filter(|(_, hold)| hold.on_account).map(|(_, hold)| hold.amount.nanos()).sum();
        differs("held", ACCOUNT, account.budget.held.nanos(), held)?;
        let mut ends: HashMap<HoldId, (u32, u32)> = HashMap::new();
        for entry in &self.journal {
            let Some(hold) = entry.hold else { continue };
            let (charged, corrected) = ends.entry(hold).or_default();
            match entry.kind {
                EntryKind::Charge | EntryKind::Expire => *charged += 1,
                EntryKind::Correct => *corrected += 1,
                EntryKind::Grant | EntryKind::Adjust | EntryKind::Reset => return Err(format!("an entry of a hold is a {:?}", entry.kind)),
            }
        }
        for (hold, (charged, corrected)) in ends {
            if charged != 1 || corrected > 1 || self.state.hold(hold).is_some() {
                return Err(format!("hold {hold} was charged {charged} times and corrected {corrected} times"));
            }
        }
        Ok(())
    }
}

impl Subject for Pure {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply {
        let (state, mut changes) = (&mut self.state, Changes::default());
        let changes_ref = &mut changes;
        let reply = match action.clone() {
            Action::Admit(request) => {
                let reply = state.admit(now, &request, changes_ref).unwrap();
                if let AdmitReply::Granted { held: true, .. } = reply {
                    let hold = state.hold(request.hold).unwrap().clone();
                    let free = |on: bool, free: Option<Usd>| !on || free.is_none_or(|free| !free.is_negative());
                    // A repeated admission may find that the balance was lowered since.
                    let fresh = changes_ref.holds.contains_key(&request.hold);
                    assert!(!fresh || free(hold.on_token, state.token(hold.token).unwrap().budget.free()), "more is held than the token has");
                    assert!(!fresh || free(hold.on_account, state.account(hold.account).unwrap().budget.free()), "more is held than the account has");
                }
                Reply::Admit(reply)
            }
            Action::Settle(settlement) => Reply::Settle(state.settle(now, &settlement, changes_ref).unwrap()),
            Action::ChargeHold(hold) => Reply::Settle(state.charge_hold(now, hold, changes_ref).unwrap()),
            Action::Void(hold, lease) => {
                state.void(now, hold, lease, changes_ref).unwrap();
                Reply::Nothing
            }
            Action::Keep(hold, kept, lease) => Reply::Settle(state.keep(now, hold, kept, lease, changes_ref).unwrap()),
            Action::Renew(renewal) => Reply::Renew(state.renew(now, &renewal, changes_ref).unwrap()),
            Action::Sweep | Action::Reopen => {
                while state.sweep(now, 256, changes_ref) {}
                Reply::Nothing
            }
            Action::Create(new, secret) => Reply::Token(state.create_token(now, ACCOUNT, new, secret.hash(), secret.masked(), changes_ref)),
            Action::Update(name, patch) => {
                let tried = state.update_token(now, ACCOUNT, &name, &patch, true, &mut Changes::default());
                let done = state.update_token(now, ACCOUNT, &name, &patch, false, changes_ref);
                assert_eq!(tried, done, "a dry run says what would be");
                Reply::Token(done)
            }
            Action::Rotate(name, secret, grace) => {
                Reply::Token(state.rotate_token(now, ACCOUNT, &name, (secret.hash(), secret.masked()), grace, changes_ref).map(Ok))
            }
            Action::Delete(name) => Reply::Known(state.delete_token(now, ACCOUNT, &name, changes_ref)),
            Action::Credits(credits) => Reply::Known(state.set_credits(now, ACCOUNT, credits, changes_ref)),
        };
        for (key, delta) in &changes.usage {
            *self.usage.entry(key.token).or_default() += delta.cost_nanos;
        }
        self.state.stored(&changes);
        self.journal.append(&mut changes.journal);
        reply
    }

    fn figures(&mut self, now: Timestamp) -> Figures {
        Figures { tokens: self.state.views(ACCOUNT, now), credits: self.state.credits(ACCOUNT) }
    }
}

/// Plays a script against the rules and the model, and compares them after each step.
pub(super) fn play(steps: &[Step]) -> Result<(), String> {
    compare(&mut Pure::new(Player::new().now), steps, Pure::check)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_agree_with_the_model_and_keep_the_invariants(steps in script(80)) {
        play(&steps).map_err(TestCaseError::fail)?;
    }
}
