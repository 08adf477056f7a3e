//! Operations of OpenAI's that Eden AI serves in the same shapes, with the cost beside the answer: OpenAI's own read and meter them; here stands what is
//! added to their bound, and where else the cost is told.

use http::Method;

use super::fields::added;
use super::{ask, simulate};
use crate::apis::openai::imaging::{self, Imaging};
use crate::apis::openai::transcription::{self, Transcription};
use crate::apis::openai::{Speech, responses};
use crate::apis::{Ask, AskError, Billing, KeptId, Meter, NoOperation, Operation, RequestView, Seal};
use crate::sandbox::{Faults, Problem, Simulated};

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Resold {
    operation: &'static dyn Operation,
    kind: Kind,
}

/// What is done beside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Response,
    /// What the seller keeps: it costs nothing.
    Stored,
    Images,
    /// An answer that is sound has no place for its cost.
    Speech,
    /// Nor has one that is plain text.
    Transcription,
}

/// The header that tells what an answer costs.
pub(super) const COST_HEADER: &str = "x-edenai-cost";

const SELLERS_IMAGES: Imaging = imaging::GENERATIONS.with(added);
const SELLERS_EDITS: Imaging = imaging::EDITS.with(added);
const SELLERS_TRANSCRIPTIONS: Transcription = transcription::TRANSCRIPTIONS.with(added);

pub(super) const RESPONSES: Resold = Resold { operation: &responses::Create { added: Some(added) }, kind: Kind::Response };
const RETRIEVE: Resold = Resold { operation: &responses::RETRIEVE, kind: Kind::Stored };
const DELETE: Resold = Resold { operation: &responses::DELETE, kind: Kind::Stored };
pub(super) const IMAGES: Resold = Resold { operation: &SELLERS_IMAGES, kind: Kind::Images };
pub(super) const EDITS: Resold = Resold { operation: &SELLERS_EDITS, kind: Kind::Images };
pub(super) const SPEECH: Resold = Resold { operation: &Speech { added: Some(added) }, kind: Kind::Speech };
pub(super) const TRANSCRIPTIONS: Resold = Resold { operation: &SELLERS_TRANSCRIPTIONS, kind: Kind::Transcription };

/// What is done with a response that the seller keeps, where OpenAI's own has such an operation.
pub(super) fn stored(method: &Method, path: &str) -> Option<Result<&'static dyn Operation, NoOperation>> {
    let own: &'static dyn Operation = if *method == Method::DELETE { &DELETE } else { &RETRIEVE };
    responses::operation(method, without_llm(path)).map(|found| found.map(|_| own))
}

/// The path as OpenAI has it: the older ones have `llm/` before it.
pub(super) fn without_llm(path: &str) -> &str {
    path.strip_prefix("llm/").unwrap_or(path)
}

/// The request as OpenAI would get it.
fn at_openai<'a>(request: &RequestView<'a>) -> RequestView<'a> {
    RequestView { path: without_llm(request.path), ..*request }
}

// === impl Resold ===

impl Resold {
    fn bounded(&self, ask: Ask, request: &RequestView<'_>) -> Result<Ask, AskError> {
        match self.kind {
            Kind::Response => ask::response(ask, request.body),
            Kind::Transcription => Ok(ask::transcription(ask)),
            Kind::Stored | Kind::Images | Kind::Speech => Ok(ask),
        }
    }
}

impl Operation for Resold {
    fn name(&self) -> &'static str {
        self.operation.name()
    }

    fn feature(&self) -> &'static str {
        self.operation.feature()
    }

    fn billing(&self) -> Billing {
        self.operation.billing()
    }

    fn reports_cost(&self) -> bool {
        self.kind != Kind::Stored
    }

    fn cost_header(&self) -> Option<&'static str> {
        matches!(self.kind, Kind::Speech | Kind::Transcription).then_some(COST_HEADER)
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        self.bounded(self.operation.ask(&at_openai(request))?, request)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        self.bounded(self.operation.ask_as(&at_openai(request), model)?, request)
    }

    fn kept_ids(&self, request: &RequestView<'_>) -> Vec<KeptId> {
        self.operation.kept_ids(&at_openai(request))
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        self.operation.meter(ask, streamed)
    }

    fn seals(&self) -> bool {
        self.operation.seals()
    }

    fn meter_sealed(&self, ask: &Ask, streamed: bool, seal: &Seal) -> Box<dyn Meter> {
        self.operation.meter_sealed(ask, streamed, seal)
    }

    fn error_meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        self.operation.error_meter(ask, streamed)
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let simulated = self.operation.simulate(&at_openai(request), faults, models)?;
        let model = || match &faults.model {
            Some(model) => model.clone(),
            None => self.operation.ask(&at_openai(request)).map(|ask| ask.model).unwrap_or_default(),
        };
        Ok(match self.kind {
            _ if faults.no_usage => simulated,
            Kind::Stored => simulated,
            Kind::Response => simulate::responded(simulated, &model()),
            Kind::Images | Kind::Transcription => simulate::told(simulated, &model()),
            Kind::Speech => simulate::told_in_header(simulated, &model()),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
