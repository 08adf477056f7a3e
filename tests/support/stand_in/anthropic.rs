//! The answers of the stand-in, in the shapes of Anthropic's API.

use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry, counting};

/// Nano-dollars a token written to the cache, for five minutes and for an hour, and for a search, whatever the model: those of the tests' one.
const WRITTEN: i64 = 1_250;
const HOUR: i64 = 2_000;
const SEARCH: i64 = 10_000_000;

/// What the request asks for.
pub(super) struct Wish {
    model: String,
    prompt: i64,
    pub(super) completion: i64,
    limited: bool,
    pub(super) stream: bool,
}

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let script = &if script.greedy { greedy(request, script) } else { script.clone() };
    let wish = Wish::read(request, script);
    if path.ends_with("/count_tokens") {
        // Anthropic itself does not know what is no input.
        let unknown = path.starts_with("/v1/") && ["max_tokens", "stream", "temperature", "metadata"].iter().any(|member| !request[*member].is_null());
        return if unknown { answers::error(400, request, script, entry) } else { counting::answer("input_tokens", wish.input(script), script, entry) };
    }
    if !wish.stream {
        return answers::whole(wish.message(script), wish.consumed(wish.completion, script), script, entry);
    }
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(wish.consumed(wish.completion, script)));
    tokio::spawn(answers::send(wish.events(script), script.clone(), entry.clone(), writer));
    let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8").header("request-id", "req-stand-in");
    response.body(body).unwrap()
}

/// The script with the most that the request's input may be billed as: every byte a token, all of them written to the cache where it says so.
fn greedy(request: &Value, script: &Script) -> Script {
    let messages = request["messages"].as_array().map_or(0, Vec::len);
    let mut script = script.clone();
    let read: i64 = ["messages", "system", "tools", "output_config"].iter().map(|member| answers::bytes_of(&request[*member])).sum();
    let read = script.prompt.unwrap_or(read + 4 * i64::try_from(messages).unwrap() + 3);
    let said = request.to_string();
    script.prompt = Some(read);
    if said.contains("\"ttl\":\"1h\"") {
        (script.prompt, script.hour) = (Some(0), read);
    } else if said.contains("cache_control") {
        (script.prompt, script.written) = (Some(0), read);
    }
    script
}

// === impl Wish ===

impl Wish {
    pub(super) fn read(json: &Value, script: &Script) -> Self {
        let messages = json["messages"].as_array().cloned().unwrap_or_default();
        let prompt: i64 = messages.iter().map(|message| answers::tokens_of(&message["content"]) + 4).sum::<i64>() + 3;
        let completion = script.tokens.min(json["max_tokens"].as_i64().unwrap_or(i64::MAX));
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            prompt: script.prompt.unwrap_or(prompt),
            completion,
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
        }
    }

    pub(super) fn consumed(&self, completion: i64, script: &Script) -> Consumed {
        let mut consumed = Consumed::tokens(&self.model, self.prompt, script.cached.min(self.prompt), completion);
        consumed.cost += script.written * WRITTEN + script.hour * HOUR + script.searches * SEARCH;
        consumed
    }

    /// All that is read, wherever it is billed.
    fn input(&self, script: &Script) -> i64 {
        self.prompt + script.written + script.hour
    }

    fn stop_reason(&self) -> &'static str {
        if self.limited { "max_tokens" } else { "end_turn" }
    }

    /// What is said of the input.
    fn input_usage(&self, script: &Script) -> Value {
        let cached = script.cached.min(self.prompt);
        json!({
            "input_tokens": self.prompt - cached,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": script.written + script.hour,
            "cache_creation": {"ephemeral_5m_input_tokens": script.written, "ephemeral_1h_input_tokens": script.hour},
            "service_tier": "standard",
        })
    }

    /// What is said of the output, and of all that is only known at the end.
    fn output_usage(&self, script: &Script) -> Value {
        let output = match script.usage {
            UsageReport::Negative => -self.completion,
            UsageReport::Absurd => 1 << 50,
            UsageReport::Honest | UsageReport::Missing | UsageReport::Twice | UsageReport::Comment => self.completion,
        };
        let mut usage = json!({"output_tokens": output});
        if script.searches > 0 {
            usage["server_tool_use"] = json!({"web_search_requests": script.searches, "web_fetch_requests": 0});
        }
        usage
    }

    pub(super) fn message(&self, script: &Script) -> Value {
        let text = "word ".repeat(usize::try_from(self.completion).unwrap());
        let mut message = self.begun();
        message["content"] = json!([{"type": "text", "text": text}]);
        message["stop_reason"] = json!(self.stop_reason());
        if !matches!(script.usage, UsageReport::Missing | UsageReport::Comment) {
            let mut usage = self.input_usage(script);
            usage.as_object_mut().unwrap().extend(self.output_usage(script).as_object().unwrap().clone());
            message["usage"] = usage;
        }
        message
    }

    fn begun(&self) -> Value {
        json!({"id": "msg_stand_in", "type": "message", "role": "assistant", "model": self.model, "content": [], "stop_reason": null, "stop_sequence": null})
    }

    /// The events of a stream: the message begins, one event a token, it ends.
    fn events(&self, script: &Script) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |event: Value, completion: i64, carries_text: bool| {
            let name = event["type"].as_str().unwrap().to_owned();
            events.push(Event { name: Some(name), text: event.to_string(), consumed: self.consumed(completion, script), carries_text });
        };
        let reports = !matches!(script.usage, UsageReport::Missing | UsageReport::Comment);
        let mut begun = self.begun();
        if reports {
            begun["usage"] = self.input_usage(script);
            begun["usage"]["output_tokens"] = json!(1);
        }
        push(json!({"type": "message_start", "message": begun}), 0, false);
        push(json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}), 0, false);
        push(json!({"type": "ping"}), 0, false);
        for token in 1..=self.completion {
            let delta = json!({"type": "text_delta", "text": format!("w{token} ")});
            push(json!({"type": "content_block_delta", "index": 0, "delta": delta}), token, true);
        }
        push(json!({"type": "content_block_stop", "index": 0}), self.completion, false);
        if script.usage == UsageReport::Twice {
            let half = json!({"output_tokens": self.completion / 2});
            push(json!({"type": "message_delta", "delta": {"stop_reason": null, "stop_sequence": null}, "usage": half}), self.completion, false);
        }
        let mut end = json!({"type": "message_delta", "delta": {"stop_reason": self.stop_reason(), "stop_sequence": null}});
        if reports {
            end["usage"] = self.output_usage(script);
        }
        push(end, self.completion, false);
        push(json!({"type": "message_stop"}), self.completion, false);
        if script.usage == UsageReport::Comment {
            let said = json!({"type": "message_delta", "delta": {}, "usage": self.output_usage(script)});
            let told = events.len() - 2;
            events[told].text.push_str(&format!("\n: {said}"));
        }
        if let Some(at) = script.fail {
            events.truncate(at);
            let consumed = events.last().map_or_else(Consumed::default, |event| event.consumed);
            let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
            events.push(Event { name: Some("error".to_owned()), text: error.to_string(), consumed, carries_text: false });
        }
        events
    }
}
