//! Where providers that are compatible with OpenAI's API differ from it: what they do with the usage of a stream, and what else they send.

use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Event};
use super::body::{self, ChannelBody};
use super::script::Script;
use super::{Consumed, Entry};
use crate::support::money::nanos;

/// Whose manners an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    /// On every chunk the sum so far.
    Cumulative,
    /// With the last content, and no chunk of its own.
    LastContent,
    /// In a member of its own, whatever is asked.
    Groq,
    /// Thinking before it speaks, and its own name for what was cached.
    DeepSeek,
    /// Comments while it waits, and the cost beside the usage.
    OpenRouter,
}

// === impl Manners ===

impl Manners {
    /// By the first step of the path, which the upstream's base path puts there.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.split('/').nth(1)? {
            "cumulative" => Some(Self::Cumulative),
            "last-content" => Some(Self::LastContent),
            "groq" => Some(Self::Groq),
            "deepseek" => Some(Self::DeepSeek),
            "openrouter" => Some(Self::OpenRouter),
            _ => None,
        }
    }

    /// Answers one chat; streams go on by themselves.
    pub(super) fn answer(self, request: &Value, script: &Script, entry: &Entry) -> Response<ChannelBody> {
        let wish = Wish { manners: self, model: request["model"].as_str().unwrap_or_default().to_owned(), script };
        let consumed = wish.consumed(script.tokens);
        if !request["stream"].as_bool().unwrap_or(false) {
            let mut message = json!({"role": "assistant", "content": "word ".repeat(usize::try_from(script.tokens).unwrap())});
            if self == Self::DeepSeek {
                message["reasoning_content"] = json!("hm hm ");
            }
            let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
            let mut answer = json!({"id": "c", "object": "chat.completion", "created": 1, "model": wish.model, "choices": [choice]});
            answer["usage"] = wish.usage(script.tokens);
            return answers::whole(answer, consumed, script, entry);
        }
        let (writer, body) = body::channel();
        entry.update(|row| row.would_report = Some(consumed));
        let asked = request["stream_options"]["include_usage"].as_bool().unwrap_or(false);
        tokio::spawn(answers::send(wish.events(asked), script.clone(), entry.clone(), writer));
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    }
}

struct Wish<'a> {
    manners: Manners,
    model: String,
    script: &'a Script,
}

// === impl Wish ===

impl Wish<'_> {
    fn prompt(&self) -> i64 {
        self.script.prompt.unwrap_or(20)
    }

    /// OpenRouter may bill another price than the model's, once all is said.
    fn consumed(&self, completion: i64) -> Consumed {
        let consumed = Consumed::tokens(&self.model, self.prompt(), self.script.cached.min(self.prompt()), completion);
        let bills = |cost: &&str| self.manners == Manners::OpenRouter && completion == self.script.tokens && cost.starts_with("0");
        Consumed { cost: self.script.cost.as_deref().filter(bills).map_or(consumed.cost, nanos), ..consumed }
    }

    fn usage(&self, completion: i64) -> Value {
        let (prompt, cached) = (self.prompt(), self.script.cached.min(self.prompt()));
        let mut usage = json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion});
        match self.manners {
            Manners::DeepSeek => {
                usage["prompt_cache_hit_tokens"] = json!(cached);
                usage["prompt_cache_miss_tokens"] = json!(prompt - cached);
                usage["completion_tokens_details"] = json!({"reasoning_tokens": 2.min(completion)});
            }
            Manners::OpenRouter => {
                usage["prompt_tokens_details"] = json!({"cached_tokens": cached});
                if !self.script.no_cost {
                    usage["cost"] = self.script.cost.as_deref().map_or(json!(0.000_123), |cost| serde_json::from_str(cost).unwrap_or(json!(cost)));
                }
                usage["cost_details"] = json!({"upstream_inference_cost": null});
                usage["is_byok"] = json!(false);
            }
            _ => usage["prompt_tokens_details"] = json!({"cached_tokens": cached}),
        }
        if self.manners == Manners::Groq {
            usage["queue_time"] = json!(0.01);
        }
        usage
    }

    fn events(&self, asked: bool) -> Vec<Event> {
        let mut events = Vec::new();
        let mut push = |choices: Value, more: Value, completion: i64, carries_text: bool| {
            let mut chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": choices});
            chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            events.push(Event { name: None, text: chunk.to_string(), consumed: self.consumed(completion), carries_text });
        };
        let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        let tokens = self.script.tokens;
        let begins = if self.manners == Manners::Groq { json!({"x_groq": {"id": "req_1"}}) } else { json!({}) };
        push(choice(json!({"role": "assistant", "content": ""}), Value::Null), begins, 0, false);
        for token in 1..=tokens {
            let delta = if self.manners == Manners::DeepSeek && token <= 2 {
                json!({"content": null, "reasoning_content": "hm "})
            } else {
                json!({"content": format!("w{token} ")})
            };
            let more = if self.manners == Manners::Cumulative { json!({"usage": self.usage(token)}) } else { json!({}) };
            push(choice(delta, Value::Null), more, token, true);
        }
        let ends = match self.manners {
            Manners::Cumulative | Manners::LastContent | Manners::DeepSeek => json!({"usage": self.usage(tokens)}),
            Manners::Groq => json!({"x_groq": {"id": "req_1", "usage": self.usage(tokens)}}),
            Manners::OpenRouter => json!({}),
        };
        push(choice(json!({"content": ""}), json!("stop")), ends, tokens, false);
        if self.manners == Manners::OpenRouter && asked {
            push(choice(json!({"role": "assistant", "content": ""}), Value::Null), json!({"usage": self.usage(tokens)}), tokens, false);
        }
        events.push(Event { name: None, text: "[DONE]".to_owned(), consumed: self.consumed(tokens), carries_text: false });
        if self.manners == Manners::OpenRouter {
            let waiting = || Event { name: None, text: ": OPENROUTER PROCESSING".to_owned(), consumed: self.consumed(0), carries_text: false };
            events.splice(0..0, [waiting(), waiting()]);
        }
        events
    }
}
