//! Where Mistral's API differs from OpenAI's: the members of its requests, and what bounds the input that is not text.
//!
//! Known is what Mistral's reference documents. Everything else is refused: a member that this table does not know may cost money that the quote
//! does not see.

use crate::apis::openai::{Dialect, Field, Shape};

/// The dialect.
pub(super) const MISTRAL: Dialect = Dialect {
    field,
    service_tiers: &["auto", "standard_only"],
    // It comes unasked, on the last chunk with content; `stream_options` is not a member of the API.
    asks_for_usage: false,
    // The format's own marks, and the system prompts that `safe_prompt` and `prompt_mode` put in.
    request_tokens: 1_088,
    image_tokens,
    audio_millis: Some(LONGEST_AUDIO),
    reasons_unseen,
};

/// An image is scaled down to fit the encoder's largest square, in patches, with a mark at the end of each row (Mistral's library `mistral-common`,
/// "Images"): 1,024 pixels in patches of 16, which are 4,160 tokens (Pixtral), or 1,540 in patches of 28, which are 3,080. Later models may see more.
const IMAGE_TOKENS: u64 = 10_000;

/// Audio is billed by its length, which its bytes do not bound. Chats take 40 minutes (Mistral's announcement of Voxtral); the longest recording that
/// any operation takes is 3 hours (that of Voxtral Transcribe 2).
const LONGEST_AUDIO: u64 = 3 * 3_600_000;

fn image_tokens(_model: &str, _low_detail: bool) -> u64 {
    IMAGE_TOKENS
}

/// Mistral's own models show what they think, but for those that do little else, of which it is not known.
fn reasons_unseen(model: &str) -> bool {
    !["mistral-", "ministral-", "codestral-", "devstral-", "pixtral-", "voxtral-", "open-mi", "mixtral-"].iter().any(|start| model.starts_with(start))
}

fn field(shape: Shape, key: &str) -> Field {
    match shape {
        Shape::Chat => chat(key),
        Shape::Completion => fim(key),
        Shape::Embedding => embedding(key),
        // No operation here has it.
        Shape::Moderation => Field::Unknown,
    }
}

fn chat(key: &str) -> Field {
    match key {
        "messages" => Field::Messages,
        "n" => Field::Choices,
        "service_tier" => Field::ServiceTier,
        "prediction" => Field::Prediction,
        "tools" => Field::Tools,
        "tool_choice" | "response_format" => Field::Text,
        "presence_penalty"
        | "frequency_penalty"
        | "repetition_penalty"
        | "top_k"
        | "logprobs"
        | "top_logprobs"
        | "prompt_logprobs"
        | "top_prompt_logprobs"
        | "parallel_tool_calls"
        | "prompt_mode"
        | "safe_prompt" => Field::Free,
        "reasoning_effort" => Field::Reasoning,
        "guardrails" => Field::Refused("another model checks the messages, and what that costs is not in the usage"),
        _ => generation(key),
    }
}

fn fim(key: &str) -> Field {
    match key {
        "prompt" => Field::Prompt,
        "suffix" => Field::Text,
        _ => generation(key),
    }
}

fn embedding(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "input" => Field::EmbeddingInput,
        "output_dimension" | "output_dtype" | "encoding_format" | "metadata" => Field::Free,
        _ => Field::Unknown,
    }
}

/// What chats and fill-in-the-middle share.
fn generation(key: &str) -> Field {
    match key {
        "model" => Field::Model,
        "stream" => Field::Stream,
        "max_tokens" => Field::MaxTokens,
        "temperature" | "top_p" | "stop" | "random_seed" | "metadata" | "min_tokens" | "prompt_cache_key" => Field::Free,
        _ => Field::Unknown,
    }
}
