//! The answers of the stand-in, in the shapes of Cohere's API.

use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry};

/// Nano-dollars for a search unit, and for an image token: those of `rerank-v3.5` and `embed-v4.0`.
const SEARCH_UNIT: i64 = 2_000_000;
const IMAGE_TOKEN: i64 = 470;
/// Tokens that it counts and does not bill.
const UNBILLED: i64 = 200;
/// What one image makes in tokens.
const IMAGE_TOKENS: i64 = 2_716;
/// Where nobody limits a model, it ends by itself.
const MOST_OUTPUT: i64 = 8_000;

/// Answers one request; streams go on by themselves.
pub(super) fn answer(path: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    if path.ends_with("/embed") {
        return embed(request, script, entry);
    }
    if path.ends_with("/rerank") {
        return rerank(request, script, entry);
    }
    if path.ends_with("/tokenize") {
        return answers::whole(json!({"tokens": [1, 2], "token_strings": ["a", "b"]}), Consumed::default(), script, entry);
    }
    if path.ends_with("/models") {
        let models: Vec<Value> = ["command-a-03-2025", "no-such-model"].iter().map(|name| json!({"name": name, "endpoints": ["chat"]})).collect();
        return answers::whole(json!({"models": models, "next_page_token": ""}), Consumed::default(), script, entry);
    }
    let wish = Wish::read(request, script);
    if !wish.stream {
        return answers::whole(wish.message(script), wish.consumed(wish.completion), script, entry);
    }
    let (writer, body) = body::channel();
    entry.update(|row| row.would_report = Some(wish.consumed(wish.completion)));
    tokio::spawn(answers::send(wish.events(script), script.clone(), entry.clone(), writer));
    Response::builder().header("content-type", "text/event-stream").header("x-debug-trace-id", "trace-stand-in").body(body).unwrap()
}

fn embed(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let model = request["model"].as_str().unwrap_or_default();
    let list = |name: &str| request[name].as_array().cloned().unwrap_or_default();
    let texts = list("texts");
    let images = i64::try_from(list("images").len()).unwrap();
    let inputs = list("inputs");
    let read = if script.greedy { answers::bytes_of } else { answers::tokens_of };
    let parts = || inputs.iter().flat_map(|input| input["content"].as_array().into_iter().flatten());
    let images = images + i64::try_from(parts().filter(|part| !part["image_url"].is_null()).count()).unwrap();
    let prompt = script.prompt.unwrap_or_else(|| texts.iter().map(read).sum::<i64>() + parts().map(|part| read(&part["text"])).sum::<i64>());
    let mut consumed = Consumed::tokens(model, prompt, 0, 0);
    consumed.cost += images * IMAGE_TOKENS * IMAGE_TOKEN;
    let vectors: Vec<Value> = (0..texts.len() + list("images").len()).map(|_| json!([0.25, -0.5])).collect();
    let mut answer = json!({"id": "embed-stand-in", "embeddings": {"float": vectors}, "texts": texts, "meta": {"api_version": {"version": "2"}}});
    if let Some(input) = reported(prompt, script) {
        answer["meta"]["billed_units"] = json!({"input_tokens": input});
        if images > 0 {
            answer["meta"]["billed_units"]["image_tokens"] = json!((images * IMAGE_TOKENS) as f64);
        }
    }
    answers::whole(answer, consumed, script, entry)
}

fn rerank(request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let documents = request["documents"].as_array().cloned().unwrap_or_default();
    // The real one splits by tokens; a quarter of the bytes are tokens here.
    let text = |document: &Value| if document.is_object() { document["text"].clone() } else { document.clone() };
    let most = request["max_tokens_per_doc"].as_i64().unwrap_or(i64::MAX);
    let pieces: i64 = if script.greedy {
        // With the query in each of them, which takes half of a piece at most.
        let room = 496 - answers::bytes_of(&request["query"]).min(256);
        documents.iter().map(|document| (answers::bytes_of(&text(document)).min(most).max(1) + room - 1) / room).sum()
    } else {
        documents.iter().map(|document| (answers::tokens_of(document).max(1) + 489) / 490).sum()
    };
    let units = (pieces + 99) / 100;
    let consumed = Consumed { cost: units * SEARCH_UNIT, ..Consumed::default() };
    let results: Vec<Value> = (0..documents.len()).map(|index| json!({"index": index, "relevance_score": 0.5})).collect();
    let mut answer = json!({"id": "rerank-stand-in", "results": results, "meta": {"api_version": {"version": "2"}}});
    if let Some(units) = reported(units, script) {
        answer["meta"]["billed_units"] = json!({"search_units": units});
    }
    answers::whole(answer, consumed, script, entry)
}

/// A count as it is told, written as a float: none where nothing is told.
fn reported(count: i64, script: &Script) -> Option<f64> {
    match script.usage {
        UsageReport::Honest | UsageReport::Twice | UsageReport::Comment => Some(count as f64),
        UsageReport::Missing => None,
        UsageReport::Negative => Some(-(count as f64) - 1.0),
        UsageReport::Absurd => Some((1_i64 << 50) as f64),
    }
}

/// What a chat asks for.
struct Wish {
    model: String,
    prompt: i64,
    completion: i64,
    limited: bool,
    stream: bool,
}

// === impl Wish ===

impl Wish {
    fn read(json: &Value, script: &Script) -> Self {
        let messages = json["messages"].as_array().cloned().unwrap_or_default();
        let read = if script.greedy { answers::bytes_of } else { answers::tokens_of };
        let mut prompt: i64 = messages.iter().map(|message| read(&message["content"]) + 4).sum::<i64>() + 3;
        if script.greedy {
            prompt += ["tools", "documents", "response_format"].iter().map(|member| read(&json[*member])).sum::<i64>();
            prompt += messages.iter().flat_map(|message| ["tool_calls", "tool_plan", "citations"].map(|member| read(&message[member]))).sum::<i64>();
        }
        let completion = script.tokens.min(json["max_tokens"].as_i64().unwrap_or(MOST_OUTPUT));
        Self {
            model: json["model"].as_str().unwrap_or_default().to_owned(),
            prompt: script.prompt.unwrap_or(prompt),
            completion,
            limited: completion < script.tokens,
            stream: json["stream"].as_bool().unwrap_or(false),
        }
    }

    fn consumed(&self, completion: i64) -> Consumed {
        Consumed::tokens(&self.model, self.prompt, 0, completion)
    }

    fn finish_reason(&self) -> &'static str {
        if self.limited { "MAX_TOKENS" } else { "COMPLETE" }
    }

    fn usage(&self, script: &Script) -> Option<Value> {
        let output = reported(self.completion, script)?;
        let counted = json!({"input_tokens": (self.prompt + UNBILLED) as f64, "output_tokens": (self.completion + UNBILLED) as f64});
        Some(json!({"billed_units": {"input_tokens": self.prompt as f64, "output_tokens": output}, "tokens": counted, "cached_tokens": 0.0}))
    }

    fn message(&self, script: &Script) -> Value {
        let text = "word ".repeat(usize::try_from(self.completion).unwrap());
        let message = json!({"role": "assistant", "content": [{"type": "text", "text": text}]});
        let mut answer = json!({"id": "chat-stand-in", "finish_reason": self.finish_reason(), "message": message});
        if let Some(usage) = self.usage(script) {
            answer["usage"] = usage;
        }
        answer
    }

    /// The events of a stream: the message begins, one event a token, it ends.
    fn events(&self, script: &Script) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |event: Value, completion: i64, carries_text: bool| {
            let name = event["type"].as_str().unwrap().to_owned();
            events.push(Event { name: Some(name), text: event.to_string(), consumed: self.consumed(completion), carries_text });
        };
        let begun = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        push(json!({"id": "chat-stand-in", "type": "message-start", "delta": {"message": begun}}), 0, false);
        push(json!({"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}), 0, false);
        for token in 1..=self.completion {
            let delta = json!({"message": {"content": {"text": format!("w{token} ")}}});
            push(json!({"type": "content-delta", "index": 0, "delta": delta}), token, true);
        }
        push(json!({"type": "content-end", "index": 0}), self.completion, false);
        let mut end = json!({"finish_reason": self.finish_reason()});
        if let Some(usage) = self.usage(script) {
            end["usage"] = usage;
        }
        push(json!({"id": "chat-stand-in", "type": "message-end", "delta": end}), self.completion, false);
        if let Some(at) = script.fail {
            events.truncate(at);
            let consumed = events.last().map_or_else(Consumed::default, |event| event.consumed);
            let error = json!({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "the model broke down"}});
            events.push(Event { name: Some("message-end".to_owned()), text: error.to_string(), consumed, carries_text: false });
        }
        events
    }
}
