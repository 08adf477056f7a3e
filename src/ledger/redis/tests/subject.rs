//! The scripts as a subject of the rules' sequences: a manual clock, the server forgetting its scripts in between, the journal trimmed at random moments.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::runtime::Runtime;

use super::raw;
use super::runner::{Fault, Single};
use super::server::Server;
use crate::ledger::outbox::{Ending, HoldFacts, Record};
use crate::ledger::redis::codec::hold_text;
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::{Answer, Answered, Care, Operations, Told};
use crate::ledger::redis::script::Scripts;
use crate::ledger::rules::AdmitReply;
use crate::ledger::rules::tests::script::{ACCOUNT, Action, Figures, Reply, Subject};
use crate::ledger::{AdmitRequest, HoldId};
use crate::tokens::TokenId;

/// The server that all gateways of a test vouch for.
pub(super) const IDENTITY: &str = "0123456789abcdef";
/// The gateway of a test.
pub(super) const GATEWAY: &str = "gateway-1";

/// A clock that reads what the test has set.
const MANUAL_CLOCK: &str = "local function clock()\n  return tonumber(redis.call('HGET', KEYS[1], 'test_now'))\nend\n";

pub(super) struct Shared {
    pub(super) runtime: Runtime,
    pub(super) operations: Operations<Single>,
    numbers: u64,
}

/// Scripts on a manual clock, each file as `change` makes it.
pub(super) fn on_manual_clock(change: &dyn Fn(&'static str, &'static str) -> String) -> Scripts {
    Scripts::build(&|file, text| if file == "lib/clock.lua" { MANUAL_CLOCK.to_owned() } else { change(file, text) })
}

/// The same scripts for all tests that change nothing in them.
pub(super) fn manual() -> &'static Scripts {
    static MANUAL: std::sync::LazyLock<Scripts> = std::sync::LazyLock::new(|| on_manual_clock(&|_, text| text.to_owned()));
    &MANUAL
}

/// What was decided.
pub(super) fn done<T: std::fmt::Debug>(answered: Answered<T>) -> T {
    match answered.unwrap().0 {
        Answer::Done(value) => value,
        other => panic!("{other:?}"),
    }
}

impl Shared {
    /// An account with no tokens yet, on the shared server.
    pub(super) fn new(now: Timestamp, scripts: &'static Scripts, fault: Fault) -> Self {
        Self::on(Server::shared(), now, scripts, fault)
    }

    pub(super) fn on(server: &Server, now: Timestamp, scripts: &'static Scripts, fault: Fault) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(server.connect());
        let operations = Operations::with(Single::new(connection, fault), scripts, TimeZone::UTC);
        let mut shared = Self { runtime, operations, numbers: 1 };
        shared.set_clock(now);
        let ensured = done(shared.runtime.block_on(shared.operations.ensure_account(ACCOUNT, 0, None)));
        assert!(ensured.created && !ensured.has_main_key);
        done(shared.runtime.block_on(shared.operations.adopt(ACCOUNT, IDENTITY, GATEWAY, std::time::Duration::from_secs(5))));
        shared
    }

    pub(super) fn set_clock(&mut self, now: Timestamp) {
        let key = self.operations.runner().key(ACCOUNT, "account");
        let mut connection = self.operations.runner().connection();
        let set = redis::cmd("HSET").arg(key).arg("test_now").arg(now.as_millisecond()).to_owned();
        self.runtime.block_on(set.exec_async(&mut connection)).unwrap();
    }

    fn number(&mut self, below: u64) -> u64 {
        self.numbers = self.numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.numbers >> 33) % below
    }

    fn sweep(&self) {
        while done(self.runtime.block_on(self.operations.sweep(ACCOUNT, IDENTITY, GATEWAY, 5))) {}
    }

    /// I1, I2 and I3 from the keys.
    pub(super) fn check(&self) -> Result<(), String> {
        self.runtime.block_on(raw::check(self.operations.runner(), ACCOUNT))
    }

    /// The same by way of slices: a request is admitted from one that has just what it needs, and is given back; what ends is told in a batch, twice.
    fn act_on_a_slice(&self, action: &Action) -> Option<Reply> {
        let tell = |told: &Told| done(self.runtime.block_on(self.operations.tell(ACCOUNT, IDENTITY, told)));
        let record = |ending| {
            let facts = HoldFacts::default();
            Arc::new(Record { ending, account: ACCOUNT.into(), token: TokenId(1), facts, written_at: Timestamp::UNIX_EPOCH })
        };
        let end = |ending| {
            let record: Arc<Record> = record(ending);
            let heard = tell(&Told { ended: vec![Arc::clone(&record), record], ..Told::default() });
            if matches!(action, Action::Settle(_) | Action::ChargeHold(_)) {
                assert!(!heard.ended[1].as_ref().unwrap().charged, "it ended twice");
            }
            *heard.ended[0].as_ref().unwrap()
        };
        Some(match action.clone() {
            Action::Admit(request) => {
                let runner = self.operations.runner();
                let known = |command: &str, part: &str| {
                    let question = redis::cmd(command).arg(runner.key(ACCOUNT, part)).arg(hold_text(request.hold)).to_owned();
                    self.runtime.block_on(question.query_async::<Option<String>>(&mut runner.connection())).unwrap().is_some()
                };
                // No gateway grants an id by itself that it did not make just then.
                if known("HGET", "holds") || known("HGET", "tombstones") || known("ZSCORE", "ended") {
                    return None;
                }
                let slice = HoldId(request.hold.0.map(|byte| !byte));
                let decided = done(self.runtime.block_on(self.operations.admit(ACCOUNT, IDENTITY, &AdmitRequest { hold: slice, ..request.clone() })));
                if let AdmitReply::Granted { admitted, held: true } = decided.reply {
                    let (on_token, on_account, lease) = (decided.on_token, decided.on_account, request.lease);
                    let facts = HoldFacts { amount: admitted.amount, on_token, on_account, lease, label: Arc::clone(&request.label), slice: Some(slice) };
                    let hold = AdmittedHold { hold: request.hold, account: ACCOUNT.into(), token: request.token, facts };
                    let slices = vec![(slice, Care::GiveBack(lease))];
                    tell(&Told { admitted: vec![hold.clone(), hold.clone()], ended: Vec::new(), slices: slices.clone() });
                    tell(&Told { admitted: vec![hold], ended: Vec::new(), slices });
                }
                Reply::Admit(decided.reply)
            }
            Action::Settle(settlement) => Reply::Settle(end(Ending::Settle(settlement))),
            Action::ChargeHold(hold) => Reply::Settle(end(Ending::ChargeHold(hold))),
            Action::Void(hold, lease) => {
                end(Ending::Void(hold, lease));
                Reply::Nothing
            }
            _ => return None,
        })
    }

    /// Leaves nothing on the server.
    pub(super) fn remove(self) {
        self.runtime.block_on(raw::remove(self.operations.runner(), ACCOUNT));
    }
}

impl Subject for Shared {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply {
        self.set_clock(now);
        if self.number(10) == 0 {
            let cutoff = Timestamp::from_millisecond(now.as_millisecond() - i64::try_from(self.number(100_000)).unwrap()).unwrap();
            let most = usize::try_from(self.number(8)).unwrap() + 1;
            done(self.runtime.block_on(self.operations.trim(ACCOUNT, cutoff, most)));
        }
        let (runtime, operations) = (&self.runtime, &self.operations);
        if operations.runner().fault() == Fault::Sliced
            && let Some(reply) = self.act_on_a_slice(action)
        {
            return reply;
        }
        match action.clone() {
            Action::Admit(request) => Reply::Admit(done(runtime.block_on(operations.admit(ACCOUNT, IDENTITY, &request))).reply),
            Action::Settle(settlement) => Reply::Settle(done(runtime.block_on(operations.settle(ACCOUNT, &settlement)))),
            Action::ChargeHold(hold) => Reply::Settle(done(runtime.block_on(operations.charge_hold(ACCOUNT, hold)))),
            Action::Void(hold, lease) => {
                done(runtime.block_on(operations.void(ACCOUNT, hold, lease)));
                Reply::Nothing
            }
            Action::Keep(hold, kept, lease) => Reply::Settle(done(runtime.block_on(operations.keep(ACCOUNT, hold, kept, lease)))),
            Action::Renew(renewal) => {
                let renewed = done(runtime.block_on(operations.renew(ACCOUNT, &[renewal])));
                Reply::Renew(*renewed[0].as_ref().unwrap())
            }
            Action::Sweep => {
                self.sweep();
                Reply::Nothing
            }
            Action::Create(new, secret) => {
                let created = done(runtime.block_on(operations.create_token(ACCOUNT, IDENTITY, &new, &secret.hash(), &secret.masked())));
                if let Ok(view) = &created {
                    let facts = done(runtime.block_on(operations.facts_by_secret(ACCOUNT, &secret.hash()))).unwrap();
                    assert_eq!((facts.token.id, &*facts.token.name, facts.token.kind), (view.id, view.name.as_str(), view.kind));
                }
                Reply::Token(Some(created))
            }
            Action::Update(name, patch) => {
                let tried = done(runtime.block_on(operations.update_token(ACCOUNT, IDENTITY, &name, &patch, true)));
                let before = done(runtime.block_on(operations.view_named(ACCOUNT, &name)));
                let made = done(runtime.block_on(operations.update_token(ACCOUNT, IDENTITY, &name, &patch, false)));
                assert_eq!(tried, made, "a dry run says what would be");
                let after = done(runtime.block_on(operations.view_named(ACCOUNT, &name)));
                let should = made.clone().and_then(Result::ok).or(before);
                assert_eq!(after, should);
                Reply::Token(made)
            }
            Action::Rotate(name, secret, grace) => {
                let (hash, masked) = (secret.hash(), secret.masked());
                let rotated = done(runtime.block_on(operations.rotate_token(ACCOUNT, IDENTITY, &name, (&hash, &masked), grace)));
                for dropped in rotated.iter().flat_map(|rotated| &rotated.dropped) {
                    assert!(done(runtime.block_on(operations.facts_by_secret(ACCOUNT, dropped))).is_none());
                }
                Reply::Token(rotated.map(|rotated| Ok(rotated.view)))
            }
            Action::Delete(name) => {
                let deleted = done(runtime.block_on(operations.delete_token(ACCOUNT, IDENTITY, &name)));
                for dropped in deleted.iter().flatten() {
                    assert!(done(runtime.block_on(operations.facts_by_secret(ACCOUNT, dropped))).is_none());
                }
                Reply::Known(deleted.is_some())
            }
            Action::Credits(credits) => {
                done(runtime.block_on(operations.set_credits(ACCOUNT, IDENTITY, credits)));
                Reply::Known(true)
            }
            Action::Reopen => {
                let mut connection = operations.runner().connection();
                runtime.block_on(redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut connection)).unwrap();
                self.sweep();
                Reply::Nothing
            }
        }
    }

    fn figures(&mut self, now: Timestamp) -> Figures {
        self.set_clock(now);
        let mut tokens = Vec::new();
        loop {
            let after = tokens.last().map_or(TokenId(0), |view: &crate::tokens::TokenView| view.id);
            let some = done(self.runtime.block_on(self.operations.views_after(ACCOUNT, after, 2)));
            let last = some.len() < 2;
            tokens.extend(some);
            if last {
                break;
            }
        }
        Figures { tokens, credits: done(self.runtime.block_on(self.operations.credits(ACCOUNT))) }
    }
}
