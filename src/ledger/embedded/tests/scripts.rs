//! The same sequences as the rules, against a file that is closed and opened again in between, or copied from under a running ledger as a crash would leave it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{audited, file, open, options};
use crate::ledger::embedded::clock::Clock;
use crate::ledger::rules::AdmitReply;
use crate::ledger::rules::tests::model::compare;
use crate::ledger::rules::tests::script::{ACCOUNT, Action, Figures, Player, Reply, Subject, script};
use crate::ledger::{Admission, Ledger, LedgerOptions, StoreAddress, UsageFilter};
use crate::tokens::TokenKind;

pub(in crate::ledger) struct Embedded {
    runtime: Runtime,
    ledger: Ledger,
    clock: Arc<Clock>,
    options: LedgerOptions,
    pub(in crate::ledger) folder: tempfile::TempDir,
    openings: u32,
}

impl Embedded {
    pub(in crate::ledger) fn new(now: Timestamp) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = Arc::new(Clock::manual(now));
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let ledger = open(options.clone(), &clock);
        runtime.block_on(ledger.ensure_account(ACCOUNT, None)).unwrap();
        Self { runtime, ledger, clock, options, folder, openings: 0 }
    }

    /// Every second time the files are taken away from a ledger that was not closed.
    fn reopen(&mut self) {
        self.openings += 1;
        if self.openings.is_multiple_of(2) {
            let copy = self.folder.path().join(format!("copy-{}.db", self.openings));
            let with = |path: &Path, end: &str| PathBuf::from(format!("{}{end}", path.display()));
            for end in ["", "-wal"] {
                std::fs::copy(with(file(&self.options), end), with(&copy, end)).unwrap();
            }
            let old =
                std::mem::replace(&mut self.ledger, open(LedgerOptions { store: StoreAddress::Sqlite(copy.clone()), ..self.options.clone() }, &self.clock));
            self.runtime.block_on(old.close());
            self.options.store = StoreAddress::Sqlite(copy);
        } else {
            self.runtime.block_on(self.ledger.close());
            self.ledger = open(self.options.clone(), &self.clock);
        }
    }

    /// Goes on with the file that `change` makes of its own while it is closed.
    pub(in crate::ledger) fn go_on_with(&mut self, change: impl FnOnce(&Path) -> PathBuf) {
        self.runtime.block_on(self.ledger.close());
        self.options.store = StoreAddress::Sqlite(change(file(&self.options)));
        self.ledger = open(self.options.clone(), &self.clock);
        self.sweep();
    }

    fn sweep(&self) {
        self.runtime.block_on(self.ledger.embedded().manage(|state, now, changes| while state.sweep(now, 3, changes) {})).unwrap();
    }

    pub(in crate::ledger) fn check_the_end(&mut self) {
        let rows = self.runtime.block_on(self.ledger.usage(UsageFilter { account: ACCOUNT.into(), ..UsageFilter::default() })).unwrap();
        assert!(rows.iter().all(|row| !row.cost.is_negative() && row.estimated <= row.requests), "a correction takes away no more than what was there");
        self.runtime.block_on(self.ledger.close());
        audited(file(&self.options));
    }
}

impl Subject for Embedded {
    fn act(&mut self, now: Timestamp, action: &Action) -> Reply {
        self.clock.set(now);
        let (runtime, ledger) = (&self.runtime, &self.ledger);
        match action.clone() {
            Action::Admit(request) => Reply::Admit(match runtime.block_on(ledger.admit(request)).unwrap() {
                Admission::Granted(grant) => {
                    let (admitted, held) = (grant.admitted(), grant.facts().kind == TokenKind::Api);
                    grant.crash();
                    AdmitReply::Granted { admitted, held }
                }
                Admission::Denied(denied) => AdmitReply::Denied(denied),
            }),
            Action::Settle(settlement) => Reply::Settle(runtime.block_on(ledger.settler().settle(settlement)).unwrap()),
            Action::ChargeHold(hold) => Reply::Settle(runtime.block_on(ledger.settler().charge_hold(hold)).unwrap()),
            Action::Void(hold, lease) => {
                ledger.settler().void(hold, lease);
                Reply::Nothing
            }
            Action::Keep(hold, kept, lease) => Reply::Settle(runtime.block_on(ledger.settler().keep(hold, kept, lease)).unwrap()),
            Action::Renew(renewal) => Reply::Renew(runtime.block_on(ledger.settler().raise(renewal)).unwrap()),
            Action::Sweep => {
                self.sweep();
                Reply::Nothing
            }
            Action::Create(new, secret) => Reply::Token(Some(runtime.block_on(ledger.create_token(ACCOUNT, new, &secret)).unwrap())),
            Action::Update(name, patch) => Reply::Token(runtime.block_on(ledger.update_token(ACCOUNT, &name, patch, false)).unwrap()),
            Action::Rotate(name, secret, grace) => Reply::Token(runtime.block_on(ledger.rotate_token(ACCOUNT, &name, &secret, grace)).unwrap().map(Ok)),
            Action::Delete(name) => Reply::Known(runtime.block_on(ledger.delete_token(ACCOUNT, &name)).unwrap()),
            Action::Credits(credits) => {
                runtime.block_on(ledger.set_credits(ACCOUNT, credits)).unwrap();
                Reply::Known(true)
            }
            Action::Reopen => {
                self.reopen();
                self.sweep();
                Reply::Nothing
            }
        }
    }

    fn figures(&mut self, now: Timestamp) -> Figures {
        self.clock.set(now);
        let tokens = self.runtime.block_on(self.ledger.tokens(ACCOUNT)).unwrap();
        Figures { tokens, credits: self.runtime.block_on(self.ledger.credits(ACCOUNT)).unwrap() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_file_agrees_with_the_model_across_openings(steps in script(80)) {
        let mut embedded = Embedded::new(Player::new().now);
        compare(&mut embedded, &steps, |_| Ok(())).map_err(TestCaseError::fail)?;
        embedded.check_the_end();
    }
}
