//! What a storm came to: every request against the provider's ledger, every budget against the journal.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::time::Duration;

use serde_json::json;

use super::traffic::{Fate, Seen};
use super::{Shared, Tally, figures, truth};
use crate::support::asks::limited;
use crate::support::journal::{Charged, Journal};
use crate::support::money::CENT;
use crate::support::stand_in::Row;
use crate::support::{Fleet, Request, StandIn};

/// How long after the last byte a gateway may take until the charge is durable; it matters only where the client did not wait for that byte.
const GRACE: Duration = Duration::from_secs(2);
/// How many faults of a kind are shown.
const SHOWN: usize = 12;

/// The sums, and whatever is wrong.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) took: Duration,
    pub(crate) settled: Duration,
    pub(crate) gateway_kills: usize,
    pub(crate) store_events: usize,
    requests: usize,
    ended: usize,
    cut: usize,
    hung_up: usize,
    /// Requests whose charge is known to the nano-dollar.
    exact: usize,
    unreachable: usize,
    refused: BTreeMap<String, usize>,
    charged: i64,
    served: i64,
    overspent: i64,
    lost: usize,
    double: usize,
    /// What gateways that died had set aside in slices, and nobody knows to have been used.
    set_aside: i64,
    /// Requests that the gateways alive at the end admitted from slices.
    pub(crate) from_slices: usize,
    pub(crate) faults: Vec<String>,
}

/// What the requests of one token whose hold nobody knows may have been charged.
#[derive(Default)]
struct Unknown {
    count: usize,
    least: i64,
    most: i64,
}

/// What slices were charged in the end, a token.
fn slices(holds: &BTreeMap<String, Charged>) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::<String, i64>::new();
    for charge in holds.values().filter(|charge| charge.slice && charge.cost != 0) {
        *sums.entry(charge.token.clone()).or_default() += charge.cost;
    }
    sums
}

// === impl Verdict ===

impl Verdict {
    /// Holds what the clients saw against what the provider billed and the ledger charged.
    pub(super) fn of(shared: &Shared, tallies: Vec<Tally>, provider: &StandIn, journal: &Journal) -> Self {
        let mut verdict = Self::default();
        let rows = provider.by_marker();
        let holds = journal.by_hold();
        let mut claimed = HashSet::new();
        let mut slices = slices(&holds);
        let mut unknown = BTreeMap::<String, Unknown>::new();
        for tally in tallies {
            verdict.unreachable += tally.unreachable;
            verdict.faults.extend(tally.untrue);
            for (code, count) in tally.refused {
                *verdict.refused.entry(code).or_default() += count;
            }
            for unavailable in &tally.unavailable {
                // Where its gateway died, nobody was left to give the hold back.
                if shared.lives.killed_at(unavailable.life).is_none() && holds.get(&unavailable.hold).is_some_and(|charge| charge.cost != 0) {
                    verdict.faults.push(format!("a refused request was charged: {}", unavailable.hold));
                }
                claimed.insert(unavailable.hold.clone());
            }
            for seen in &tally.seen {
                verdict.judge(seen, shared, &rows, &holds, &mut claimed, &mut unknown, &mut slices);
            }
        }
        verdict.unclaimed(&holds, &claimed, &unknown, &slices);
        verdict.set_aside = slices.values().sum();
        if verdict.set_aside > 0 && shared.lives.kills() == 0 {
            verdict.faults.push(format!("slices were charged though no gateway died: {slices:?}"));
        }
        verdict.replay(shared, journal);
        verdict
    }

    /// One request.
    #[allow(clippy::too_many_arguments)]
    fn judge(
        &mut self,
        seen: &Seen,
        shared: &Shared,
        rows: &HashMap<String, Row>,
        holds: &BTreeMap<String, Charged>,
        claimed: &mut HashSet<String>,
        unknown: &mut BTreeMap<String, Unknown>,
        slices: &mut BTreeMap<String, i64>,
    ) {
        self.requests += 1;
        match seen.fate {
            Fate::Ended => self.ended += 1,
            Fate::Cut => self.cut += 1,
            Fate::HungUp => self.hung_up += 1,
        }
        let row = rows.get(&seen.marker);
        let served = row.map_or(0, |row| row.consumed.cost);
        self.served += served;
        let killed = shared.lives.killed_at(seen.life);
        let excused = seen.cut_by_provider || killed.is_some_and(|at| seen.over + Duration::from_millis(100) >= at);
        if seen.fate == Fate::Cut && !excused {
            self.faults.push(format!("broken off though its gateway lived: {seen:?}"));
        }
        // Known to the nano-dollar where the provider ended its answer and the gateway lived long enough after it to write that down.
        let told = row.is_some_and(|row| row.finished && row.finished_at.is_some_and(|at| killed.is_none_or(|killed| killed > at + GRACE)));
        let exact = seen.fate == Fate::Ended || told;
        self.exact += usize::from(exact);
        let (least, most) = match (exact, row) {
            (true, _) => (served, served),
            // It never reached the provider, and nobody died: the hold was given back.
            (false, None) if killed.is_none() => (0, 0),
            (false, _) => (served, seen.most.max(served)),
        };
        match &seen.hold {
            None => {
                let sums = unknown.entry(shared.tokens[seen.token].name.clone()).or_default();
                sums.count += 1;
                sums.least += least;
                sums.most += most;
            }
            Some(hold) => {
                claimed.insert(hold.clone());
                let charge = holds.get(hold);
                let name = &shared.tokens[seen.token].name;
                let cost = match (charge, slices.get_mut(name)) {
                    // Its gateway died before it could tell of it: it was charged with its slice.
                    (None, Some(slice)) if excused && killed.is_some() && least > 0 && *slice >= least => {
                        *slice -= least;
                        return;
                    }
                    _ => charge.map_or(0, |charge| charge.cost),
                };
                if charge.is_none() && least > 0 {
                    self.lost += 1;
                }
                if !(least..=most).contains(&cost) {
                    self.faults.push(format!("charged {cost}, not {least}..={most}: {seen:?} {charge:?} {:?}", row.map(|row| (row.consumed, row.finished))));
                }
                if charge.is_some_and(|charge| charge.token != shared.tokens[seen.token].name) {
                    self.faults.push(format!("charged to another token: {seen:?} {charge:?}"));
                }
            }
        }
    }

    /// Charges for holds whose id no client saw: as many as there were such requests, and as much as they may have cost.
    fn unclaimed(&mut self, holds: &BTreeMap<String, Charged>, claimed: &HashSet<String>, unknown: &BTreeMap<String, Unknown>, slices: &BTreeMap<String, i64>) {
        let mut charged = BTreeMap::<String, (usize, i64)>::new();
        for (hold, charge) in holds {
            self.charged += charge.cost;
            if charge.charges != 1 || (charge.corrections > 1 && !charge.slice) {
                self.double += 1;
                self.faults.push(format!("hold {hold} ended more than once: {charge:?}"));
            }
            if !claimed.contains(hold) && !charge.slice {
                let sums = charged.entry(charge.token.clone()).or_default();
                sums.0 += 1;
                sums.1 += charge.cost;
            }
        }
        for name in charged.keys().chain(unknown.keys()).collect::<HashSet<_>>() {
            let (count, cost) = charged.get(name).copied().unwrap_or_default();
            let nobody = Unknown::default();
            let may = unknown.get(name).unwrap_or(&nobody);
            // Some may have been charged with the slices of gateways that died.
            let least = may.least - slices.get(name).copied().unwrap_or(0);
            if cost < least {
                self.lost += 1;
            }
            if count > may.count || !(least..=may.most).contains(&cost) {
                self.faults
                    .push(format!("{name}: {count} charges of {cost} whose ids nobody saw, for {} requests that cost {}..={}", may.count, may.least, may.most));
            }
        }
    }

    /// Goes through the journal from its begin: no enforced budget is ever below zero, and each is set only to what somebody set it to.
    fn replay(&mut self, shared: &Shared, journal: &Journal) {
        let tokens: HashMap<&str, &super::Token> = shared.tokens.iter().map(|token| (token.name.as_str(), token)).collect();
        let mut balances = HashMap::<&str, i64>::new();
        let mut below = HashMap::<&str, i64>::new();
        let mut account = 0;
        let mut account_below = 0;
        for entry in &journal.0 {
            account += entry.account_delta;
            account_below = account_below.min(account);
            let Some(token) = tokens.get(entry.token.as_str()) else { continue };
            let balance = balances.entry(&token.name).or_default();
            *balance += entry.token_delta;
            if token.enforced {
                let lowest = below.entry(&token.name).or_default();
                *lowest = (*lowest).min(*balance);
            }
            if entry.kind == "adjust" && !token.sets.lock().unwrap().contains(balance) {
                self.faults.push(format!("{} was set to {balance}, which nobody asked for", token.name));
            }
        }
        for (name, lowest) in below.into_iter().filter(|(_, lowest)| *lowest < 0) {
            self.overspent -= lowest;
            self.faults.push(format!("{name} was overspent by {}", -lowest));
        }
        if shared.credits.is_some() && account_below < 0 {
            self.overspent -= account_below;
            self.faults.push(format!("the account was overspent by {}", -account_below));
        }
    }

    /// With nothing under way there is no excuse: what is left of a budget can be spent, on every gateway, and the figures are the same on all.
    pub(super) async fn probe(&mut self, shared: &Shared, fleet: &Fleet) {
        for (number, token) in shared.tokens.iter().enumerate() {
            let gateway = &fleet.gateways[number % fleet.gateways.len()];
            let money = gateway.tokens().money(&token.name).await;
            let balance = money.balance.unwrap_or(0);
            if money.held != 0 {
                self.faults.push(format!("{}: {} is still held", token.name, money.held));
            }
            let chat = Request::post(crate::support::asks::CHAT, &limited("the rest @{tokens=1}", 100));
            let bytes = i64::try_from(chat.body_bytes()).unwrap();
            // A cent's call; and a chat of at least sixteen tokens, each byte of it a token.
            for (request, surely) in [(Request::post("/ocr", &json!({"document": "rest"})), CENT), (chat, 2 * ((bytes + 100) * 150 + 16 * 600))] {
                let before = gateway.tokens().money(&token.name).await.balance.unwrap_or(0);
                let answer = gateway.client().ask(request.bearer(&token.secret())).await;
                let free = !token.enforced || before >= surely;
                match answer.status.as_u16() {
                    200 if !token.enforced || before > 0 => {}
                    402 if !free => {
                        let told = figures(&answer).map(|(balance, held, _)| (balance, held));
                        if truth(&answer, false).is_err() || told != Ok((before, 0)) {
                            self.faults.push(format!("{}: {before} is left, and it is told {}", token.name, answer.text()));
                        }
                    }
                    _ => self.faults.push(format!("{}: {balance} is left, and a request is answered {} {}", token.name, answer.status, answer.text())),
                }
                if gateway.tokens().settled(&token.name).await.balance.unwrap_or(0) < 0 && token.enforced {
                    self.faults.push(format!("{}: below zero after the last request", token.name));
                }
            }
        }
    }

    /// The table.
    fn table(&self, title: &str) -> String {
        let mut text = format!("\n== {title}\n");
        let seconds = self.took.as_secs_f64();
        let lines = [
            ("requests", format!("{} ({:.0}/s over {seconds:.0} s)", self.requests, self.requests as f64 / seconds)),
            ("ended", self.ended.to_string()),
            ("cut", self.cut.to_string()),
            ("hung up", self.hung_up.to_string()),
            ("known exactly", self.exact.to_string()),
            ("refused", self.refused.iter().map(|(code, count)| format!("{code}: {count}")).collect::<Vec<_>>().join(", ")),
            ("unreachable", self.unreachable.to_string()),
            ("gateway kills", self.gateway_kills.to_string()),
            ("store kills", self.store_events.to_string()),
            ("settled after", format!("{:.1} s", self.settled.as_secs_f64())),
            ("served, nanos", self.served.to_string()),
            ("charged, nanos", self.charged.to_string()),
            ("overspend, nanos", self.overspent.to_string()),
            ("lost charges", self.lost.to_string()),
            ("double charges", self.double.to_string()),
            ("slices of the dead", self.set_aside.to_string()),
            ("from slices", self.from_slices.to_string()),
            ("faults", self.faults.len().to_string()),
        ];
        for (name, value) in lines {
            writeln!(text, "   {name:<18} {value}").unwrap();
        }
        text
    }

    /// Prints the table; panics where anything is wrong.
    #[track_caller]
    pub(crate) fn accept(&self, title: &str) {
        eprintln!("{}", self.table(title));
        let shown: Vec<&str> = self.faults.iter().take(SHOWN).map(String::as_str).collect();
        assert!(self.faults.is_empty(), "{} faults, the first of them:\n{}", self.faults.len(), shown.join("\n"));
        assert_eq!((self.overspent, self.lost, self.double), (0, 0, 0));
        assert!(self.ended > 0 && self.hung_up > 0, "this was no storm");
    }
}
