//! The answers of the stand-in, in the shapes of Eden AI's API: those of the APIs whose shapes it took over, with the cost beside them.

use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event, Wish};
use super::body::ChannelBody;
use super::script::{Script, UsageReport};
use super::{Consumed, Entry, anthropic, responses};
use crate::support::money::{CENT, nanos};

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if path.ends_with("/v1/messages") {
        messages(path, request, script, entry)
    } else if path.ends_with("/chat/completions") {
        chat(request, script, entry)
    } else if path.ends_with("/embeddings") {
        let (answer, consumed) = answers::embedded(request, script);
        told(answer, consumed, script, entry)
    } else if path.contains("/responses") {
        responses::answer(path, request, script, entry)
    } else if path.ends_with("/moderations") {
        told(json!({"id": "modr-1", "model": request["model"], "results": [{"flagged": false}]}), Consumed::default(), script, entry)
    } else if path.ends_with("/models") {
        models(script, entry)
    } else if path.ends_with("/universal-ai") {
        universal(request, script, entry)
    } else if path.ends_with("/universal-ai/async") {
        begin(request, script, entry)
    } else if let Some((_, id)) = path.split_once("/universal-ai/async/") {
        job(id, script, entry)
    } else if path.ends_with("/count_tokens") {
        anthropic::answer(path, request, script, entry)
    } else {
        answers::whole(json!({"text": ["moderation"]}), Consumed::default(), script, entry)
    }
}

/// Whether that path is one of Eden AI's.
pub(super) fn serves(path: &str) -> bool {
    path.starts_with("/v3/")
}

/// What is billed: as the script says, or by the tokens.
pub(super) fn billed(consumed: Consumed, script: &Script) -> Consumed {
    Consumed { cost: script.cost.as_deref().map_or(consumed.cost, nanos), ..consumed }
}

/// A number of dollars, as programs print it.
pub(super) fn dollars(nanos: i64) -> Value {
    serde_json::from_str(&format!("{nanos}e-09")).unwrap()
}

/// An answer in one piece that tells its cost.
pub(super) fn told(mut answer: Value, consumed: Consumed, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let consumed = billed(consumed, script);
    answer["provider"] = json!("stand-in");
    if !script.no_cost {
        answer["cost"] = dollars(consumed.cost);
    }
    answers::whole(answer, consumed, script, entry)
}

fn chat(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let wish = Wish::chat(request, script);
    if !wish.stream {
        return told(answers::chat(&wish, script), wish.consumed(script), script, entry);
    }
    let consumed = billed(wish.consumed(script), script);
    let mut events = answers::events(&wish, script);
    let reports = !matches!(script.usage, UsageReport::Missing | UsageReport::Comment) && request["stream_options"]["include_usage"] == true;
    // The last event but `[DONE]` tells the usage; it has a choice that says nothing.
    let last = events.len() - 1;
    if let Some(event) = events.get_mut(last - 1).filter(|_| reports) {
        let mut data: Value = serde_json::from_str(&event.text).unwrap();
        data["choices"] = json!([{"index": 0, "delta": {"content": null, "role": null}, "finish_reason": null, "logprobs": null}]);
        if !script.no_cost {
            data["cost"] = dollars(consumed.cost);
        }
        *event = Event { name: None, text: data.to_string(), consumed, carries_text: false };
    }
    events[last].consumed = consumed;
    answers::streaming(events, consumed, script, entry)
}

/// Messages tell their cost in one piece, not on a stream.
fn messages(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let wish = anthropic::Wish::read(request, script);
    if wish.stream {
        return anthropic::answer(path, request, script, entry);
    }
    told(wish.message(script), wish.consumed(wish.completion, script), script, entry)
}

/// As long as the real list.
fn models(script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1, "owned_by": "stand-in", "capabilities": "x".repeat(1_000)});
    let mut data: Vec<Value> = (0..2_000).map(|number| model(&format!("nobody/model-{number}"))).collect();
    data.extend(["openai/gpt-4o-mini", "gpt-4o-mini", "anthropic/claude-haiku-4-5", "openai/gpt-4o-mini@eu"].map(model));
    answers::whole(json!({"object": "list", "data": data}), Consumed::default(), script, entry)
}

/// Begins a job, and bills it: one cent, or what the script says. What it will say when it is asked for stands in its id.
fn begin(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let cost = script.cost.as_deref().map_or(CENT, nanos);
    let how = if script.failed { "fail" } else { "success" };
    let id = format!("job-{}-{}-{how}-{cost}", entry.index, script.pending);
    let mut answer = state(&id, "processing", "0.000");
    answer["provider"] = json!(request["model"].as_str().and_then(|model| model.split('/').nth(2)));
    answers::whole_with(202, answer, Consumed { cost, ..Consumed::default() }, script, entry)
}

/// What has become of a job.
fn job(id: &str, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let [_, _, pending, how, cost] = id.split('-').collect::<Vec<_>>()[..] else {
        return answers::whole_with(404, json!({"detail": "no such job"}), Consumed::default(), script, entry);
    };
    let asked = entry.shared.rows.lock().unwrap().iter().filter(|row| row.target.ends_with(id)).count();
    let mut answer = if asked <= pending.parse().unwrap() { state(id, "processing", "0.000") } else { state(id, how, &dollars_text(cost.parse().unwrap())) };
    if script.no_cost {
        answer.as_object_mut().unwrap().remove("cost");
    }
    answers::whole(answer, Consumed::default(), script, entry)
}

fn dollars_text(nanos: i64) -> String {
    crate::support::money::dollars(nanos)
}

fn state(id: &str, status: &str, cost: &str) -> Value {
    json!({"public_id": id, "status": status, "cost": cost, "output": {"text": "read"}, "error": null, "created_at": "2026-01-01T00:00:00Z"})
}

/// One cent, or what the script says: told as a string.
fn universal(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let cost = script.cost.as_deref().map_or(CENT, nanos);
    let mut steps = request["model"].as_str().unwrap_or_default().split('/');
    let filler = if script.big { "x".repeat(3 << 20) } else { String::new() };
    let mut answer = json!({
        "output": {"text": "pages read", "cost": "7", "filler": filler},
        "status": if script.failed { "fail" } else { "success" },
        "feature": steps.next(), "subfeature": steps.next(), "provider": steps.next(), "error": null,
    });
    if !script.no_cost {
        answer["cost"] = json!(script.cost.as_deref().unwrap_or("0.01"));
    }
    answers::whole(answer, Consumed { cost, ..Consumed::default() }, script, entry)
}
