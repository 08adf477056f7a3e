//! What Eden AI tells of itself, free of charge: its models, and the features of universal AI.

use bytes::Bytes;

use super::simulate;
use crate::apis::pass_meter::PassMeter;
use crate::apis::{Ask, AskError, Billing, Measured, Meter, ModelList, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

/// `GET models`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Models;

/// `GET info`, `GET info/{feature}`, `GET info/{feature}/{subfeature}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info;

pub(super) const MODELS: Models = Models;
pub(super) const INFO: Info = Info;

/// Steps below `info`, at most: `info/audio/tts/voices`.
const MOST_STEPS: usize = 3;
/// A longer list of models is not filtered, and so refused. In 2026 it has 1.5 MB.
const MOST_LISTED: usize = 32 << 20;

/// Whether a path asks for what features there are. Its steps are plain names.
pub(super) fn is_info(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("info") else { return false };
    let plain = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    rest.is_empty() || rest.strip_prefix('/').is_some_and(|rest| rest.split('/').count() <= MOST_STEPS && rest.split('/').all(plain))
}

impl Operation for Models {
    fn name(&self) -> &'static str {
        "models.list"
    }

    fn feature(&self) -> &'static str {
        "text__models"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, _request: &RequestView<'_>) -> Result<Ask, AskError> {
        Ok(Ask::free(String::new()))
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(Whole { held: Vec::new(), seen: 0, ended: false })
    }

    fn simulate(&self, _request: &RequestView<'_>, _faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        Ok(simulate::models(models))
    }

    fn model_list(&self) -> Option<ModelList> {
        Some(ModelList::OPENAI)
    }
}

impl Operation for Info {
    fn name(&self) -> &'static str {
        "info"
    }

    fn feature(&self) -> &'static str {
        "text__models"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, _request: &RequestView<'_>) -> Result<Ask, AskError> {
        Ok(Ask::free(String::new()))
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        Ok(simulate::info(request.path))
    }
}

/// Keeps all of a list until its end: it is filtered as a whole.
struct Whole {
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
}

impl Meter for Whole {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > MOST_LISTED {
            pass.append(&mut self.held);
        }
        if !chunk.is_empty() {
            self.held.push(chunk);
        }
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        Measured { complete: self.ended, ..Measured::default() }
    }
}
