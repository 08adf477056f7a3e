//! Answers that are not heard to their end, and providers that do not tell what they served.

use super::attempt::Expect::{AtLeast, Exact, Unbilled};
use super::attempt::{Attempt, Expect, Leaves};
use crate::support::asks::CHAT;

/// The requests whose answers are played with: what they are, their path, their body.
const ASKS: &[(&str, &str, &str)] = &[
    ("chat", CHAT, r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":30}"#),
    ("streamed chat", CHAT, r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":30,"stream":true}"#),
    ("streamed chat of three answers", CHAT, r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":30,"n":3,"stream":true}"#),
    ("completion", "/v1/completions", r#"{"model":"gpt-3.5-turbo-instruct","prompt":"once","max_tokens":30,"best_of":3}"#),
    ("embedding", "/v1/embeddings", r#"{"model":"text-embedding-3-small","input":["a text to embed","and another one"]}"#),
    ("response", "/v1/responses", r#"{"model":"gpt-4o-mini","input":"hi","max_output_tokens":30}"#),
    ("streamed response", "/v1/responses", r#"{"model":"gpt-4o-mini","input":"hi","max_output_tokens":30,"stream":true}"#),
    ("message", "/v1/messages", r#"{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}],"max_tokens":30}"#),
    ("gemini", "/v1beta/models/gemini-2.5-flash:generateContent", r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":30}}"#),
    (
        "gemini's list",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":30}}"#,
    ),
    (
        "gemini's events",
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":30}}"#,
    ),
    ("streamed message", "/v1/messages", r#"{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}],"max_tokens":30,"stream":true}"#),
];

/// What is said of the usage, how it is sent, and what must come of it.
const LIES: &[(&str, &str, Expect)] = &[
    ("no usage", "usage=none", AtLeast),
    ("negative usage", "usage=negative", AtLeast),
    ("absurd usage", "usage=absurd", AtLeast),
    ("usage twice", "usage=twice", Exact),
    ("usage in a comment", "usage=comment", AtLeast),
    ("a byte at a time", "split=1", Exact),
    ("lines that end in CR LF", "crlf split=3", Exact),
    ("an error that is billed", "status=500 error-usage", AtLeast),
    ("an error that is not billed", "status=500", Unbilled),
    ("a redirect", "redirect", Unbilled),
    ("no answer", "reset", Unbilled),
];

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (ask, path, body) in ASKS {
        for (name, script, expect) in LIES {
            // The stand-in reports usage in errors about chats alone, and the usage of embeddings is there or not.
            let reports = !script.contains("error-usage") || path.contains("chat");
            let plain = *path == "/v1/embeddings" && script.contains("usage=") && !script.contains("none");
            if reports && !plain {
                attempts.push(Attempt::post(format!("{ask}: {name}"), path, body, *expect).told(script));
            }
        }
        if body.contains("stream") || path.contains("stream") {
            for at in [1, 2, 10, 30] {
                attempts.push(Attempt::post(format!("{ask}: cut after {at} events"), path, body, AtLeast).told(&format!("cut={at}")));
            }
        } else {
            // Half an answer is kept from the client.
            attempts.push(Attempt::post(format!("{ask}: cut in its middle"), path, body, AtLeast).told("cut=1"));
            attempts.push(Attempt::post(format!("{ask}: compressed"), path, body, AtLeast).told("gzip"));
        }
        for bytes in [1, 100, 500, 1_000, 2_000, 4_000] {
            attempts.push(Attempt::post(format!("{ask}: hung up on after {bytes} bytes"), path, body, Exact).leaving(Leaves::Reading(bytes)));
        }
        for left in [1, 10, body.len(), body.len() + 30] {
            let mut attempt = Attempt::post(format!("{ask}: {left} bytes short"), path, body, Expect::Turned);
            attempt.leaves = Leaves::Sending(attempt.bytes.len() - left);
            attempts.push(attempt);
        }
    }
    attempts
}
