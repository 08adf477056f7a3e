//! Tells the store what was admitted here, how requests ended, and what becomes of slices: one call at a time for each account. What is ready while one is under
//! way goes with the next, so that calls are the fewer for each request the more there are. Endings wait for nothing else; admissions go with the next ending, or
//! after some milliseconds.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::notes::Notes;
use super::table::{LEASE, MOST_TOLD, Want};
use super::{OfAccount, Slices, Waiting};
use crate::ledger::redis::deliver::DeliverError;
use crate::ledger::redis::endings::{Endings, restore};
use crate::ledger::redis::memory::AdmittedHold;
use crate::ledger::redis::operations::{Answer, Care, Heard, Told, Wanted};
use crate::ledger::redis::script::CallError;

/// The pause after a call that brought no answer.
const PAUSE: Duration = Duration::from_millis(20);

/// What came of a call.
enum Outcome {
    /// There was nothing to tell.
    Nothing,
    /// It was told.
    Told,
    /// There was no answer: what was admitted is told again.
    Failed,
}

/// Runs as long as its runtime does.
pub(super) async fn run(of: Arc<OfAccount>, slices: Arc<Slices>) {
    loop {
        let care_at = of.table().care_at();
        tokio::select! {
            () = of.wake.notified() => {}
            () = async { match care_at { Some(at) => tokio::time::sleep_until(at.into()).await, None => std::future::pending().await } } => {}
        }
        if of.paused.load(Ordering::SeqCst) {
            // Slices are not looked after meanwhile, though it may be their time.
            tokio::time::sleep(PAUSE).await;
        }
        loop {
            for want in of.table().wanted(Instant::now()) {
                tokio::spawn(take(Arc::clone(&of), Arc::clone(&slices), want));
            }
            match tell(&of, &slices).await {
                Outcome::Nothing => break,
                Outcome::Told => {}
                Outcome::Failed => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl OfAccount {
    /// The store will never be told of a request: it is charged with its slice, by the next process too.
    fn let_go_with_slice(&self, hold: &AdmittedHold) {
        self.notes.let_go(hold.facts.slice.into_iter().chain([hold.hold]));
    }
}

/// Asks for a slice.
async fn take(of: Arc<OfAccount>, slices: Arc<Slices>, want: Want) {
    let operations = &slices.operations;
    let wanted = Wanted { slice: want.slice, token: want.key.token, secret: want.key.secret, most: want.size.most, least: want.size.least };
    // From before it may be there.
    let Ok(note) = Notes::of_slice(&slices.outbox, &slices.boot, want.slice, &of.account, want.key.token) else {
        let now = Instant::now();
        of.table().taken(now, now, &want, None);
        return;
    };
    of.notes.keep(want.slice, note);
    let asked = Instant::now();
    let answer = match operations.runner().identity(&of.account) {
        Ok(identity) => operations.take_slice(&of.account, &identity, &wanted, LEASE, &slices.gateway).await,
        Err(error) => Err(error),
    };
    let now = Instant::now();
    match answer {
        Ok((Answer::Done(Some(taken)), _)) => {
            slices.counts.taken.fetch_add(1, Ordering::Relaxed);
            of.table().taken(now, asked, &want, Some(taken));
        }
        Err(CallError::Unknown(_) | CallError::Script(_)) => of.table().unsure(now, &want),
        Ok(_) | Err(CallError::NotSent(_) | CallError::Refused(_)) => {
            of.table().taken(now, asked, &want, None);
            of.notes.let_go([want.slice]);
        }
    }
    // Its care begins.
    of.wake.notify_one();
}

async fn tell(of: &OfAccount, slices: &Slices) -> Outcome {
    let asked = Instant::now();
    let mut told = Told::default();
    let ends = !of.endings().is_empty();
    let (all, glances, abandoned) = {
        let mut table = of.table();
        if !ends && !table.is_due(asked) {
            return Outcome::Nothing;
        }
        let next = table.tell_next(asked, MOST_TOLD);
        told.admitted = next.admitted;
        let mut glances = false;
        if !of.paused.load(Ordering::SeqCst) {
            glances = table.glances(asked);
            told.slices = table.care(asked, next.all);
        }
        (next.all, glances, next.abandoned)
    };
    abandoned.iter().for_each(|hold| of.let_go_with_slice(hold));
    // Whatever ends here began before, and is told in this call or was before.
    let ended = if all { take_endings(of) } else { Vec::new() };
    told.ended = ended.iter().map(|waiting| Arc::clone(&waiting.record)).collect();
    if !glances && told.admitted.is_empty() && told.ended.is_empty() && told.slices.is_empty() {
        return Outcome::Nothing;
    }
    let operations = &slices.operations;
    let identity = operations.runner().identity(&of.account).unwrap_or_default();
    match operations.tell(&of.account, &identity, &told).await {
        Ok((Answer::Done(heard), _)) => {
            hear(of, slices, asked, &told, ended, heard);
            Outcome::Told
        }
        Ok((Answer::OutOfRange | Answer::NoAccount | Answer::Failover, _)) => {
            of.table().unheard(Instant::now(), &told.slices);
            later(ended, "the account is not there");
            Outcome::Failed
        }
        Err(error @ CallError::Script(_)) => {
            tracing::error!(account = %of.account, %error, "what was told at once is told one by one");
            one_by_one(of, slices, &told, ended).await;
            Outcome::Told
        }
        Err(error) => {
            of.table().unheard(Instant::now(), &told.slices);
            later(ended, &error.to_string());
            Outcome::Failed
        }
    }
}

fn take_endings(of: &OfAccount) -> Vec<Waiting> {
    let mut endings = of.endings();
    let mut taken = Vec::new();
    while taken.len() < MOST_TOLD
        && let Some(waiting) = endings.pop_front()
    {
        // Whoever gave up tries again.
        if !waiting.reply.is_closed() {
            taken.push(waiting);
        }
    }
    taken
}

/// The store's answer.
fn hear(of: &OfAccount, slices: &Slices, asked: Instant, told: &Told, ended: Vec<Waiting>, heard: Heard) {
    {
        let now = Instant::now();
        let mut table = of.table();
        table.told(told.admitted.len());
        for ((slice, care), cared) in told.slices.iter().zip(&heard.slices) {
            let recalled = table.cared(now, asked, *slice, care, cared);
            let count = if recalled { &slices.counts.recalled } else { &slices.counts.given_back };
            let counts = recalled || matches!(care, Care::GiveBack(_));
            count.fetch_add(u64::from(counts), Ordering::Relaxed);
        }
        table.called_back(now, &heard.recalls);
    }
    let given_back = told.slices.iter().filter(|(_, care)| matches!(care, Care::GiveBack(_))).map(|(slice, _)| *slice);
    of.notes.let_go(told.admitted.iter().map(|hold| hold.hold).chain(given_back));
    if !told.admitted.is_empty() {
        of.told.send_modify(|count| *count += 1);
    }
    for (waiting, settled) in ended.into_iter().zip(heard.ended) {
        let answer = settled.map_err(|_| DeliverError::Never("a figure would leave the range that can be counted".to_owned()));
        // Whoever gave up waiting tries again, to no effect.
        let _ = waiting.reply.send(answer);
    }
}

fn later(ended: Vec<Waiting>, why: &str) {
    for waiting in ended {
        let _ = waiting.reply.send(Err(DeliverError::Later(why.to_owned())));
    }
}

/// One request that makes a script fail must not take the others with it.
async fn one_by_one(of: &OfAccount, slices: &Slices, told: &Told, ended: Vec<Waiting>) {
    for hold in &told.admitted {
        if let Err(error) = restore(&slices.operations, hold).await {
            tracing::error!(hold = %hold.hold, %error, "an admission could not be told: it is charged with its slice");
            of.table().abandon(hold);
            of.let_go_with_slice(hold);
        }
    }
    of.notes.let_go(told.admitted.iter().map(|hold| hold.hold));
    {
        let mut table = of.table();
        table.told(told.admitted.len());
        table.call_back(Instant::now(), None);
    }
    of.told.send_modify(|count| *count += 1);
    for waiting in ended {
        let outcome = Endings::alone(&slices.operations, &waiting.record).await;
        let _ = waiting.reply.send(outcome);
    }
}
