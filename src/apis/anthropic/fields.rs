//! The members of a request's body: which of them cost, which become tokens, which do neither, and which are refused.
//!
//! Known is what Anthropic's reference documents. Everything else is refused: a member that this table does not know may cost money that
//! the quote does not see.

/// What a member of the body means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Model,
    Messages,
    System,
    MaxTokens,
    Stream,
    Tools,
    Thinking,
    OutputConfig,
    ContextManagement,
    ServiceTier,
    Speed,
    InferenceGeo,
    /// Becomes input tokens: counted by its bytes.
    Text,
    /// A schema of the output: text, and a few words of the provider's own.
    Format,
    /// Costs nothing and becomes no tokens. A time to live in it counts all the same.
    Free,
    /// Refused with the reason.
    Refused(&'static str),
    Unknown,
}

/// What the member `key` means.
pub(super) fn field(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "messages" => Field::Messages,
        "system" => Field::System,
        "max_tokens" => Field::MaxTokens,
        "stream" => Field::Stream,
        "tools" => Field::Tools,
        "thinking" => Field::Thinking,
        "output_config" => Field::OutputConfig,
        "context_management" => Field::ContextManagement,
        "service_tier" => Field::ServiceTier,
        "speed" => Field::Speed,
        "inference_geo" => Field::InferenceGeo,
        "tool_choice" => Field::Text,
        "output_format" => Field::Format,
        "temperature" | "top_p" | "top_k" | "stop_sequences" | "metadata" | "cache_control" | "diagnostics" => Field::Free,
        "container" => Field::Refused("containers are billed by the hour, which no usage reports"),
        "mcp_servers" => Field::Refused("tools of MCP servers run at the provider, and how often and on what cannot be bounded"),
        "compaction" => Field::Refused("what is compacted is billed beside the answer and its limit"),
        "fallbacks" | "fallback_credit_token" => Field::Refused("another model may answer, at another price"),
        "billing_policy" => Field::Refused("who is billed is the operator's business"),
        "thread" => Field::Refused("what a thread holds is not seen by this gateway"),
        _ => Field::Unknown,
    }
}

/// Members that become input, as far as the counting of tokens takes them. Not `context_management`: near the length from which something is
/// cleared, a count could say that it is, and the bill that it was not.
pub(super) fn becomes_input(key: &str) -> bool {
    matches!(key, "model" | "messages" | "system" | "tools" | "tool_choice" | "thinking" | "output_config" | "output_format")
}

/// The member that `key` equals but for the case of its letters.
pub(super) fn case_variant(key: &str) -> Option<String> {
    let lower = key.to_ascii_lowercase();
    (lower != key && field(&lower) != Field::Unknown).then_some(lower)
}
