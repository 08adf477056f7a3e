//! What is measured, how long and how often: the settings of the environment.

use std::time::Duration;

use crate::report::{list, setting};
use crate::subject::Kind;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Chats with a body of so many bytes, answered whole.
    Whole { title: &'static str, bytes: usize },
    /// Chats answered as a stream, all of it at once.
    Burst,
    /// Chats answered as a stream, an event at a time.
    Paced,
}

/// The words for loads in settings.
const SHAPES: [(&str, Shape); 5] = [
    ("500B", Shape::Whole { title: BODIES[0], bytes: 500 }),
    ("8kB", Shape::Whole { title: BODIES[1], bytes: 8_000 }),
    ("64kB", Shape::Whole { title: BODIES[2], bytes: 64_000 }),
    ("burst", Shape::Burst),
    ("paced", Shape::Paced),
];
/// What is measured besides loads: the start on a million tokens.
const MILLION: &str = "million";

/// The bodies, as the table has them.
pub(crate) const BODIES: [&str; 3] = ["500 B", "8 kB", "64 kB"];

/// What to measure.
pub(crate) struct Plan {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) shapes: Vec<Shape>,
    /// Whether a start on a million tokens is measured too.
    pub(crate) million: bool,
    pub(crate) runs: usize,
    pub(crate) warm_up: Duration,
    /// Of each load that saturates.
    pub(crate) saturated: Duration,
    /// Of each load at a fixed rate, and of paced streams.
    pub(crate) fixed: Duration,
    /// Connections of the loads that saturate.
    pub(crate) connections: usize,
    /// Requests a second.
    pub(crate) rate: u64,
    /// Streams a second, answered in bursts.
    pub(crate) stream_rate: u64,
    /// Paced streams at a time.
    pub(crate) streams: usize,
    /// Tokens in the gateways' ledgers.
    pub(crate) tokens: u64,
    /// Instead of all that: how long to watch the gateway's memory under a steady load.
    pub(crate) soak: Option<Duration>,
}

// === impl Plan ===

impl Plan {
    /// Reads it. `quick`: less of everything.
    pub(crate) fn read(quick: bool) -> anyhow::Result<Self> {
        let of = |full: f64, short: f64| if quick { short } else { full };
        let seconds = |name: &str, default: f64| anyhow::Ok(Duration::from_secs_f64(setting(name, default)?.max(0.0)));
        let kinds = list("SPENDGATE_LOAD_SUBJECTS", &Kind::ALL.map(Kind::word))?;
        let words: Vec<&str> = SHAPES.iter().map(|(word, _)| *word).chain([MILLION]).collect();
        let loads = list("SPENDGATE_LOAD_LOADS", &words)?;
        let wanted = |word: &str| loads.as_ref().is_none_or(|loads| loads.iter().any(|load| load == word));
        let soak = setting("SPENDGATE_LOAD_SOAK", 0_u64)?;
        Ok(Self {
            // The way without a proxy is always there: latencies are told as what a proxy adds to it.
            kinds: Kind::ALL
                .into_iter()
                .filter(|kind| *kind == Kind::Direct || kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|word| word == kind.word())))
                .collect(),
            shapes: SHAPES.into_iter().filter(|(word, _)| wanted(word)).map(|(_, shape)| shape).collect(),
            million: if loads.is_some() { wanted(MILLION) } else { !quick },
            runs: setting("SPENDGATE_LOAD_RUNS", if quick { 1 } else { 3 })?.max(1),
            warm_up: seconds("SPENDGATE_LOAD_WARM_UP_SECONDS", of(0.5, 0.1))?,
            saturated: seconds("SPENDGATE_LOAD_SECONDS", of(3.0, 0.5))?,
            fixed: seconds("SPENDGATE_LOAD_FIXED_SECONDS", of(5.0, 0.7))?,
            connections: setting("SPENDGATE_LOAD_CONNECTIONS", 64)?,
            rate: setting("SPENDGATE_LOAD_RATE", 1000)?,
            stream_rate: setting("SPENDGATE_LOAD_STREAM_RATE", 100)?,
            streams: setting("SPENDGATE_LOAD_STREAMS", 64)?,
            tokens: setting("SPENDGATE_LOAD_TOKENS", 10_000_u64)?.max(1),
            soak: (soak > 0).then(|| Duration::from_secs(soak)),
        })
    }
}
