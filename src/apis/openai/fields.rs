//! The members of a request's body: which of them cost, which become tokens, which do neither, and which are refused.
//!
//! Known is what the OpenAI API documents and what providers with the same API add to it (vLLM, DeepSeek, Groq, OpenRouter, Mistral,
//! Qwen, ...). Everything else is refused: a member that this table does not know may cost money that the quote does not see.

use super::ask::reasons_unseen;
use super::content::REQUEST_TOKENS;
use super::images::most_tokens;

/// What a member of the body means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) enum Field {
    Model,
    Messages,
    Prompt,
    EmbeddingInput,
    ModerationInput,
    Stream,
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
    /// `n` and `best_of`: the larger counts.
    Choices,
    ServiceTier,
    Prediction,
    Modalities,
    Tools,
    WebSearch,
    /// Becomes input tokens: counted by its bytes.
    Text,
    /// How much the model reasons, where that may not show in a stream.
    Reasoning,
    /// OpenRouter: whether the usage and the cost are told.
    UsageAccounting,
    /// Costs nothing and becomes no tokens.
    Free,
    /// Refused with the reason.
    Refused(&'static str),
    Unknown,
}

/// What an API that has OpenAI's shapes adds to the parameters of all of them: [`Field::Free`] or [`Field::Refused`]. None for what it does not.
pub(in crate::apis) type Added = fn(&str) -> Option<Field>;

/// Which operation a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) enum Shape {
    Chat,
    Completion,
    Embedding,
    Moderation,
}

/// Where an API that has OpenAI's shapes differs from it.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Dialect {
    /// What a member of a body means.
    pub(in crate::apis) field: fn(Shape, &str) -> Field,
    /// The tiers that a request may ask for. Which one it was billed by, the answer says.
    pub(in crate::apis) service_tiers: &'static [&'static str],
    /// The usage at the end of a stream has to be asked for.
    pub(in crate::apis) asks_for_usage: bool,
    /// What a chat's format adds to a request.
    pub(in crate::apis) request_tokens: u64,
    /// The most that one image costs for a model, in tokens, in low detail or not.
    pub(in crate::apis) image_tokens: fn(&str, bool) -> u64,
    /// The most audio that one request can hold, in milliseconds, where messages may hold any that is billed by its length.
    pub(in crate::apis) audio_millis: Option<u64>,
    /// Whether it is not known of a model that all it is billed for shows in the stream.
    pub(in crate::apis) reasons_unseen: fn(&str) -> bool,
}

/// OpenAI's own, and what others add to it.
pub(in crate::apis) const OPENAI: Dialect = Dialect {
    field,
    service_tiers: &["auto", "default", "flex", "priority", "scale", "fast"],
    asks_for_usage: true,
    request_tokens: REQUEST_TOKENS,
    image_tokens: most_tokens,
    audio_millis: None,
    reasons_unseen,
};

// === impl Dialect ===

impl Dialect {
    /// The member that `key` equals but for the case of its letters.
    pub(super) fn case_variant(&self, shape: Shape, key: &str) -> Option<String> {
        let lower = key.to_ascii_lowercase();
        (lower != key && (self.field)(shape, &lower) != Field::Unknown).then_some(lower)
    }
}

fn field(shape: Shape, key: &str) -> Field {
    match shape {
        Shape::Chat => chat(key),
        Shape::Completion => completion(key),
        Shape::Embedding => embedding(key),
        Shape::Moderation => moderation(key),
    }
}

fn chat(key: &str) -> Field {
    match key {
        "messages" => Field::Messages,
        "max_completion_tokens" => Field::MaxCompletionTokens,
        "prediction" => Field::Prediction,
        "modalities" => Field::Modalities,
        "tools" => Field::Tools,
        "web_search_options" => Field::WebSearch,
        "functions" | "function_call" | "tool_choice" | "response_format" => Field::Text,
        // Arguments of the chat template.
        "chat_template_kwargs" => Field::Text,
        // OpenAI: stored, filed, routed or answered differently at the same price.
        "parallel_tool_calls"
        | "store"
        | "reasoning_effort"
        | "verbosity"
        | "prompt_cache_key"
        | "prompt_cache_retention"
        | "prompt_cache_options"
        | "safety_identifier" => Field::Free,
        "top_logprobs" => Field::Free,
        // Other providers: how much of the output limit goes into reasoning, and how it is shown.
        "reasoning" | "include_reasoning" | "reasoning_format" | "separate_reasoning" | "stream_reasoning" | "thinking" | "enable_thinking"
        | "thinking_budget" => Field::Free,
        "usage" => Field::UsageAccounting,
        "add_generation_prompt" | "continue_final_message" => Field::Free,
        "audio" => Field::Refused("audio output is not available through this gateway yet"),
        "chat_template" => Field::Refused("a template can repeat its input, so what it makes of it cannot be bounded"),
        _ => generation(key),
    }
}

fn completion(key: &str) -> Field {
    match key {
        "prompt" => Field::Prompt,
        "suffix" => Field::Text,
        "echo" => Field::Free,
        _ => generation(key),
    }
}

fn embedding(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "input" => Field::EmbeddingInput,
        "service_tier" => Field::ServiceTier,
        // Some providers put a sentence for the task before the text: longer than its name, and within what a request is charged extra.
        "input_type" | "task" => Field::Text,
        "dimensions" | "encoding_format" | "user" | "truncate" | "truncation" | "normalized" | "output_dimension" | "output_dtype" | "metadata"
        | "priority" => Field::Free,
        _ => Field::Unknown,
    }
}

fn moderation(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "input" => Field::ModerationInput,
        "user" | "metadata" | "safety_identifier" => Field::Free,
        _ => Field::Unknown,
    }
}

/// What chat and completions share.
fn generation(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "stream" => Field::Stream,
        "stream_options" => Field::StreamOptions,
        "max_tokens" => Field::MaxTokens,
        "n" | "best_of" => Field::Choices,
        "service_tier" => Field::ServiceTier,
        "temperature" | "top_p" | "stop" | "seed" | "logit_bias" | "logprobs" | "user" | "metadata" | "presence_penalty" | "frequency_penalty" => Field::Free,
        // Sampling in vLLM and its relatives.
        "top_k" | "top_a" | "min_p" | "typical_p" | "repetition_penalty" | "length_penalty" | "min_tokens" | "ignore_eos" | "stop_token_ids" | "bad_words"
        | "random_seed" => Field::Free,
        "include_stop_str_in_output" | "skip_special_tokens" | "spaces_between_special_tokens" | "add_special_tokens" | "truncate_prompt_tokens" => Field::Free,
        "prompt_logprobs" | "return_token_ids" | "return_tokens_as_token_ids" | "priority" | "request_id" | "cache_salt" => Field::Free,
        // Guided decoding.
        "guided_json" | "guided_regex" | "guided_choice" | "guided_grammar" | "guided_decoding_backend" | "structured_outputs" => Field::Text,
        _ => Field::Unknown,
    }
}

/// Members of a message. Agents send back the messages they were given, so what providers add to an answer is known here too.
pub(super) fn known_in_message(key: &[u8]) -> bool {
    matches!(
        key,
        b"role"
            | b"name"
            | b"tool_calls"
            | b"tool_call_id"
            | b"function_call"
            | b"refusal"
            | b"annotations"
            | b"reasoning"
            | b"reasoning_content"
            | b"reasoning_details"
            | b"thinking"
            | b"extra_content"
            | b"cache_control"
            | b"prefix"
            | b"partial"
            | b"phase"
            | b"id"
            | b"index"
            | b"type"
            | b"status"
    )
}
