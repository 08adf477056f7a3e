//! The members of a request's body: which of them cost, which become tokens, which do neither.
//!
//! Known is what Cohere's reference documents for version 2. Everything else is refused: a member that this table does not know may cost money
//! that the quote does not see.

use crate::apis::read::short;
use crate::apis::{AskError, AskErrorKind};

/// What a member of the body means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Messages,
    MaxTokens,
    Stream,
    Tools,
    Documents,
    Thinking,
    /// Of embeddings.
    Texts,
    Images,
    Inputs,
    /// Of reranking.
    Query,
    Ranked,
    TokensPerDocument,
    /// Becomes input tokens: counted by its bytes.
    Text,
    /// Costs nothing and becomes no tokens.
    Free,
    Unknown,
}

/// Which operation a body belongs to: what a member means there.
pub(super) type Table = fn(&str) -> Field;

/// Members of `POST v2/chat`.
pub(super) fn chat(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "messages" => Field::Messages,
        "max_tokens" => Field::MaxTokens,
        "stream" => Field::Stream,
        "tools" => Field::Tools,
        "documents" => Field::Documents,
        "thinking" => Field::Thinking,
        "response_format" => Field::Text,
        "strict_tools" | "tool_choice" | "citation_options" | "safety_mode" | "stop_sequences" | "temperature" | "seed" | "frequency_penalty"
        | "presence_penalty" | "k" | "p" | "logprobs" | "priority" => Field::Free,
        _ => Field::Unknown,
    }
}

/// Members of `POST v2/embed`. Its `max_tokens` cuts each input short.
pub(super) fn embed(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "texts" => Field::Texts,
        "images" => Field::Images,
        "inputs" => Field::Inputs,
        "input_type" | "max_tokens" | "output_dimension" | "embedding_types" | "truncate" | "priority" => Field::Free,
        _ => Field::Unknown,
    }
}

/// Members of `POST v2/rerank`.
pub(super) fn rerank(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "query" => Field::Query,
        "documents" => Field::Ranked,
        "max_tokens_per_doc" => Field::TokensPerDocument,
        // Which results come back, and with how much beside their score: priced by what is searched all the same.
        "top_n" | "relevant_spans" | "return_documents" | "priority" => Field::Free,
        _ => Field::Unknown,
    }
}

/// A member that the table does not know.
pub(super) fn unknown(table: Table, key: &str) -> AskError {
    let key = short(key);
    let lower = key.to_ascii_lowercase();
    if lower != key && table(&lower) != Field::Unknown {
        return AskError { param: Some(key.clone()), message: format!("'{key}' must be written '{lower}'"), kind: AskErrorKind::Invalid };
    }
    AskError::unsupported(key.clone(), format!("'{key}' is not known to this gateway, so what it costs cannot be bounded; leave it out"))
}

/// Whether `key` is a known member but for the case of its letters.
pub(super) fn is_case_variant(table: Table, key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower != key && table(&lower) != Field::Unknown
}

/// A member inside of `param` that is not known.
pub(super) fn unknown_in(param: &'static str, key: &str) -> AskError {
    AskError::unsupported(param, format!("'{}' in '{param}' is not known to this gateway, so what it costs cannot be bounded", short(key)))
}
