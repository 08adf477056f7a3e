//! What a request's messages and system prompt can become in tokens.
//!
//! A token of a byte-level tokenizer is at least one byte of text. So the bytes of a message, as it stands in the body, bound its tokens;
//! the names and quotes of its members outnumber the few special tokens between messages. What is not text is bounded by its own rule:
//! images by their number, documents that are not text by the model's context window; or it is refused.

use super::ask::{Scan, unknown_in};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::short;
use crate::apis::{AskError, openai};

/// Special tokens around one message, beside its bytes.
const MESSAGE_TOKENS: u64 = 8;
/// The most that one image costs, at any size: larger ones are scaled down. The provider's guide "Vision" gives about 1,600 tokens, and 4,784 for
/// models with high resolution.
pub(super) const IMAGE_TOKENS: u64 = 5_000;
/// With citations, a document is cut into sentences and each is marked. A sentence is at least a byte, and its marks are taken to be at most
/// this many tokens.
const CITATION_FACTOR: u64 = 16;

/// The most that one image costs for `model`: resellers offer others' models by this API too, as `seller/model`.
pub(super) fn most_image_tokens(model: &str) -> u64 {
    match model.split_once('/') {
        Some((seller, _)) if seller != "anthropic" => IMAGE_TOKENS.max(openai::most_image_tokens(model, false)),
        _ => IMAGE_TOKENS,
    }
}

/// Where an image or a document comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// An image in the body, of so many bytes.
    ImageData(u64),
    /// A PDF in the body, of so many bytes.
    Pdf(u64),
    /// At an address.
    Url,
    /// Text or blocks in the body, counted where they stand.
    Inline,
}

/// What has been found in one block.
#[derive(Default)]
struct Block {
    kind: Option<String>,
    source: Option<Source>,
    citations: bool,
    foreign: Option<String>,
}

/// Counts the messages and looks into their blocks.
pub(super) fn messages(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid("messages", "'messages' must be a list of messages"));
    }
    let start = scanner.position();
    scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("messages", "each of 'messages' must be an object"));
        }
        scan.special_tokens = scan.special_tokens.saturating_add(MESSAGE_TOKENS);
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            match key.as_deref().unwrap_or_default() {
                "content" => content(scanner, scan),
                "role" => scanner.skip().map_err(AskError::from),
                _ if scanner.kind()? == Kind::Null => scanner.skip().map_err(AskError::from),
                other => Err(unknown_in("messages", other)),
            }
        })
    })?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}

/// Counts the system prompt: a text or blocks.
pub(super) fn system(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    scanner.kind()?;
    let start = scanner.position();
    content(scanner, scan)?;
    scan.special_tokens = scan.special_tokens.saturating_add(MESSAGE_TOKENS);
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}

/// A text, or a list of blocks.
fn content(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    match scanner.kind()? {
        Kind::String | Kind::Null => scanner.skip().map_err(AskError::from),
        Kind::Array => scanner.array(|scanner| match scanner.kind()? {
            Kind::Object => block(scanner, scan),
            _ => Err(AskError::invalid("messages", "each block of 'content' must be an object")),
        }),
        _ => Err(AskError::invalid("messages", "'content' must be a string or a list of blocks")),
    }
}

/// One block. Its type may stand behind what it decides on, so all is read first.
fn block(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    let mut found = Block::default();
    let start = scanner.position();
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        let kind = scanner.kind()?;
        match (key.as_deref().unwrap_or_default(), kind) {
            (_, Kind::Null) => scanner.skip()?,
            ("type", Kind::String) => found.kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("source", Kind::Object) => found.source = Some(source(scanner, scan)?),
            // Results of tools and documents hold blocks of their own; what a search found and what a fetch brought stand in an object.
            ("content", Kind::Array) => content(scanner, scan)?,
            ("content", Kind::Object) => block(scanner, scan)?,
            ("citations", Kind::Object) => found.citations = citations(scanner)?,
            (other, _) => {
                if !known_in_block(other) {
                    found.foreign = Some(other.to_owned());
                }
                walk(scanner, scan)?;
            }
        }
        Ok::<(), AskError>(())
    })?;
    found.count((scanner.position() - start) as u64, scan)
}

/// An image's or a document's source. Its type may stand behind its data.
fn source(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<Source, AskError> {
    let (mut kind, mut media_type, mut data_bytes) = (None, None, 0);
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
            ("type", Kind::String) => kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("media_type", Kind::String) => media_type = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("data", Kind::String) => data_bytes = scanner.string()?.raw().len() as u64,
            ("content", _) => content(scanner, scan)?,
            (_, Kind::Null) | ("url" | "data" | "type" | "media_type" | "file_id", _) => scanner.skip()?,
            (other, _) => return Err(unknown_in("messages", other)),
        }
        Ok(())
    })?;
    let media_type = media_type.as_deref().unwrap_or_default();
    match kind.as_deref() {
        Some("base64") if media_type.starts_with("image/") => Ok(Source::ImageData(data_bytes)),
        Some("base64") if media_type == "application/pdf" => Ok(Source::Pdf(data_bytes)),
        Some("base64") => Err(AskError::unsupported("messages", format!("data of type '{}' cannot be priced by this gateway", short(media_type)))),
        Some("url") => Ok(Source::Url),
        Some("text" | "content") => Ok(Source::Inline),
        Some("file") => Err(AskError::unsupported("messages", "files are not available through this gateway: send what they hold, or its address")),
        Some(other) => Err(AskError::unsupported("messages", format!("a source of type '{}' cannot be priced by this gateway", short(other)))),
        None => Err(AskError::invalid("messages", "a 'source' must have a 'type'")),
    }
}

fn citations(scanner: &mut Scanner<'_>) -> Result<bool, AskError> {
    let mut enabled = false;
    scanner.object(|scanner, member| {
        let kind = scanner.kind()?;
        enabled |= member.key.decode().as_deref() == Some("enabled") && kind != Kind::False && kind != Kind::Null;
        scanner.skip().map_err(AskError::from)
    })?;
    Ok(enabled)
}

/// Steps over any value. Whatever has a time to live other than five minutes is taken to ask for the dearer cache.
pub(super) fn walk(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    match scanner.kind()? {
        Kind::Object => scanner.object(|scanner, member| {
            if member.key.decode().as_deref() == Some("ttl") && scanner.kind()? == Kind::String {
                scan.hour_cache |= scanner.string()?.decode().as_deref() != Some("5m");
                return Ok(());
            }
            walk(scanner, scan)
        }),
        Kind::Array => scanner.array(|scanner| walk(scanner, scan)),
        _ => scanner.skip().map_err(AskError::from),
    }
}

/// The `type` of the object that comes next, which is consumed.
pub(super) fn type_of(scanner: &mut Scanner<'_>) -> Result<Option<String>, AskError> {
    let mut kind = None;
    scanner.object(|scanner, member| {
        if member.key.decode().as_deref() == Some("type") && scanner.kind()? == Kind::String {
            kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned);
            return Ok(());
        }
        scanner.skip().map_err(AskError::from)
    })?;
    Ok(kind)
}

// === impl Block ===

impl Block {
    /// Adds what the block, of so many bytes, costs beside its bytes.
    fn count(self, bytes: u64, scan: &mut Scan) -> Result<(), AskError> {
        let Some(kind) = self.kind else { return Err(AskError::invalid("messages", "each block of 'content' must have a 'type'")) };
        match (kind.as_str(), self.source) {
            ("image", Some(Source::ImageData(data))) => {
                scan.images = scan.images.saturating_add(1);
                scan.image_bytes = scan.image_bytes.saturating_add(data);
            }
            ("image", Some(Source::Url)) => {
                scan.images = scan.images.saturating_add(1);
                scan.fetched = true;
            }
            ("image", _) => return Err(AskError::invalid("messages", "a block of type 'image' must have a 'source' with an image or its address")),
            // How many pages it has is seen by the provider alone.
            ("document", Some(Source::Pdf(data))) => {
                scan.unseen = true;
                scan.pdf_bytes = scan.pdf_bytes.saturating_add(data);
            }
            ("document", Some(Source::Url)) => (scan.unseen, scan.fetched) = (true, true),
            ("document", Some(Source::Inline)) => {}
            ("document", _) => return Err(AskError::invalid("messages", "a block of type 'document' must have a 'source' with a document")),
            (_, Some(_)) => return Err(AskError::invalid("messages", "only blocks of type 'image' and 'document' have a 'source'")),
            ("tool_reference", _) => scan.tool_references = scan.tool_references.saturating_add(1),
            ("container_upload", _) => return Err(AskError::unsupported("messages", "containers are not available through this gateway")),
            (kind, None) if known_block(kind) => {}
            (other, None) => {
                return Err(AskError::unsupported("messages", format!("blocks of type '{}' cannot be priced by this gateway", short(other))));
            }
        }
        if let Some(foreign) = self.foreign.filter(|_| matches!(kind.as_str(), "text" | "image" | "document" | "tool_result" | "search_result")) {
            return Err(unknown_in("messages", &foreign));
        }
        if self.citations {
            scan.special_tokens = scan.special_tokens.saturating_add(bytes.saturating_mul(CITATION_FACTOR - 1));
        }
        let most = bytes.saturating_mul(if self.citations { CITATION_FACTOR } else { 1 });
        scan.beside = scan.beside.saturating_add(if self.citations || !counted_block(&kind) { most } else { 0 });
        Ok(())
    }
}

/// Blocks that are text to the model, whatever their members are called: those that answers bring and agents send back, and results.
fn known_block(kind: &str) -> bool {
    matches!(
        kind,
        "text"
            | "search_result"
            | "thinking"
            | "redacted_thinking"
            | "tool_use"
            | "tool_result"
            | "server_tool_use"
            | "web_search_result"
            | "web_fetch_result"
            | "browser_state"
            | "mcp_tool_use"
    ) || kind.ends_with("_tool_result")
        || kind.ends_with("_tool_result_error")
        || kind.ends_with("_tool_search_result")
        || kind.ends_with("code_execution_result")
        || kind.ends_with("code_execution_output")
}

/// Blocks that the provider is known to count as it bills them. Not the thinking of earlier turns, which its guide "Token counting" says that it ignores,
/// nor what searches and other tools of its own brought (anthropics/anthropic-sdk-typescript#787).
fn counted_block(kind: &str) -> bool {
    matches!(kind, "text" | "image" | "document" | "tool_use" | "tool_result")
}

/// Members of the blocks that people write themselves.
fn known_in_block(key: &str) -> bool {
    matches!(
        key,
        "text" | "cache_control" | "citations" | "title" | "context" | "source" | "content" | "tool_use_id" | "is_error" | "transformations" | "toolset_name"
    )
}
