//! Simulated answers of Eden AI's: OpenAI's and Anthropic's with the cost beside them, and what it has of its own.
//!
//! A simulated cost is what a dollar for a million input tokens and two for a million output tokens make of the usage; for universal AI a tenth of a cent.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::resold;
use crate::apis::members::TopMembers;
use crate::apis::openai::named_event;
use crate::money::Usd;
use crate::sandbox::fields::{self, Object};
use crate::sandbox::problem::Problem;
use crate::sandbox::seed::Seed;
use crate::sandbox::{Simulated, text};

/// Nano-dollars for a token.
const INPUT: u64 = 1_000;
const OUTPUT: u64 = 2_000;
/// What a call of universal AI costs, and whatever else tells no tokens.
const CALL: &str = "0.001";
const COST_HEADER: HeaderName = HeaderName::from_static(resold::COST_HEADER);
const PROVIDER_HEADER: HeaderName = HeaderName::from_static("x-edenai-provider");

/// The same answer with its cost, wherever it tells its usage.
pub(super) fn with_cost(mut simulated: Simulated) -> Simulated {
    // On a stream the usage is told in the last event but one.
    let first = simulated.chunks.len().saturating_sub(2);
    for chunk in simulated.chunks.iter_mut().skip(first) {
        if let Some(told) = costed(chunk) {
            *chunk = told;
        }
    }
    simulated
}

/// An object, perhaps in an event, with its cost as its last members. None where it tells no usage.
fn costed(chunk: &Bytes) -> Option<Bytes> {
    let object = chunk.strip_prefix(b"data: ").unwrap_or(chunk);
    let mut members = TopMembers::new(&["usage", "model"]);
    members.feed(object);
    let cost = cost_of(&serde_json::from_slice(members.get("usage")?).ok()?)?;
    let model: String = serde_json::from_slice(members.get("model")?).ok()?;
    let provider = json!(seller(&model));
    let end = chunk.iter().rposition(|byte| *byte == b'}')?;
    let added = format!(r#","provider":{provider},"cost":{cost}"#);
    Some([chunk.get(..end)?, added.as_bytes(), chunk.get(end..)?].concat().into())
}

/// What a usage costs. None where it tells no tokens.
fn cost_of(usage: &Value) -> Option<String> {
    let count = |names: [&str; 2]| names.into_iter().find_map(|name| usage.get(name)?.as_u64());
    let input = count(["prompt_tokens", "input_tokens"])?;
    let nanos = input.saturating_mul(INPUT).saturating_add(count(["completion_tokens", "output_tokens"]).unwrap_or(0).saturating_mul(OUTPUT));
    Some(Usd::saturating_from_nanos(i128::from(nanos)).to_short_string())
}

fn seller(model: &str) -> &str {
    model.split_once('/').map_or("simulated", |(seller, _)| seller)
}

/// A response with its cost: beside its usage and in it; on a stream in it alone, in the last event.
pub(super) fn responded(mut simulated: Simulated, model: &str) -> Simulated {
    let streamed = simulated.is_stream();
    let costed = |chunk: &Bytes| -> Option<Bytes> {
        let start = chunk.iter().position(|byte| *byte == b'{')?;
        let mut told: Value = serde_json::from_slice(chunk.get(start..)?).ok()?;
        let response = if streamed { told.get_mut("response")? } else { &mut told };
        let cost = number(&cost_of(response.get("usage")?)?);
        response["usage"]["cost"] = cost.clone();
        if streamed {
            return Some(named_event(&told));
        }
        put(&mut told, model, cost);
        Some(told.to_string().into())
    };
    if let Some(last) = simulated.chunks.last_mut()
        && let Some(told) = costed(last)
    {
        *last = told;
    }
    simulated
}

/// An answer that is one JSON object, with its cost: that of its usage, else what a call costs. Plain text has no place for it.
pub(super) fn told(simulated: Simulated, model: &str) -> Simulated {
    told_as(simulated, model, |answer| answer.get("usage").and_then(cost_of).unwrap_or_else(|| CALL.to_owned()))
}

/// An answer that costs nothing, and says so.
pub(super) fn told_free(simulated: Simulated, model: &str) -> Simulated {
    told_as(simulated, model, |_| "0".to_owned())
}

fn told_as(mut simulated: Simulated, model: &str, cost: impl Fn(&Value) -> String) -> Simulated {
    let costed = |chunk: &Bytes| -> Option<Bytes> {
        let mut answer: Value = serde_json::from_slice(chunk).ok().filter(Value::is_object)?;
        let cost = number(&cost(&answer));
        put(&mut answer, model, cost);
        Some(answer.to_string().into())
    };
    if let [chunk] = simulated.chunks.as_mut_slice()
        && let Some(told) = costed(chunk)
    {
        *chunk = told;
    }
    simulated
}

/// An answer that is sound tells its cost in a header.
pub(super) fn told_in_header(mut simulated: Simulated, model: &str) -> Simulated {
    let provider = HeaderValue::from_str(seller(model)).ok();
    simulated.headers.push((COST_HEADER, HeaderValue::from_static(CALL)));
    simulated.headers.extend(provider.map(|provider| (PROVIDER_HEADER, provider)));
    simulated
}

fn put(answer: &mut Value, model: &str, cost: Value) {
    answer["cost"] = cost;
    answer["provider"] = json!(seller(model));
}

fn number(cost: &str) -> Value {
    serde_json::from_str(cost).unwrap_or_default()
}

/// Answers `GET models`.
pub(super) fn models(models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let entry = |id: &str| {
        let (seller, name) = id.split_once('/').unwrap_or(("", id));
        let created = Seed::of_bytes("model", id.as_bytes()).created();
        json!({"id": id, "object": "model", "created": created, "owned_by": seller, "model_name": name})
    };
    let data: Vec<Value> = models.map(entry).collect();
    Simulated::json(json!({"object": "list", "data": data}).to_string())
}

/// Answers `GET info` and what stands below it.
pub(super) fn info(path: &str) -> Simulated {
    let mut steps = path.split('/').skip(1);
    Simulated::json(match (steps.next(), steps.next()) {
        (None, _) => json!({"text": ["moderation"], "ocr": ["ocr", "ocr_async"]}).to_string(),
        (Some(feature), None) => json!({"feature": feature, "subfeatures": ["simulated"]}).to_string(),
        (Some(feature), Some(subfeature)) => {
            json!({"feature": feature, "subfeature": subfeature, "input_schema": {}, "output_schema": {}, "models": []}).to_string()
        }
    })
}

/// Answers `POST universal-ai`.
pub(super) fn universal(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let called = Called::read(map)?;
    let mut answer = called.answer("success", CALL);
    answer["output"] = json!({"simulated": true, "text": text::prose(&mut Seed::of_request("universal-ai", &body).dice())});
    Ok(Simulated::json(answer.to_string()))
}

/// Answers `POST universal-ai/async`.
pub(super) fn begun(body: &[u8]) -> Result<Simulated, Problem> {
    let body = fields::object(body)?;
    let map = body.as_object().ok_or_else(|| Problem::not_json("it holds another JSON value"))?;
    let called = Called::read(map)?;
    let seed = Seed::of_request("universal-ai/async", &body);
    let mut answer = called.answer("processing", "0.000");
    answer["public_id"] = json!(seed.id("sim-", 32));
    answer["created_at"] = json!(written(seed.created()));
    Ok(Simulated { status: StatusCode::ACCEPTED, ..Simulated::json(answer.to_string()) })
}

/// Answers `GET universal-ai/async/{id}`: it has ended, whichever it was.
pub(super) fn job(id: &str) -> Simulated {
    let called = Called { feature: "simulated", subfeature: "simulated_async", provider: "simulated", model: None };
    let seed = Seed::of_bytes("job", id.as_bytes());
    let mut answer = called.answer("success", CALL);
    answer["public_id"] = json!(id);
    answer["created_at"] = json!(written(seed.created()));
    answer["output"] = json!({"simulated": true, "text": text::prose(&mut seed.dice())});
    Simulated::json(answer.to_string())
}

fn written(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()).unwrap_or_default().to_string()
}

/// Which feature was called.
struct Called<'a> {
    feature: &'a str,
    subfeature: &'a str,
    provider: &'a str,
    model: Option<&'a str>,
}

// === impl Called ===

impl<'a> Called<'a> {
    fn read(map: &'a Object) -> Result<Self, Problem> {
        let wrong = || Problem::invalid("Invalid model format. Expected: feature/subfeature/provider[/model]", Some("model"), None);
        let mut steps = fields::model(map)?.splitn(4, '/');
        let mut step = || steps.next().filter(|step| !step.is_empty()).ok_or_else(wrong);
        let called = Self { feature: step()?, subfeature: step()?, provider: step()?, model: None };
        fields::inner(map, "input", "input")?.ok_or_else(|| Problem::missing("input"))?;
        Ok(Self { model: steps.next(), ..called })
    }

    fn answer(&self, status: &str, cost: &str) -> Value {
        json!({
            "status": status,
            "cost": cost,
            "provider": self.provider,
            "feature": self.feature,
            "subfeature": self.subfeature,
            "model": self.model,
            "output": null,
            "error": null,
        })
    }
}
