//! The answers of the stand-in, in the shapes of Google's Gemini API.

use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::{Script, UsageReport};
use super::{Consumed, Entry, counting};

/// Nano-dollars for a token of sound instead of one of text, beyond that; for a grounded prompt, and for a query of later models.
const AUDIO: i64 = 700;
const PROMPT_SEARCHED: i64 = 35_000_000;
const QUERY: i64 = 14_000_000;

/// What the request asks for.
struct Wish {
    model: String,
    prompt: i64,
    thoughts: i64,
    /// Of each candidate.
    completion: i64,
    candidates: i64,
    limited: bool,
}

/// The models of `GET models`.
pub(super) fn models() -> Value {
    let models = ["gemini-2.5-flash", "gemini-embedding-001", "no-such-model"].map(|id| json!({"name": format!("models/{id}"), "displayName": id}));
    json!({"models": models, "nextPageToken": "next"})
}

/// Answers one request; streams go on by themselves. `target` is its path and query.
pub(super) fn answer(target: &str, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (model, call) = path.rsplit('/').next().unwrap().split_once(':').unwrap_or_default();
    let whole = &request["generateContentRequest"];
    if call == "countTokens" && !whole.is_null() && (whole["model"] != format!("models/{model}") || !request["contents"].is_null()) {
        return answers::error(400, request, script, entry);
    }
    let wish = Wish::read(model, if whole.is_null() { request } else { whole }, script);
    match call {
        "countTokens" => counting::answer("totalTokens", wish.prompt, script, entry),
        "embedContent" | "batchEmbedContents" => answers::whole(wish.embeddings(call, script), Consumed::tokens(model, wish.prompt, 0, 0), script, entry),
        "generateContent" => answers::whole(wish.piece(&wish.words(), true, script), wish.consumed(wish.completion, script), script, entry),
        "streamGenerateContent" => {
            let events = query.split('&').any(|pair| pair == "alt=sse");
            let (writer, body) = body::channel();
            entry.update(|row| row.would_report = Some(wish.consumed(wish.completion, script)));
            let pieces = wish.pieces(script);
            let frame = if events { event } else { element };
            tokio::spawn(answers::send_framed(pieces, script.clone(), entry.clone(), writer, frame));
            let kind = if events { "text/event-stream" } else { "application/json; charset=UTF-8" };
            Response::builder().header("content-type", kind).header("server-timing", "gfet4t7; dur=1").body(body).unwrap()
        }
        _ => answers::whole(json!({"name": format!("models/{}", path.rsplit('/').next().unwrap())}), Consumed::default(), script, entry),
    }
}

/// A piece as an event, ended as Google ends them.
fn event(event: &Event, _place: (usize, usize), _line: &str) -> Bytes {
    Bytes::from(format!("data: {}\r\n\r\n", event.text))
}

/// A piece as an element of the list that the body is.
fn element(event: &Event, (index, count): (usize, usize), _line: &str) -> Bytes {
    let front = if index == 0 { "[" } else { ",\r\n" };
    let back = if index + 1 == count { "\n]\n" } else { "\n" };
    Bytes::from(format!("{front}{}{back}", event.text))
}

// === impl Wish ===

impl Wish {
    fn read(model: &str, json: &Value, script: &Script) -> Self {
        let read = if script.greedy { answers::bytes_of } else { answers::tokens_of };
        let mut texts = ["contents", "content", "requests"].iter().map(|name| read(&json[*name])).sum::<i64>();
        if script.greedy {
            texts += ["systemInstruction", "system_instruction", "tools", "toolConfig"].iter().map(|name| read(&json[*name])).sum::<i64>();
        }
        let config = if json["generationConfig"].is_null() { &json["generation_config"] } else { &json["generationConfig"] };
        let limit = config["maxOutputTokens"].as_i64().or(config["max_output_tokens"].as_i64()).unwrap_or(i64::MAX);
        // Thoughts and answer share the limit.
        let thoughts = script.thoughts.min(limit);
        let completion = script.tokens.min(limit - thoughts);
        Self {
            model: model.to_owned(),
            prompt: script.prompt.unwrap_or(texts + 1),
            thoughts,
            completion,
            candidates: config["candidateCount"].as_i64().or(config["candidate_count"].as_i64()).unwrap_or(1),
            limited: thoughts + completion < script.thoughts + script.tokens,
        }
    }

    fn consumed(&self, completion: i64, script: &Script) -> Consumed {
        let mut consumed =
            Consumed::tokens(&self.model, self.prompt + script.tool, script.cached.min(self.prompt), completion * self.candidates + self.thoughts);
        consumed.cost += script.audio * AUDIO;
        consumed.cost += if self.model.starts_with("gemini-2") { script.searches.min(1) * PROMPT_SEARCHED } else { script.searches * QUERY };
        consumed
    }

    fn words(&self) -> String {
        "word ".repeat(usize::try_from(self.completion).unwrap())
    }

    fn usage(&self, completion: i64, script: &Script) -> Option<Value> {
        let (cached, text) = (script.cached.min(self.prompt), self.prompt - script.audio);
        let completion = completion * self.candidates;
        let said = match script.usage {
            UsageReport::Missing | UsageReport::Comment => return None,
            UsageReport::Negative => -completion - 1,
            UsageReport::Absurd => 1 << 50,
            // On a stream every piece tells what was consumed so far.
            UsageReport::Honest | UsageReport::Twice => completion,
        };
        // Counts of nothing are left out.
        let mut usage = json!({"promptTokenCount": self.prompt, "totalTokenCount": self.prompt + script.tool + completion + self.thoughts});
        for (name, count) in [
            ("cachedContentTokenCount", cached),
            ("candidatesTokenCount", said),
            ("thoughtsTokenCount", self.thoughts),
            ("toolUsePromptTokenCount", script.tool),
        ] {
            if count != 0 {
                usage[name] = json!(count);
            }
        }
        usage["promptTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": text}, {"modality": "AUDIO", "tokenCount": script.audio}]);
        Some(usage)
    }

    fn piece(&self, text: &str, ends: bool, script: &Script) -> Value {
        self.piece_after(self.completion, text, ends, script)
    }

    fn piece_after(&self, completion: i64, text: &str, ends: bool, script: &Script) -> Value {
        let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
        if ends {
            candidate["finishReason"] = json!(if self.limited { "MAX_TOKENS" } else { "STOP" });
            if script.searches > 0 {
                // An empty one and one that was asked before are not billed.
                let mut queries: Vec<String> = (0..script.searches).map(|number| format!("query {number}")).collect();
                queries.extend([String::new(), "query 0".to_owned()]);
                candidate["groundingMetadata"] = json!({"webSearchQueries": queries, "groundingChunks": [{"web": {"uri": "https://example.com"}}]});
            }
        }
        let mut piece = json!({"candidates": [candidate], "modelVersion": self.model, "responseId": "stand-in"});
        if let Some(usage) = self.usage(completion, script) {
            piece["usageMetadata"] = usage;
        }
        piece
    }

    /// The pieces of a stream: one a token, the last one ends it.
    fn pieces(&self, script: &Script) -> Vec<Event> {
        let mut pieces: Vec<Event> = (1..=self.completion)
            .map(|token| Event {
                name: None,
                text: self.piece_after(token, &format!("w{token} "), false, script).to_string(),
                consumed: self.consumed(token, script),
                carries_text: true,
            })
            .collect();
        let end = self.piece("", true, script);
        pieces.push(Event { name: None, text: end.to_string(), consumed: self.consumed(self.completion, script), carries_text: false });
        if let Some(at) = script.fail {
            pieces.truncate(at);
            let consumed = pieces.last().map_or_else(Consumed::default, |piece| piece.consumed);
            let error = json!({"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}});
            pieces.push(Event { name: None, text: error.to_string(), consumed, carries_text: false });
        }
        pieces
    }

    fn embeddings(&self, call: &str, script: &Script) -> Value {
        let vector = json!({"values": [0.25, -0.5]});
        let mut answer = if call == "embedContent" { json!({"embedding": vector}) } else { json!({"embeddings": [vector]}) };
        if script.usage == UsageReport::Honest {
            answer["usageMetadata"] = json!({"promptTokenCount": self.prompt});
        }
        answer
    }
}
