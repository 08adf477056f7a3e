//! Requests to OpenAI's API: of all shapes, and ordinary ones.

use serde_json::{Value, json};

use super::texts::{self, Kind};
use crate::support::random::Random;

/// A request, and what the pictures in it are billed for at the most.
pub(super) struct Case {
    pub(super) path: &'static str,
    pub(super) body: Value,
    pub(super) image_tokens: u64,
}

/// Models, and the tokens of their largest picture (OpenAI's guide "Images and vision"). The last has no vocabulary that is published.
const MODELS: [(&str, u64); 10] = [
    ("gpt-4o", 85 + 8 * 170),
    ("gpt-4o-mini", 2_833 + 8 * 5_667),
    ("gpt-4.1-mini", 1_536 * 162 / 100),
    ("gpt-5-mini", 1_536 * 162 / 100),
    ("gpt-5.4", 12_000),
    ("o3", 75 + 8 * 150),
    ("o4-mini", 1_536 * 172 / 100),
    ("gpt-4", 0),
    ("gpt-3.5-turbo", 0),
    ("gpt-6-luna", 36_000),
];

fn chance(random: &mut Random, one_in: u64) -> bool {
    random.below(one_in) == 0
}

fn choose<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[usize::try_from(random.below(of.len() as u64)).unwrap()]
}

/// Of any shape.
pub(super) fn any(random: &mut Random) -> Case {
    match random.below(10) {
        0 => completion(random),
        1 => embedding(random),
        2..=4 => response(random),
        _ => chat(random),
    }
}

fn completion(random: &mut Random) -> Case {
    let mut body = json!({"model": "gpt-3.5-turbo-instruct", "max_tokens": random.below(500), "prompt": prompts(random)});
    if chance(random, 3) {
        body["n"] = json!(1 + random.below(4));
        body["best_of"] = json!(4 + random.below(4));
    }
    Case { path: "completions", body, image_tokens: 0 }
}

fn embedding(random: &mut Random) -> Case {
    let model = choose(random, &["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"]);
    Case { path: "embeddings", body: json!({"model": model, "input": prompts(random)}), image_tokens: 0 }
}

fn prompts(random: &mut Random) -> Value {
    match random.below(4) {
        0 => json!(texts::any(random)),
        1 => json!((0..=random.below(20)).map(|_| random.below(100_000)).collect::<Vec<_>>()),
        2 => json!((0..=random.below(4)).map(|_| vec![random.below(100_000); 1 + usize::try_from(random.below(9)).unwrap()]).collect::<Vec<_>>()),
        _ => json!((0..=random.below(6)).map(|_| texts::any(random)).collect::<Vec<_>>()),
    }
}

fn chat(random: &mut Random) -> Case {
    let (model, picture) = choose(random, &MODELS);
    let mut image_tokens = 0;
    let messages: Vec<Value> = (0..=random.below(6)).map(|_| message(random, picture, &mut image_tokens)).collect();
    let mut body = json!({"model": model, "messages": messages});
    let name = choose(random, &["max_tokens", "max_completion_tokens"]);
    limit(random, &mut body, name);
    if chance(random, 4) {
        body["n"] = json!(1 + random.below(5));
    }
    if chance(random, 4) {
        body["tools"] = json!([{"type": "function", "function": tool(random)}]);
        body["tool_choice"] = json!("auto");
    }
    if chance(random, 6) {
        body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"description": texts::any(random)}}});
    }
    if chance(random, 8) {
        body["prediction"] = json!({"type": "content", "content": texts::any(random)});
    }
    Case { path: "chat/completions", body, image_tokens }
}

fn tool(random: &mut Random) -> Value {
    json!({"name": "look_up", "description": texts::any(random), "parameters": {"type": "object", "properties": {"what": {"type": "string"}}}})
}

/// The output limit, whether it is a stream, the tier.
fn limit(random: &mut Random, body: &mut Value, name: &str) {
    body[name] = json!(16 + random.below(2_000));
    if chance(random, 3) {
        body["stream"] = json!(true);
    }
    let tiers: &[&str] = match body["model"].as_str().unwrap() {
        "gpt-5-mini" | "gpt-5.4" | "o3" | "o4-mini" => &["flex", "priority", "default", "auto"],
        "gpt-4o" | "gpt-4o-mini" | "gpt-4.1-mini" => &["priority", "default", "auto"],
        _ => &["default", "auto"],
    };
    if chance(random, 3) {
        body["service_tier"] = json!(choose(random, tiers));
    }
}

fn message(random: &mut Random, picture: u64, image_tokens: &mut u64) -> Value {
    match random.below(8) {
        0 => json!({"role": "tool", "tool_call_id": "c", "content": texts::any(random)}),
        1 => {
            let name = texts::any(random).replace(|char: char| !char.is_ascii_alphanumeric(), "_");
            json!({"role": "user", "name": name, "content": content(random, picture, image_tokens)})
        }
        2 => {
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function", "function": {"name": name(random), "arguments": texts::any(random)}}]})
        }
        3 => json!({"role": "assistant", "content": content(random, picture, image_tokens), "reasoning_content": texts::any(random)}),
        4 => json!({"content": content(random, picture, image_tokens), "role": "developer"}),
        5 => json!({"role": "system", "content": content(random, picture, image_tokens)}),
        _ => json!({"role": "user", "content": content(random, picture, image_tokens)}),
    }
}

/// The name of a tool: up to 64 of these characters.
fn name(random: &mut Random) -> String {
    const CHARACTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    (0..=random.below(64)).map(|_| char::from(choose(random, CHARACTERS))).collect()
}

/// A text, or parts: texts and pictures.
fn content(random: &mut Random, picture: u64, image_tokens: &mut u64) -> Value {
    if !chance(random, 4) {
        return json!(texts::any(random));
    }
    let mut part = || {
        if picture > 0 && chance(random, 3) {
            *image_tokens += picture;
            json!({"type": "image_url", "image_url": {"url": "https://x/y.png"}})
        } else {
            json!({"type": "text", "text": texts::any(random)})
        }
    };
    json!([part(), part(), part()])
}

fn response(random: &mut Random) -> Case {
    let (model, picture) = choose(random, &MODELS);
    let mut image_tokens = 0;
    let input = if chance(random, 3) {
        json!(texts::any(random))
    } else {
        json!((0..=random.below(6)).map(|_| item(random, picture, &mut image_tokens)).collect::<Vec<_>>())
    };
    let mut body = json!({"model": model, "input": input});
    limit(random, &mut body, "max_output_tokens");
    if chance(random, 2) {
        body["instructions"] = json!(texts::any(random));
    }
    if chance(random, 4) {
        let mut tool = tool(random);
        tool["type"] = json!("function");
        body["tools"] = json!([tool]);
    }
    if chance(random, 6) {
        body["text"] = json!({"format": {"type": "json_schema", "name": "s", "schema": {"description": texts::any(random)}}});
    }
    Case { path: "responses", body, image_tokens }
}

fn item(random: &mut Random, picture: u64, image_tokens: &mut u64) -> Value {
    match random.below(6) {
        0 => json!({"type": "function_call", "call_id": "c", "name": name(random), "arguments": texts::any(random)}),
        1 => json!({"type": "function_call_output", "call_id": "c", "output": texts::any(random)}),
        2 => json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": texts::any(random), "annotations": []}]}),
        3 if picture > 0 => {
            *image_tokens += picture;
            json!({"role": "user", "content": [{"type": "input_text", "text": texts::any(random)}, {"type": "input_image", "image_url": "https://x/y.png"}]})
        }
        4 => json!({"role": "developer", "content": texts::any(random)}),
        _ => json!({"role": "user", "content": texts::any(random)}),
    }
}

/// A chat as people have it: instructions, and some turns, of a sentence to some pages.
pub(super) fn ordinary(kind: Kind, random: &mut Random) -> Value {
    let mut messages = vec![json!({"role": "system", "content": texts::of(Kind::English, 100 + usize::try_from(random.below(600)).unwrap(), random)})];
    for turn in 0..1 + 2 * random.below(4) {
        let role = if turn % 2 == 0 { "user" } else { "assistant" };
        let length = 60 << random.below(7);
        messages.push(json!({"role": role, "content": texts::of(kind, length, random)}));
    }
    json!({"model": choose(random, &["gpt-4o-mini", "gpt-4o", "gpt-5-mini"]), "max_completion_tokens": 500, "messages": messages})
}
