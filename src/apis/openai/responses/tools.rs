//! What a request's tools cost: those that the client runs are text; of those that the provider runs, searches are bounded and the rest is refused.
//!
//! A tool at the provider is used in a loop: the model asks, the result joins the prompt, the model is run again, and each run is billed for all of its
//! input. What a result brings is not known before, so each run is bounded by the model's context window; how many there are is bounded by
//! `max_tool_calls` (OpenAI's API reference, "Create a response").

use super::ask::Scan;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::short;

/// What the format adds to explain tools to the model.
const TOOLS_TOKENS: u64 = 192;
/// What a tool of the provider's own definition adds. Not documented for OpenAI; Anthropic's like tools take up to 735 tokens.
const DEFINED_TOKENS: u64 = 2_048;

/// Reads the tools.
pub(super) fn tools(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid("tools", "'tools' must be a list"));
    }
    let start = scanner.position();
    let mut any = false;
    scanner.array(|scanner| {
        any = true;
        tool(scanner, scan)
    })?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    scan.special_tokens = scan.special_tokens.saturating_add(if any { TOOLS_TOKENS } else { 0 });
    Ok(())
}

fn tool(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid("tools", "each of 'tools' must be an object"));
    }
    let (mut kind, mut place, mut execution) = (None, None, None);
    let text = |scanner: &mut Scanner<'_>| scanner.string().map(|text| text.decode().map(std::borrow::Cow::into_owned));
    scanner.object(|scanner, member| {
        match (member.key.decode().as_deref().unwrap_or_default(), scanner.kind()?) {
            ("type", Kind::String) => kind = text(scanner)?,
            ("execution", Kind::String) => execution = text(scanner)?,
            ("environment", Kind::Object) => scanner.object(|scanner, member| {
                if member.key.decode().as_deref() == Some("type") && scanner.kind()? == Kind::String {
                    place = text(scanner)?;
                    return Ok(());
                }
                scanner.skip()
            })?,
            // A namespace holds tools.
            ("tools", Kind::Array) => scanner.array(|scanner| tool(scanner, scan))?,
            _ => scanner.skip()?,
        }
        Ok::<(), AskError>(())
    })?;
    let Some(kind) = kind.as_deref() else { return Err(AskError::invalid("tools", "each of 'tools' must have a 'type'")) };
    let reason = match kind {
        "function" | "custom" | "namespace" => return Ok(()),
        "apply_patch" | "local_shell" | "computer" | "computer_use_preview" => return scan.defined_tool(),
        "shell" if place.as_deref() == Some("local") => return scan.defined_tool(),
        "tool_search" if execution.as_deref() == Some("client") => return scan.defined_tool(),
        "web_search" | "web_search_2025_08_26" => {
            scan.searches = true;
            return scan.defined_tool();
        }
        "web_search_preview" | "web_search_preview_2025_03_11" => {
            scan.preview_search = true;
            return scan.defined_tool();
        }
        "tool_search" => "have the model run again at the provider, which nothing in the request bounds; with 'execution' set to 'client' they are taken",
        "file_search" => "search files that belong to the provider's key, which all tokens share",
        "shell" => "run in containers that are billed by their time, which no usage reports; with an 'environment' of type 'local' they are taken",
        "code_interpreter" | "programmatic_tool_calling" => "run in containers that are billed by their time, which no usage reports",
        "image_generation" => "make images at another model's price, which is not bounded here; images/generations is the operation for that",
        "mcp" => "have the model run again for every call of another server, which nothing in the request bounds",
        _ => "cannot be priced by this gateway",
    };
    Err(AskError::unsupported("tools", format!("tools of type '{}' {reason}", short(kind))))
}

// === impl Scan ===

impl Scan<'_> {
    fn defined_tool(&mut self) -> Result<(), AskError> {
        self.special_tokens = self.special_tokens.saturating_add(DEFINED_TOKENS);
        Ok(())
    }
}
