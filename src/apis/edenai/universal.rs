//! Universal AI: everything that is no language model, as one operation. The model names the feature (`ocr/ocr/google`); the answer is one JSON object whose
//! `cost` is a string of dollars. What it costs cannot be told from the request, so a route gives it a hold.

use super::simulate;
use crate::apis::json::{Kind, Scanner};
use crate::apis::pass_meter::PassMeter;
use crate::apis::read::{self, short};
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, Billing, Meter, Operation, RequestView, UnseenOutput};
use crate::prices::Bound;
use crate::sandbox::{Faults, Problem, Simulated};

/// `POST universal-ai`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Universal;

pub(super) const UNIVERSAL: Universal = Universal;

/// Where an answer tells its cost.
const COST: &str = "/cost";

impl Operation for Universal {
    fn name(&self) -> &'static str {
        "universal_ai"
    }

    fn feature(&self) -> &'static str {
        "universal__ai"
    }

    fn feature_of(&self, ask: &Ask) -> Option<String> {
        feature_of(&ask.model)
    }

    fn billing(&self) -> Billing {
        Billing::PerRequest
    }

    fn reports_cost(&self) -> bool {
        true
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        read(request.body)
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, Some(COST.to_owned())))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::universal(request.body)
    }
}

/// `ocr/ocr/google` is `ocr__ocr` in reports.
pub(super) fn feature_of(model: &str) -> Option<String> {
    let mut steps = model.split('/');
    Some(format!("{}__{}", steps.next()?, steps.next()?))
}

/// Reads a body: the model, and that nothing in it has another model answer.
pub(super) fn read(body: &[u8]) -> Result<Ask, AskError> {
    let mut model = None;
    let mut has_input = false;
    let mut scanner = read::object(body)?;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let null = scanner.kind()? == Kind::Null;
        match key.as_deref().unwrap_or_default() {
            "model" => model = Some(model_of(scanner)?),
            "input" => {
                has_input = !null;
                scanner.skip()?;
            }
            "provider_params" | "show_original_response" | "webhook_receiver" | "user_webhook_parameters" | "tags" => scanner.skip()?,
            "fallbacks" if !null => {
                return Err(AskError::unsupported("fallbacks", "'fallbacks' cannot be priced: another provider may answer, at another price"));
            }
            other if !null || is_case_variant(other) => {
                let other = short(other);
                return Err(AskError::unsupported(
                    other.clone(),
                    format!("'{other}' is not known to this gateway, so what it costs cannot be bounded; leave it out"),
                ));
            }
            _ => scanner.skip()?,
        }
        Ok::<(), AskError>(())
    })?;
    scanner.finish()?;
    let model = model.ok_or_else(|| AskError::invalid("model", "'model' is missing"))?;
    if !has_input {
        return Err(AskError::invalid("input", "'input' is missing"));
    }
    Ok(Ask {
        model,
        bound: Bound { choices: 1, ..Bound::default() },
        stream: false,
        service_tier: None,
        unseen: UnseenOutput::Any,
        asked_usage: false,
        edits: Edits::default(),
    })
}

/// `feature/subfeature/provider[/model]`.
fn model_of(scanner: &mut Scanner<'_>) -> Result<String, AskError> {
    let model = read::model(scanner)?;
    let plain = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let mut steps = model.split('/');
    let named = [steps.next(), steps.next()].iter().all(|step| step.is_some_and(plain)) && steps.next().is_some_and(|provider| !provider.is_empty());
    if named { Ok(model) } else { Err(AskError::invalid("model", "'model' must be 'feature/subfeature/provider' or 'feature/subfeature/provider/model'")) }
}

fn is_case_variant(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower != key && matches!(lower.as_str(), "model" | "input" | "fallbacks" | "provider_params" | "show_original_response")
}
