//! Writes the answer: as one object, or in pieces, as events or as a list that grows.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::ask::Ask;
use super::{Part, Reply, Tokens};
use crate::sandbox::text;

/// The pieces of an answer: one, or where it is streamed one for each word or two.
pub(super) fn pieces(ask: &Ask<'_>, replies: &[Reply], stream: bool, no_usage: bool) -> Vec<Value> {
    if !stream {
        let candidates = replies.iter().enumerate().map(|(index, reply)| candidate(index, reply.parts.iter().map(part).collect(), Some(reply))).collect();
        return vec![piece(ask, candidates, if no_usage { None } else { Some(usage(ask, replies, true)) })];
    }
    let bytes = replies.iter().flat_map(|reply| &reply.parts).map(Part::bytes).sum();
    let mut pieces = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        let mut parts: Vec<Value> = reply.parts.iter().flat_map(|part| cut(part, bytes)).collect();
        let last = parts.pop();
        let last_reply = index + 1 == replies.len();
        for part in parts {
            pieces.push(piece(ask, vec![candidate(index, vec![part], None)], if no_usage { None } else { Some(usage(ask, replies, false)) }));
        }
        let usage = if no_usage { None } else { Some(usage(ask, replies, last_reply)) };
        pieces.push(piece(ask, vec![candidate(index, last.into_iter().collect(), Some(reply))], usage));
    }
    pieces
}

/// One object.
pub(super) fn whole(pieces: Vec<Value>) -> String {
    pieces.into_iter().next().unwrap_or_default().to_string()
}

/// Events, ended as Google ends them.
pub(super) fn events(pieces: Vec<Value>) -> Vec<Bytes> {
    pieces.into_iter().map(|piece| Bytes::from(format!("data: {piece}\r\n\r\n"))).collect()
}

/// A list, a chunk for each of its elements.
pub(super) fn list(pieces: Vec<Value>) -> Vec<Bytes> {
    let count = pieces.len();
    let element = |(index, piece): (usize, Value)| {
        let front = if index == 0 { "[" } else { ",\r\n" };
        let back = if index + 1 == count { "\n]\n" } else { "\n" };
        Bytes::from(format!("{front}{piece}{back}"))
    };
    pieces.into_iter().enumerate().map(element).collect()
}

fn piece(ask: &Ask<'_>, candidates: Vec<Value>, usage: Option<Value>) -> Value {
    let mut piece = Map::new();
    piece.insert("candidates".to_owned(), Value::Array(candidates));
    if let Some(usage) = usage {
        piece.insert("usageMetadata".to_owned(), usage);
    }
    piece.insert("modelVersion".to_owned(), json!(ask.model));
    piece.insert("responseId".to_owned(), json!(ask.seed.id("", 24)));
    Value::Object(piece)
}

/// A candidate: without a reply it goes on.
fn candidate(index: usize, parts: Vec<Value>, ended: Option<&Reply>) -> Value {
    // A content without parts has none at all.
    let content = if parts.is_empty() { json!({"role": "model"}) } else { json!({"parts": parts, "role": "model"}) };
    match ended {
        Some(reply) => json!({"content": content, "finishReason": reply.finish, "index": index}),
        None => json!({"content": content, "index": index}),
    }
}

/// What is said of the usage; before the `end`, of the prompt alone. Counts of nothing are left out, as Google leaves them out.
fn usage(ask: &Ask<'_>, replies: &[Reply], end: bool) -> Value {
    let sum = |count: fn(&Tokens) -> u64| if end { replies.iter().map(|reply| count(&reply.tokens)).sum::<u64>() } else { 0 };
    let (words, image, audio) = (sum(|tokens| tokens.text), sum(|tokens| tokens.image), sum(|tokens| tokens.audio));
    let thoughts: u64 = if end { replies.iter().map(|reply| reply.thoughts).sum() } else { 0 };
    let said = words + image + audio;
    let mut usage = Map::new();
    let mut put = |name: &str, count: u64| {
        if count > 0 {
            usage.insert(name.to_owned(), json!(count));
        }
    };
    put("promptTokenCount", ask.input_tokens);
    put("candidatesTokenCount", said);
    put("thoughtsTokenCount", thoughts);
    put("totalTokenCount", ask.input_tokens + said + thoughts);
    usage.insert("promptTokensDetails".to_owned(), json!([{"modality": "TEXT", "tokenCount": ask.input_tokens}]));
    let split = [("TEXT", words), ("IMAGE", image), ("AUDIO", audio)];
    if image + audio > 0 {
        let split: Vec<Value> =
            split.iter().filter(|(_, count)| *count > 0).map(|(modality, count)| json!({"modality": modality, "tokenCount": count})).collect();
        usage.insert("candidatesTokensDetails".to_owned(), Value::Array(split));
    }
    Value::Object(usage)
}

fn part(part: &Part) -> Value {
    match part {
        Part::Thought(text) => json!({"text": text, "thought": true}),
        Part::Text(text) => json!({"text": text}),
        Part::Call { id, name, args } => json!({"functionCall": {"id": id, "name": name, "args": args}}),
        Part::Data { mime_type, data } => json!({"inlineData": {"mimeType": mime_type, "data": data}}),
    }
}

/// A part as a stream delivers it: text by the word, all else whole.
fn cut(whole: &Part, bytes: usize) -> Vec<Value> {
    match whole {
        Part::Thought(said) => text::pieces(said, bytes).map(|piece| json!({"text": piece, "thought": true})).collect(),
        Part::Text(said) => text::pieces(said, bytes).map(|piece| json!({"text": piece})).collect(),
        Part::Call { .. } | Part::Data { .. } => vec![part(whole)],
    }
}

// === impl Part ===

impl Part {
    fn bytes(&self) -> usize {
        match self {
            Self::Thought(said) | Self::Text(said) => said.len(),
            Self::Call { .. } | Self::Data { .. } => 0,
        }
    }
}
