//! Has the provider count the input of a request: `POST messages/count_tokens`, which is free.
//!
//! Its guide "Token counting" (read in 2026) calls the count an estimate, from which the input of the message "may differ by a small amount". It takes system
//! prompts, tools, images and PDFs. What it leaves out, or is not known to have in it, comes on top with the bound that it has without a count. Tools at
//! the provider, of which it counts the first run alone, and what the provider fetches from an address are not counted at all.

use super::ask::{Scan, members};
use super::fields;
use crate::apis::count::{CountCall, excerpt};
use crate::apis::json::Kind;
use crate::apis::{AskError, RequestView};

/// The call that counts the input of `POST messages`.
pub(super) fn call(request: &RequestView<'_>) -> Option<CountCall> {
    let mut scan = Scan::default();
    let mut input: Vec<&[u8]> = Vec::new();
    members(request.body, |scanner, key, start| {
        let is_null = scanner.kind()? == Kind::Null;
        scan.member(scanner, key, start)?;
        if fields::becomes_input(key) && !is_null {
            input.push(scanner.slice(start..scanner.position()));
        }
        Ok::<(), AskError>(())
    })
    .ok()?;
    if scan.fetched || scan.reruns > 0 {
        return None;
    }
    let beside = scan.beside.saturating_add(scan.tool_bytes.saturating_mul(scan.tool_references));
    // Definitions of tools may wait until they are looked for.
    let no_text = [scan.image_bytes, scan.pdf_bytes, scan.tool_bytes, beside].into_iter().fold(0, u64::saturating_add);
    Some(CountCall {
        path: format!("{}/count_tokens", request.path),
        query: request.query.map(str::to_owned),
        body: excerpt("{", &input, "}"),
        told_in: "input_tokens",
        beside,
        text_bytes: scan.text_bytes.saturating_sub(no_text),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
