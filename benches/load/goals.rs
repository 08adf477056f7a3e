//! The goals: what the gateway may cost beside a plain proxy, met or not.

use comfy_table::Table;
use serde_json::{Value, json};

use crate::measure::row;
use crate::plan::{BODIES, Plan};
use crate::report::{Figures, align, markdown};
use crate::subject::Kind;

/// Of the start on a million tokens.
pub(crate) const MILLION_READY: &str = "start to ready with 1,000,000 tokens, ms";

/// A goal, held against what was measured.
struct Judged {
    what: String,
    ours: f64,
    /// What it is compared with; none: the goal is a figure of its own.
    theirs: Option<(Kind, f64)>,
    value: f64,
    at_most: f64,
}

/// Every goal that something was measured for.
pub(crate) struct Goals(Vec<Judged>);

// === impl Goals ===

impl Goals {
    pub(crate) fn judge(figures: &Figures, plan: &Plan) -> Self {
        let mut judging = Judging { figures, goals: Vec::new() };
        for body in BODIES {
            for name in [row::cpu_saturated(body), row::cpu_fixed(body, plan.rate)] {
                judging.ratio(Kind::Embedded, Kind::Nginx, &name, 1.25);
                judging.ratio(Kind::Redis, Kind::BareEvalsha, &name, 1.0);
            }
        }
        for ours in [Kind::Embedded, Kind::Redis] {
            for name in [row::chunk_saturated(), row::chunk_fixed(plan.stream_rate), row::chunk_paced(plan.streams)] {
                judging.ratio(ours, Kind::Nginx, &name, 1.5);
            }
            for load in [format!("bursts, {}/s", plan.stream_rate), "paced".to_owned()] {
                judging.ratio(ours, Kind::Nginx, &row::first_byte(&load, "p50"), 1.0);
            }
        }
        for ours in [Kind::Embedded, Kind::Redis] {
            judging.figure(ours, row::PEAK_MEMORY, 40.0);
            judging.figure(ours, row::READY, 200.0);
        }
        judging.figure(Kind::Embedded, MILLION_READY, 2000.0);
        Self(judging.goals)
    }

    pub(crate) fn table(&self) -> Table {
        let mut table = markdown(["goal", "ours", "theirs", "ratio", "at most", ""]);
        for goal in &self.0 {
            let theirs = goal.theirs.map_or_else(String::new, |(kind, theirs)| format!("{theirs:.2} ({})", kind.title()));
            let (ratio, met) = (goal.theirs.map_or_else(String::new, |_| format!("{:.2}", goal.value)), if goal.met() { "met" } else { "NOT MET" });
            table.add_row([goal.what.clone(), format!("{:.2}", goal.ours), theirs, ratio, goal.at_most.to_string(), met.to_owned()]);
        }
        align(&mut table);
        table
    }

    pub(crate) fn json(&self) -> Value {
        let goal = |goal: &Judged| json!({"goal": goal.what, "value": goal.value, "at_most": goal.at_most, "met": goal.met()});
        self.0.iter().map(goal).collect()
    }
}

// === impl Judged ===

impl Judged {
    fn met(&self) -> bool {
        self.value <= self.at_most
    }
}

struct Judging<'a> {
    figures: &'a Figures,
    goals: Vec<Judged>,
}

impl Judging<'_> {
    fn median(&self, kind: Kind, name: &str) -> Option<f64> {
        Some(self.figures.spread(kind.title(), name)?.median)
    }

    fn ratio(&mut self, ours: Kind, theirs: Kind, name: &str, at_most: f64) {
        let Some((value, other)) = self.median(ours, name).zip(self.median(theirs, name)) else { return };
        // Too short a run for the kernel's clock.
        if other > 0.0 {
            let what = format!("{}: {name}", ours.title());
            self.goals.push(Judged { what, ours: value, theirs: Some((theirs, other)), value: value / other, at_most });
        }
    }

    fn figure(&mut self, ours: Kind, name: &str, at_most: f64) {
        if let Some(value) = self.median(ours, name) {
            self.goals.push(Judged { what: format!("{}: {name}", ours.title()), ours: value, theirs: None, value, at_most });
        }
    }
}
