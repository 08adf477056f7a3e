//! Runs scripts over one connection, in a lane of its own: what asks for the account `default` gets one that no other case has. May make mistakes on purpose.

use std::sync::atomic::{AtomicU64, Ordering};

use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::ledger::redis::keys;
use crate::ledger::redis::script::{CallError, Run, Script};

/// What is done to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// The answer is lost, and the call is made again, where it may be.
    Twice,
    /// As before, but the admission that is made again has a new id.
    NewHoldId,
    /// The day ends a millisecond late.
    LateMidnight,
    /// The day ends a millisecond early, as if it were another.
    EarlyMidnight,
    /// Weeks and months are mixed up.
    MixedPeriods,
    /// Holds are renewed without their raise.
    NoRaise,
    /// The least is what is wanted.
    LeastIsWant,
    /// A change of a token that is only tried is made.
    NeverDry,
    /// None, but requests are admitted from slices, and end in batches.
    Sliced,
}

#[derive(Clone)]
pub(super) struct Single {
    connection: MultiplexedConnection,
    lane: u64,
    fault: Fault,
}

impl Single {
    pub(super) fn new(connection: MultiplexedConnection, fault: Fault) -> Self {
        static LANES: AtomicU64 = AtomicU64::new(0);
        Self { connection, lane: LANES.fetch_add(1, Ordering::Relaxed), fault }
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    /// The same lane over another connection.
    pub(super) fn over(&self, connection: MultiplexedConnection) -> Self {
        Self { connection, ..self.clone() }
    }

    pub(super) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// The account's name on the server.
    pub(super) fn account(&self, account: &str) -> String {
        format!("{account} {}", self.lane)
    }

    /// The key of one part of the account.
    pub(super) fn key(&self, account: &str, part: &str) -> String {
        keys::of_account_part(&self.account(account), part)
    }

    async fn call(&self, account: &str, script: &Script, arguments: &[Vec<u8>]) -> Result<Value, CallError> {
        let account = if script.name == "account" { account.to_owned() } else { self.account(account) };
        let mut connection = self.connection.clone();
        let first = script.by_digest(&account, arguments).query_async(&mut connection).await;
        match first {
            Err(error) if CallError::is_unknown_script(&error) => script.in_full(&account, arguments).query_async(&mut connection).await,
            other => other,
        }
        .map_err(|error| CallError::from(&error))
    }
}

impl Run for Single {
    async fn run(&self, account: &str, script: &'static Script, arguments: &[Vec<u8>]) -> Result<Value, CallError> {
        let mut arguments = arguments.to_vec();
        let name = script.name;
        let shifted = |millis: &[u8], by: i64| (std::str::from_utf8(millis).unwrap().parse::<i64>().unwrap() + by).to_string().into_bytes();
        let dated = arguments.len() > 5;
        match self.fault {
            Fault::LateMidnight if dated => arguments[3] = shifted(&arguments[3], 1),
            Fault::EarlyMidnight if dated => arguments[3] = shifted(&arguments[3], -1),
            Fault::MixedPeriods if dated => arguments.swap(4, 5),
            Fault::NoRaise if name == "renew" => arguments[8] = b"0".to_vec(),
            Fault::LeastIsWant if name == "admit" => arguments[10] = arguments[9].clone(),
            Fault::NeverDry if name == "update_token" => arguments[7] = b"0".to_vec(),
            _ => {}
        }
        let answer = self.call(account, script, &arguments).await;
        let again = match self.fault {
            Fault::Twice => ["admit", "settle", "charge_hold", "void", "keep", "sweep", "restore", "set_credits", "view"].contains(&name),
            Fault::NewHoldId => name == "admit",
            _ => false,
        };
        if again {
            if self.fault == Fault::NewHoldId {
                arguments[6][0] = b'f';
            }
            self.call(account, script, &arguments).await?;
        }
        answer
    }
}
