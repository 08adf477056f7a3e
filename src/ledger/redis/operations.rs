//! The operations, typed: what the ledger is asked and what it answers, whatever server runs the scripts.
//!
//! | file | what is asked |
//! |---|---|
//! | `road.rs` | admission, and how holds end or live on |
//! | `slices.rs` | money that a gateway sets aside, to admit requests by itself |
//! | `upkeep.rs` | sweeping, trimming, and what follows a failover |
//! | `manage.rs` | accounts and tokens: made, changed, shown |

mod manage;
mod road;
mod slices;
mod upkeep;

// Not all are named outside yet.
#[allow(unused_imports)]
pub(crate) use {
    manage::{Ensured, Rotated},
    road::Decided,
    slices::{Care, Cared, Heard, Recalls, SliceState, Taken, Told, Wanted},
    upkeep::{Adoption, LostHold, Restored},
};

use jiff::tz::TimeZone;

use super::calendar::Calendar;
use super::codec::{Arguments, Reply, Stamp};
use super::script::{CallError, Name, Run, Scripts};

/// How often a call is repeated because it was another day for the server.
const REPEATS: usize = 3;

/// The operations, on whatever runs the scripts.
#[derive(Debug)]
pub(crate) struct Operations<R> {
    run: R,
    scripts: &'static Scripts,
    calendar: Calendar,
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// It was decided.
    Done(T),
    /// Nothing was done: after a failover the gateways have not agreed yet on the state of this server.
    Failover,
    /// Nothing was done: there is no such account.
    NoAccount,
    /// Nothing was done: an amount would leave the range that can be counted.
    OutOfRange,
}

/// An answer with its stamp, or why there is none.
pub(crate) type Answered<T> = Result<(Answer<T>, Stamp), CallError>;

// === impl Operations ===

impl<R: Run> Operations<R> {
    /// Operations whose days begin at midnight in `zone`.
    pub(crate) fn new(run: R, zone: TimeZone) -> Self {
        Self::with(run, Scripts::standard(), zone)
    }

    /// The same, with scripts of one's own.
    pub(super) fn with(run: R, scripts: &'static Scripts, zone: TimeZone) -> Self {
        Self { run, scripts, calendar: Calendar::new(zone) }
    }

    /// What runs the scripts.
    pub(crate) fn runner(&self) -> &R {
        &self.run
    }

    /// Runs a script that needs no calendar, and reads what it says when it decided.
    async fn plain<T>(&self, account: &str, name: Name, arguments: Arguments, read: impl FnOnce(&mut Reply) -> Result<T, CallError>) -> Answered<T> {
        let reply = Reply::read(self.run.run(account, self.scripts.get(name), &arguments.finish()).await?)?;
        answer(reply, read)
    }

    /// Runs a script that needs the calendar; repeats it when for the server it is another day.
    async fn dated<T>(
        &self,
        account: &str,
        name: Name,
        identity: &str,
        arguments: Arguments,
        read: impl FnOnce(&mut Reply) -> Result<T, CallError>,
    ) -> Answered<T> {
        let mut today = self.calendar.today();
        let dated = today.arguments.iter().fold(Arguments::default().text(identity), |arguments, bound| arguments.text(bound.as_str()));
        let mut arguments = dated.then(arguments).finish();
        for _ in 0..=REPEATS {
            let reply = Reply::read(self.run.run(account, self.scripts.get(name), &arguments).await?)?;
            if reply.outcome != "calendar" {
                return answer(reply, read);
            }
            today = self.calendar.told(reply.stamp.now);
            for (argument, bound) in arguments.iter_mut().skip(1).zip(&today.arguments) {
                bound.as_bytes().clone_into(argument);
            }
        }
        Err(CallError::Refused("the clocks of the servers disagree about the day".to_owned()))
    }
}

fn answer<T>(mut reply: Reply, read: impl FnOnce(&mut Reply) -> Result<T, CallError>) -> Answered<T> {
    let answer = match reply.outcome.as_str() {
        "failover" => Answer::Failover,
        "no_account" => Answer::NoAccount,
        "range" => Answer::OutOfRange,
        _ => Answer::Done(read(&mut reply)?),
    };
    Ok((answer, reply.stamp))
}

/// An outcome that the operation does not have.
fn unexpected(reply: &Reply) -> CallError {
    super::codec::senseless(&format!("the outcome {:?}", reply.outcome))
}
