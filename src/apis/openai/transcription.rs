//! Transcriptions and translations: a recording is written down. `whisper-1` and `gpt-transcribe` are billed by the second of audio,
//! `gpt-4o-transcribe` by the token: a request is bounded in both ways, and the model's prices say which counts.
//!
//! `ask` reads requests and how long the recording is, `usage` maps what answers report, `meter` reads answers, `simulate` makes them up.

use super::azure;
use super::fields::Added;
use super::meter_whole::WholeMeter;
use crate::apis::{Ask, AskError, Billing, Meter, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

use self::meter::{StreamMeter, WholeTranscript};

mod ask;
mod meter;
mod simulate;
mod usage;

/// An operation that writes down what was said.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Transcription {
    name: &'static str,
    kind: Kind,
    added: Option<Added>,
}

/// In which language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// That of the recording.
    Transcription,
    /// English.
    Translation,
}

pub(in crate::apis) const TRANSCRIPTIONS: Transcription = Transcription { name: "audio.transcriptions", kind: Kind::Transcription, added: None };
pub(super) const TRANSLATIONS: Transcription = Transcription { name: "audio.translations", kind: Kind::Translation, added: None };

// === impl Transcription ===

impl Transcription {
    /// The same where an API adds parameters to it.
    pub(in crate::apis) const fn with(self, added: Added) -> Self {
        Self { added: Some(added), ..self }
    }
}

impl Operation for Transcription {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        "audio__speech_to_text"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read(self.kind, self.added, request, azure::deployment(request.path)).map(ask::Wish::into_ask)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        ask::read(self.kind, self.added, request, Some(model)).map(ask::Wish::into_ask)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed { Box::new(StreamMeter::transcript(ask)) } else { Box::new(WholeTranscript::new(ask)) }
    }

    fn error_meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(WholeMeter::new(false, 0))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::answer(self.kind, self.added, request, faults)
    }
}
