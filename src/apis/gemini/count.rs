//! Has the provider count the input of a request: `models/{model}:countTokens`, which is free.
//!
//! Its guide "Token counting" (read in 2026) shows a count of 10 for a prompt that is then billed as 11. It takes the whole request (`generateContentRequest`),
//! of which what the model reads goes there. A schema of the output, signatures of thoughts, files of text and the like, of which nothing says that they are
//! counted, come on top with their bytes; images and sound are in the count, and keep their own bound all the same. What only the context window bounds is not
//! counted: PDFs of a million tokens were counted as 33,000 (google-gemini/api-examples#94), and tools at the provider bring what they bring.

use super::ask::Found;
use super::names::members;
use super::path;
use crate::apis::RequestView;
use crate::apis::count::{CountCall, excerpt};
use crate::apis::json::Kind;
use crate::apis::read;

/// The call that counts the input of `:generateContent` and `:streamGenerateContent`.
pub(super) fn call(request: &RequestView<'_>, model: &str) -> Option<CountCall> {
    let mut found = Found::default();
    let mut input: Vec<&[u8]> = Vec::new();
    let mut scanner = read::object(request.body).ok()?;
    members(&mut scanner, "request", |scanner, name, start| {
        let is_null = scanner.kind()? == Kind::Null;
        found.member(scanner, request.body, model, name, start)?;
        if becomes_input(name) && !is_null {
            input.push(scanner.slice(start..scanner.position()));
        }
        Ok(())
    })
    .ok()?;
    let scan = found.scan;
    if scan.unseen {
        return None;
    }
    Some(CountCall {
        path: path::counting(request.path, model),
        query: None,
        body: excerpt(&format!("{{\"generateContentRequest\":{{\"model\":\"models/{model}\","), &input, "}}"),
        told_in: "totalTokens",
        beside: scan.beside,
        text_bytes: scan.text_bytes.saturating_sub(scan.media_bytes).saturating_sub(scan.beside),
    })
}

/// Members that become input, and are counted where they do.
fn becomes_input(name: &str) -> bool {
    matches!(name, "contents" | "systemInstruction" | "tools" | "toolConfig")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
