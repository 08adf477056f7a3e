//! Images: generations, edits and variations. Some models are billed by the token (gpt-image-*), some by the piece (dall-e-*): a request is
//! bounded in both ways, and the model's prices say which counts.
//!
//! `ask` reads requests, `tokens` bounds them, `usage` maps what answers report, `meter` reads answers, `simulate` makes them up.

use super::azure;
use super::fields::Added;
use super::meter_whole::WholeMeter;
use crate::apis::{Ask, AskError, Billing, Meter, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

use self::meter::{StreamMeter, WholeImages};

mod ask;
mod meter;
mod picture;
mod simulate;
mod tokens;
mod usage;

/// An operation that makes images.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Imaging {
    name: &'static str,
    kind: Kind,
    added: Option<Added>,
}

/// What images are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A prompt, as JSON.
    Generation,
    /// Images and a prompt, as a form.
    Edit,
    /// One image, as a form.
    Variation,
}

pub(in crate::apis) const GENERATIONS: Imaging = Imaging { name: "images.generations", kind: Kind::Generation, added: None };
pub(in crate::apis) const EDITS: Imaging = Imaging { name: "images.edits", kind: Kind::Edit, added: None };
pub(super) const VARIATIONS: Imaging = Imaging { name: "images.variations", kind: Kind::Variation, added: None };

// === impl Imaging ===

impl Imaging {
    /// The same where an API adds parameters to it.
    pub(in crate::apis) const fn with(self, added: Added) -> Self {
        Self { added: Some(added), ..self }
    }
}

impl Operation for Imaging {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        "image__generation"
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
        if streamed { Box::new(StreamMeter::images(ask)) } else { Box::new(WholeImages::new(ask)) }
    }

    fn error_meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(WholeMeter::new(false, 0))
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::answer(self.kind, self.added, request, faults)
    }
}
