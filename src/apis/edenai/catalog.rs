//! What Eden AI tells of itself, free of charge: its models, and the features of universal AI.

use super::simulate;
use crate::apis::models::Models;
use crate::apis::pass_meter::PassMeter;
use crate::apis::{Ask, AskError, Billing, Meter, ModelList, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

/// `GET info`, `GET info/{feature}`, `GET info/{feature}/{subfeature}`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Info;

/// `GET models`.
pub(super) const MODELS: Models = Models::list(ModelList::OPENAI, |_, models| Ok(simulate::models(models)));
pub(super) const INFO: Info = Info;

/// Steps below `info`, at most: `info/audio/tts/voices`.
const MOST_STEPS: usize = 3;

/// Whether a path asks for what features there are. Its steps are plain names.
pub(super) fn is_info(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("info") else { return false };
    let plain = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    rest.is_empty() || rest.strip_prefix('/').is_some_and(|rest| rest.split('/').count() <= MOST_STEPS && rest.split('/').all(plain))
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
