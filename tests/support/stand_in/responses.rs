//! The answers of the stand-in, in the shapes of OpenAI's Responses API.

use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::compatible::Manners;
use super::edenai;
use super::script::{Script, UsageReport};
use super::vocabulary::Vocabulary;
use super::{Consumed, Entry};

/// Nano-dollars for a search, whatever the model.
const SEARCH: i64 = 10_000_000;

/// What a request to create a response consumes.
pub(super) fn consumed(request: &Value, script: &Script) -> Consumed {
    let wish = Wish::read(request, script);
    wish.consumed(wish.completion, script)
}

/// What the request asks for.
struct Wish {
    model: String,
    tier: String,
    previous: Value,
    prompt: i64,
    completion: i64,
    limited: bool,
    stream: bool,
}

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if path.ends_with("/input_tokens") {
        return answers::whole(json!({"object": "response.input_tokens", "input_tokens": 3}), Consumed::default(), script, entry);
    }
    if let Some((_, id)) = path.split_once("/responses/") {
        let kept = if id.ends_with("/input_items") {
            json!({"object": "list", "data": [{"id": "msg_input", "type": "message", "role": "user", "content": []}], "first_id": "msg_input", "last_id": "msg_input", "has_more": false})
        } else {
            json!({"id": id.split('/').next(), "object": "response", "status": "completed", "output": [], "usage": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18}})
        };
        return answers::whole(kept, Consumed::default(), script, entry);
    }
    let wish = Wish::read(request, script);
    let tells = edenai::serves(path) || Manners::of(path).is_some();
    let mut consumed = wish.consumed(wish.completion, script);
    if tells {
        consumed = edenai::billed(consumed, script);
    }
    let tell = |response: &mut Value| {
        if tells && !script.no_cost && response["usage"].is_object() {
            response["usage"]["cost"] = edenai::dollars(consumed.cost);
        }
    };
    if !wish.stream {
        let mut response = wish.response("completed", script);
        tell(&mut response);
        return if edenai::serves(path) { edenai::told(response, consumed, script, entry) } else { answers::whole(response, consumed, script, entry) };
    }
    let mut events = wish.events(script);
    if let Some(last) = events.last_mut().filter(|_| tells) {
        let mut event: Value = serde_json::from_str(&last.text).unwrap();
        tell(&mut event["response"]);
        *last = Event { text: event.to_string(), consumed, name: last.name.take(), carries_text: false };
    }
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(consumed));
    tokio::spawn(answers::send(events, script.clone(), entry.clone(), writer));
    Response::builder().header("content-type", "text/event-stream; charset=utf-8").header("x-request-id", "req-stand-in").body(body).unwrap()
}

// === impl Wish ===

impl Wish {
    fn read(json: &Value, script: &Script) -> Self {
        let mut prompt = answers::tokens_of(&json["input"]) + 4;
        if script.greedy {
            prompt = ["input", "instructions", "tools", "text", "prompt"].iter().map(|member| answers::bytes_of(&json[*member])).sum::<i64>() + 4;
        }
        if let Some(vocabulary) = Vocabulary::of(&json["model"], script.greedy) {
            prompt = vocabulary.response(json);
        }
        let asked_tier = json["service_tier"].as_str().filter(|tier| *tier != "auto").unwrap_or("default");
        let completion = script.tokens.min(json["max_output_tokens"].as_i64().unwrap_or(i64::MAX));
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            tier: script.tier.clone().unwrap_or_else(|| asked_tier.to_owned()),
            previous: json["previous_response_id"].clone(),
            prompt: script.prompt.unwrap_or(prompt),
            completion,
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
        }
    }

    fn consumed(&self, completion: i64, script: &Script) -> Consumed {
        let mut consumed = Consumed::at_tier(&self.model, &self.tier, self.prompt, script.cached.min(self.prompt), completion);
        consumed.cost += script.searches * SEARCH;
        consumed
    }

    fn message(&self) -> Value {
        let text: String = (1..=self.completion).map(|token| format!("w{token} ")).collect();
        let content = json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]);
        json!({"id": "msg_stand_in", "type": "message", "status": self.status(), "role": "assistant", "content": content})
    }

    fn status(&self) -> &'static str {
        if self.limited { "incomplete" } else { "completed" }
    }

    /// The response, as it is when it has that status.
    fn response(&self, status: &str, script: &Script) -> Value {
        let begun = status == "in_progress";
        let mut response = json!({
            "id": "resp_stand_in", "object": "response", "created_at": 1_700_000_000, "status": if begun { status } else { self.status() }, "model": self.model,
            "previous_response_id": self.previous, "error": null, "incomplete_details": null, "service_tier": self.tier, "usage": null, "output": [],
            "parallel_tool_calls": true, "tool_choice": "auto", "tools": [],
        });
        if begun {
            return response;
        }
        if self.limited {
            response["incomplete_details"] = json!({"reason": "max_output_tokens"});
        }
        response["output"] = json!([self.message()]);
        if script.searches > 0 {
            response["tool_usage"] = json!({"web_search": {"num_requests": script.searches}});
        }
        let output = match script.usage {
            UsageReport::Missing => return response,
            UsageReport::Negative => -self.completion,
            UsageReport::Absurd => 1 << 50,
            // On a stream only the last event tells.
            UsageReport::Honest | UsageReport::Twice => self.completion,
            UsageReport::Comment => {
                response["comment"] = json!({"usage": {"input_tokens": self.prompt, "output_tokens": self.completion}});
                return response;
            }
        };
        let cached = script.cached.min(self.prompt);
        response["usage"] = json!({
            "input_tokens": self.prompt, "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
            "output_tokens": output, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": self.prompt + output,
        });
        response
    }

    /// The events of a stream, one for each token of the text.
    fn events(&self, script: &Script) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        let mut push = |kind: &str, mut event: Value, completion: i64| {
            event["type"] = json!(kind);
            event["sequence_number"] = json!(events.len());
            let carries_text = kind.ends_with(".delta");
            events.push(Event { name: Some(kind.to_owned()), text: event.to_string(), consumed: self.consumed(completion, script), carries_text });
        };
        let message = self.message();
        let part = |text: &Value| json!({"item_id": "msg_stand_in", "output_index": 0, "content_index": 0, "part": {"type": "output_text", "text": text, "annotations": []}});
        for kind in ["response.created", "response.in_progress"] {
            push(kind, json!({"response": self.response("in_progress", script)}), 0);
        }
        let begun = json!({"id": "msg_stand_in", "type": "message", "status": "in_progress", "role": "assistant", "content": []});
        push("response.output_item.added", json!({"output_index": 0, "item": begun}), 0);
        push("response.content_part.added", part(&json!("")), 0);
        for token in 1..=self.completion {
            let delta =
                json!({"item_id": "msg_stand_in", "output_index": 0, "content_index": 0, "delta": format!("w{token} "), "logprobs": [], "obfuscation": "aZ9"});
            push("response.output_text.delta", delta, token);
        }
        let text = &message["content"][0]["text"];
        push(
            "response.output_text.done",
            json!({"item_id": "msg_stand_in", "output_index": 0, "content_index": 0, "text": text, "logprobs": []}),
            self.completion,
        );
        push("response.content_part.done", part(text), self.completion);
        push("response.output_item.done", json!({"output_index": 0, "item": message}), self.completion);
        push(&format!("response.{}", self.status()), json!({"response": self.response("done", script)}), self.completion);
        if let Some(at) = script.fail {
            events.truncate(at);
            let consumed = events.last().map_or_else(Consumed::default, |event| event.consumed);
            let error = json!({"type": "error", "sequence_number": at, "code": "server_error", "message": "the stand-in broke", "param": null});
            events.push(Event { name: Some("error".to_owned()), text: error.to_string(), consumed, carries_text: false });
        }
        events
    }
}
