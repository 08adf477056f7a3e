//! What a request's tools cost: those that the client runs are text; those that the provider runs have the model read everything again.
//!
//! A tool at the provider is used in a loop: the model asks, the result joins the prompt, the model is run again, and each run is billed
//! for all of its input. What a result brings is not known before, so each run is bounded by the model's context window. How many runs there
//! are is bounded by the tools' `max_uses`, and by the ten after which the provider breaks such a loop off (its guide "Server tools").

use super::ask::{Scan, unknown_in};
use super::content;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{integer, short};
use crate::apis::splice::Edit;

/// After so many runs the provider breaks a loop off.
pub(super) const MOST_RUNS: u64 = 10;
/// A tool may be used at most so often in one request.
const MOST_USES: u64 = 1_000;
/// What is put into a search or fetch that sets no `max_uses`.
const DEFAULT_USES: u64 = 5;
const DEFAULT_USES_MEMBER: &str = "\"max_uses\":5,";
const DEFAULT_USES_VALUE: &str = "5";
/// What the provider adds to explain tools to the model: up to 804 tokens in its price list.
const TOOLS_TOKENS: u64 = 1_024;
/// What a tool of the provider's own definition adds (up to 735 tokens, and 499 for its use, in its price list), and a set of them.
const DEFINED_TOKENS: u64 = 2_048;
const TOOLSET_TOKENS: u64 = 8_192;

/// What has been found in one tool.
#[derive(Default)]
struct Tool {
    kind: Option<String>,
    max_uses: Option<u64>,
    /// Where a null stands for `max_uses`.
    null_uses: Option<std::ops::Range<usize>>,
}

/// Reads the tools.
pub(super) fn tools(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid("tools", "'tools' must be a list"));
    }
    let start = scanner.position();
    let mut any = false;
    scanner.array(|scanner| {
        any = true;
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("tools", "each of 'tools' must be an object"));
        }
        let inside = scanner.position() + 1;
        read(scanner, scan)?.count(inside, scan)
    })?;
    scan.tool_bytes = (scanner.position() - start) as u64;
    scan.text_bytes = scan.text_bytes.saturating_add(scan.tool_bytes);
    scan.special_tokens = scan.special_tokens.saturating_add(if any { TOOLS_TOKENS } else { 0 });
    Ok(())
}

fn read(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<Tool, AskError> {
    let mut tool = Tool::default();
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
            ("type", Kind::String) => tool.kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("max_uses", Kind::Null) => tool.null_uses = Some(scanner.value()?),
            ("max_uses", _) => tool.max_uses = Some(integer(scanner, "tools", MOST_USES)?),
            (other, _) if !known_in_tool(other) => return Err(unknown_in("tools", other)),
            _ => content::walk(scanner, scan)?,
        }
        Ok(())
    })?;
    Ok(tool)
}

fn known_in_tool(key: &str) -> bool {
    matches!(key, "name" | "description" | "input_schema" | "cache_control" | "type" | "strict" | "defer_loading" | "input_examples")
        || matches!(key, "allowed_callers" | "eager_input_streaming" | "configs" | "max_characters")
        || matches!(key, "display_width_px" | "display_height_px" | "display_number" | "enable_zoom")
        || matches!(key, "allowed_domains" | "blocked_domains" | "user_location" | "citations" | "max_content_tokens")
        || matches!(key, "use_cache" | "url_sources" | "response_inclusion")
}

// === impl Tool ===

impl Tool {
    /// `inside` is where a member can be put into it.
    fn count(self, inside: usize, scan: &mut Scan) -> Result<(), AskError> {
        let kind = self.kind.as_deref().unwrap_or("custom");
        let defined = |names: &[&str]| names.iter().any(|name| kind.strip_prefix(name).is_some_and(|version| version.starts_with("_2")));
        if kind == "custom" {
            return Ok(());
        }
        let searches = defined(&["web_search"]);
        if defined(&["bash", "text_editor", "computer", "memory"]) {
            scan.adds(DEFINED_TOKENS);
        } else if defined(&["computer_toolset", "browser_toolset"]) {
            scan.adds(TOOLSET_TOKENS);
        } else if searches || defined(&["web_fetch"]) {
            let uses = self.uses(inside, scan);
            // Later versions run code between their searches, which no `max_uses` counts.
            let first_version = matches!(kind, "web_search_20250305" | "web_fetch_20250910");
            let reruns = if first_version { uses } else { MOST_RUNS };
            scan.reruns = scan.reruns.saturating_add(reruns.max(1));
            scan.searches = scan.searches.saturating_add(if searches { uses } else { 0 });
        } else if defined(&["tool_search_tool_regex", "tool_search_tool_bm25"]) || matches!(kind, "tool_search_tool_regex" | "tool_search_tool_bm25") {
            scan.reruns = scan.reruns.max(MOST_RUNS);
        } else {
            let reason = if kind.starts_with("code_execution") {
                "run in containers that are billed by the hour, which no usage reports"
            } else {
                "cannot be priced by this gateway"
            };
            return Err(AskError::unsupported("tools", format!("tools of type '{}' {reason}", short(kind))));
        }
        Ok(())
    }

    /// How often it may be used. Where the client does not say, the provider is told.
    fn uses(&self, inside: usize, scan: &mut Scan) -> u64 {
        if let Some(uses) = self.max_uses {
            return uses;
        }
        scan.tool_edits.push(match &self.null_uses {
            Some(null) => Edit { range: null.clone(), text: DEFAULT_USES_VALUE },
            None => Edit { range: inside..inside, text: DEFAULT_USES_MEMBER },
        });
        DEFAULT_USES
    }
}
