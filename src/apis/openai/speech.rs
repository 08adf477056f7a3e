//! Speech: a text is read aloud. `tts-1` is billed by the character, `gpt-4o-mini-tts` by the token, where the usage comes only with
//! `stream_format: sse`; without it the audio that passed is counted.
//!
//! `ask` reads requests, `sound` counts what was heard, `meter` reads answers, `simulate` makes them up.

use super::azure;
use super::fields::Added;
use super::meter_whole::WholeMeter;
use crate::apis::{Ask, AskError, Billing, Meter, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

use self::meter::{SoundMeter, StreamMeter};

mod ask;
mod meter;
mod simulate;
mod sound;
mod voices;

/// `POST audio/speech`.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Speech {
    /// Parameters that an API adds to it.
    pub(in crate::apis) added: Option<Added>,
}

impl Operation for Speech {
    fn name(&self) -> &'static str {
        "audio.speech"
    }

    fn feature(&self) -> &'static str {
        "audio__text_to_speech"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read(request.body, self.added, azure::deployment(request.path)).map(ask::Wish::into_ask)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        ask::read(request.body, self.added, Some(model)).map(ask::Wish::into_ask)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed { Box::new(StreamMeter::speech(ask)) } else { Box::new(SoundMeter::new(ask)) }
    }

    fn error_meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(WholeMeter::new(false, 0))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::answer(request.body, self.added, azure::model_of(request, faults), faults)
    }
}
