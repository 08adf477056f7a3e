//! The members of a request's body: which of them cost, which become tokens, which do neither, and which are refused.
//!
//! Known is what OpenAI's API reference, "Create a response", documents. Everything else is refused: a member that this table does not know may cost money
//! that the quote does not see.

/// What a member of the body means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Input,
    Stream,
    Background,
    MaxOutputTokens,
    MaxToolCalls,
    ServiceTier,
    PreviousResponse,
    Tools,
    Reasoning,
    CacheOptions,
    /// A text that the model reads as it is.
    Instructions,
    /// Becomes input tokens: counted by its bytes.
    Text,
    /// Costs nothing and becomes no tokens.
    Free,
    /// Refused with the reason.
    Refused(&'static str),
    Unknown,
}

/// What the member `key` means.
pub(super) fn field(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "input" => Field::Input,
        "stream" => Field::Stream,
        "background" => Field::Background,
        "max_output_tokens" => Field::MaxOutputTokens,
        "max_tool_calls" => Field::MaxToolCalls,
        "service_tier" => Field::ServiceTier,
        "previous_response_id" => Field::PreviousResponse,
        "tools" => Field::Tools,
        "reasoning" => Field::Reasoning,
        "prompt_cache_options" => Field::CacheOptions,
        "instructions" => Field::Instructions,
        "text" | "tool_choice" => Field::Text,
        // Stored, filed, shown or answered differently at the same price. Moderation is free (its guide "Moderation").
        "store" | "metadata" | "include" | "user" | "safety_identifier" | "parallel_tool_calls" | "truncation" | "moderation" | "image" => Field::Free,
        "temperature" | "top_p" | "top_logprobs" | "stream_options" | "prompt_cache_key" | "prompt_cache_retention" => Field::Free,
        "conversation" => Field::Refused("conversations belong to the provider's key, which all tokens share; send the history, or 'previous_response_id'"),
        "prompt" => Field::Refused("what a stored prompt holds, and which tools it brings, is not seen here; send it as 'instructions' and 'input'"),
        "context_management" => Field::Refused("the model is run again for a compaction, which nothing in the request bounds"),
        "background_options" => Field::Refused(BACKGROUND),
        _ => Field::Unknown,
    }
}

/// Why nothing runs in the background.
pub(super) const BACKGROUND: &str = "what runs in the background is billed after the call has ended, when nobody meters it any more; leave it out, or stream";

/// The member that `key` equals but for the case of its letters.
pub(super) fn case_variant(key: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    (lower != key && field(&lower) != Field::Unknown).then_some(lower)
}

/// Members of an item of the input. Agents send back the items they were given, so what an answer has is known here too.
pub(super) fn known_in_item(key: &str) -> bool {
    matches!(key, "role" | "status" | "phase" | "call_id" | "name" | "namespace" | "arguments" | "input" | "encrypted_content" | "caller" | "created_by")
        || matches!(key, "action" | "actions" | "operation" | "environment" | "max_output_length" | "execution")
        || matches!(key, "pending_safety_checks" | "acknowledged_safety_checks" | "reasoning" | "text")
}

/// Members of a part of an item's content.
pub(super) fn known_in_part(key: &str) -> bool {
    matches!(key, "text" | "annotations" | "logprobs" | "refusal" | "filename" | "stdout" | "stderr" | "outcome" | "created_by")
}
