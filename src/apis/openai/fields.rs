//! The members of a request's body: which of them cost, which become tokens, which do neither, and which are refused.
//!
//! Known is what the OpenAI API documents and what providers with the same API add to it (vLLM, DeepSeek, Groq, OpenRouter, Mistral,
//! Qwen, ...). Everything else is refused: a member that this table does not know may cost money that the quote does not see.

/// What a member of the body means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) enum Field {
    Model,
    Messages,
    Prompt,
    EmbeddingInput,
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
    /// Costs nothing and becomes no tokens.
    Free,
    /// Refused with the reason.
    Refused(&'static str),
    Unknown,
}

/// Which operation a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::apis) enum Shape {
    Chat,
    Completion,
    Embedding,
}

/// The members that an operation takes: those of its shape, and those that a provider of the same API adds.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Fields {
    pub(in crate::apis) shape: Shape,
    pub(in crate::apis) added: fn(&str) -> Option<Field>,
}

impl From<Shape> for Fields {
    fn from(shape: Shape) -> Self {
        Self { shape, added: |_| None }
    }
}

impl Fields {
    /// What the member `key` means.
    pub(super) fn field(self, key: &str) -> Field {
        (self.added)(key).unwrap_or_else(|| match self.shape {
            Shape::Chat => chat(key),
            Shape::Completion => completion(key),
            Shape::Embedding => embedding(key),
        })
    }

    /// The member that `key` equals but for the case of its letters.
    pub(super) fn case_variant(self, key: &str) -> Option<String> {
        let lower = key.to_ascii_lowercase();
        (lower != key && self.field(&lower) != Field::Unknown).then_some(lower)
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
