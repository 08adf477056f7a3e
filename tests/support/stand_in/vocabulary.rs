//! What OpenAI bills for the texts of its own models: the tokens that OpenAI's program counts, as others have carried it over, and what the format adds.
//!
//! Greedy, it bills as much for the format as it may without anybody being surprised: more than OpenAI is known to.

use serde_json::Value;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::answers::bytes_of;

/// What stands around a message and a request: as OpenAI counts, and the most (its cookbook, "How to count tokens with tiktoken": 3 or 4, and 3).
const MESSAGE: [i64; 2] = [4, 8];
const REQUEST: [i64; 2] = [3, 64];
/// Around a text that is completed or embedded, and around all of them.
const TEXT: [i64; 2] = [0, 4];

/// The vocabulary of a model, where OpenAI has published it.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary {
    program: &'static CoreBPE,
    greedy: bool,
}

// === impl Vocabulary ===

impl Vocabulary {
    pub(super) fn of(model: &Value, greedy: bool) -> Option<Self> {
        let program = match get_tokenizer(model.as_str()?)? {
            Tokenizer::O200kBase => tiktoken_rs::o200k_base_singleton(),
            Tokenizer::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
            _ => return None,
        };
        Some(Self { program, greedy })
    }

    fn more(self, [usual, most]: [i64; 2]) -> i64 {
        if self.greedy { most } else { usual }
    }

    /// Of one text. Names of special tokens are read as such, or as text: whichever is more.
    pub(super) fn text(self, text: &str) -> i64 {
        let plain = self.program.encode_ordinary(text).len();
        let special = if text.contains("<|") { self.program.encode_with_special_tokens(text).len() } else { 0 };
        i64::try_from(plain.max(special)).unwrap()
    }

    /// Of what a message says: a text, or parts of which some are. Side by side or one behind the other, whichever is more.
    fn content(self, content: &Value) -> i64 {
        match content {
            Value::Null => 0,
            Value::String(text) => self.text(text),
            Value::Array(parts) => {
                let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str().or(part.as_str())).collect();
                texts.iter().map(|text| self.text(text)).sum::<i64>().max(self.text(&texts.concat()))
            }
            other => bytes_of(other),
        }
    }

    /// Of a chat. What a tool or a schema becomes is not known: it may be a token for each byte.
    pub(super) fn chat(self, json: &Value) -> i64 {
        let messages = json["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let calls = messages.iter().filter_map(|message| message["tool_calls"].as_array()).flatten();
        let names = self.name(calls.map(|call| &call["function"]["name"]));
        let mut tokens = self.more(REQUEST);
        for message in messages {
            tokens += self.more(MESSAGE) + self.content(&message["content"]);
            if message["role"] == "tool" {
                tokens += names;
            }
            tokens += self.formats(message, &["name", "tool_calls", "tool_call_id", "reasoning_content"]);
        }
        tokens + self.formats(json, &["tools", "functions", "response_format", "tool_choice"])
    }

    /// Of prompts or of what is embedded: texts, or tokens by their numbers.
    pub(super) fn texts(self, input: &Value) -> i64 {
        let of_one = |input: &Value| match input {
            Value::String(text) => self.text(text),
            Value::Array(numbers) => i64::try_from(numbers.len()).unwrap(),
            _ => 1,
        };
        let texts = match input {
            Value::Array(inputs) if inputs.first().is_some_and(|first| !first.is_number()) => inputs.iter().map(|input| of_one(input) + self.more(TEXT)).sum(),
            other => of_one(other) + self.more(TEXT),
        };
        texts + self.more(TEXT)
    }

    /// Of a request to the Responses API.
    pub(super) fn response(self, json: &Value) -> i64 {
        let input = match &json["input"] {
            Value::Array(items) => {
                let names = self.name(items.iter().map(|item| &item["name"]));
                items.iter().map(|item| self.item(item, names)).sum()
            }
            other => self.more(MESSAGE) + self.content(other),
        };
        let instructions = json["instructions"].as_str().map_or(0, |text| self.more(MESSAGE) + self.text(text));
        self.more(REQUEST) + input + instructions + self.formats(json, &["tools", "text", "tool_choice"])
    }

    /// Of the longest name of a tool: it may stand above each result once more.
    fn name<'v>(self, names: impl Iterator<Item = &'v Value>) -> i64 {
        if self.greedy { names.filter_map(Value::as_str).map(|name| self.text(name)).max().unwrap_or_default() } else { 0 }
    }

    fn item(self, item: &Value, names: i64) -> i64 {
        let said = match item["type"].as_str() {
            None | Some("message") => self.content(&item["content"]),
            Some("function_call_output") => self.content(&item["output"]) + names + self.formats(item, &["call_id"]),
            _ => self.formats(item, &["name", "arguments", "call_id"]),
        };
        self.more(MESSAGE) + said
    }

    fn formats(self, of: &Value, members: &[&str]) -> i64 {
        if self.greedy { members.iter().map(|member| bytes_of(&of[*member])).sum() } else { 0 }
    }
}
