//! What a request's input can become in tokens: a text, or items such as messages, calls of tools and their results.
//!
//! A token of a byte-level tokenizer is at least one byte of text. So the bytes of an item, as it stands in the body, bound its tokens; the names and
//! quotes of its members outnumber the few special tokens around it. What is not text is bounded by its own rule: images by [`images`], files by the
//! model's context window; or it is refused.
//!
//! Reasoning comes back encrypted, a few bytes a token, or by its id alone. The latter, like every item that only names another, brings input that the
//! body does not show: then the context window bounds it all.
//!
//! [`images`]: crate::apis::openai::images

use std::borrow::Cow;
use std::ops::Range;

use super::ask::{Scan, unknown_in};
use super::fields::{known_in_item, known_in_part};
use super::tools;
use crate::apis::json::{Kind, Scanner};
use crate::apis::openai::content::Format;
use crate::apis::read::short;
use crate::apis::seal::bare_length;
use crate::apis::{AskError, KeptId};

/// Special tokens of the format around one item, beside its bytes.
const ITEM_TOKENS: u64 = 8;
const PARAM: &str = "input";

/// The id of an item that comes with its content.
#[derive(Clone, Debug)]
pub(super) struct ItemId {
    pub(super) kept: KeptId,
    /// Where its seal stands.
    pub(super) seal: Range<usize>,
    /// What must go so that the member is gone, a comma included.
    pub(super) member: Range<usize>,
}

/// What has been found in one item.
#[derive(Default)]
struct Item {
    kind: Option<String>,
    has_role: bool,
    /// Reasoning whose content is in the body.
    encrypted: bool,
    id: Option<ItemId>,
    format: Format,
}

/// What has been found in one part of an item's content.
#[derive(Default)]
struct Part {
    kind: Option<String>,
    image: bool,
    file: bool,
    audio: bool,
    file_id: bool,
    low_detail: bool,
    data_bytes: u64,
    foreign: Option<String>,
}

/// Reads the input.
pub(super) fn input(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    let kind = scanner.kind()?;
    let start = scanner.position();
    let mut in_items = 0_u64;
    match kind {
        Kind::String => {
            scan.special_tokens = scan.special_tokens.saturating_add(ITEM_TOKENS);
            in_items = scan.text(&scanner.string()?);
        }
        Kind::Array => scanner.array(|scanner| {
            in_items += item(scanner, scan)?;
            Ok::<(), AskError>(())
        })?,
        _ => return Err(AskError::invalid(PARAM, "'input' must be a string or a list of items")),
    }
    let bytes = (scanner.position() - start) as u64;
    scan.text_bytes = scan.text_bytes.saturating_add(bytes);
    if scan.counter.is_some() {
        // What stands between items, or around a text, is no text.
        scan.spared = scan.spared.saturating_add(bytes - in_items);
    }
    Ok(())
}

/// One item. Its type may stand behind what it decides on, so all is read first. Answers how many bytes it has.
fn item(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<u64, AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid(PARAM, "each of 'input' must be an object"));
    }
    scan.special_tokens = scan.special_tokens.saturating_add(ITEM_TOKENS);
    let (start, spared) = (scanner.position(), scan.spared);
    let mut item = Item::default();
    // When `id` is the first member, its cut reaches to the second.
    let mut opens = false;
    scanner.object(|scanner, member| {
        if std::mem::take(&mut opens)
            && let Some(id) = &mut item.id
        {
            id.member.end = member.start;
        }
        let kind = scanner.kind()?;
        match member.key.decode().as_deref().unwrap_or_default() {
            "role" if kind == Kind::String => {
                item.has_role = true;
                item.format.role(scanner.string()?.raw());
            }
            "content" if kind == Kind::String => item.format.text = Some(scan.text(&scanner.string()?)),
            "id" if kind == Kind::String => {
                item.format.has_more = true;
                let text = scanner.string()?;
                let end = scanner.position();
                // An id has no letter that is escaped: one that has is nobody's.
                let id = text.decode().filter(|id| id.len() == text.raw().len()).unwrap_or_default();
                opens = member.first;
                item.id = Some(ItemId {
                    kept: KeptId::read(&id, Some(PARAM)),
                    seal: end - 1 - (id.len() - bare_length(&id))..end - 1,
                    member: if member.first { member.start..end } else { member.after..end },
                });
            }
            "id" if kind != Kind::Null => return Err(AskError::invalid(PARAM, "the 'id' of an item must be a string")),
            "type" if kind == Kind::String => item.kind = scanner.string()?.decode().map(Cow::into_owned),
            _ if kind == Kind::Null => scanner.skip()?,
            "content" => content(scanner, scan)?,
            "output" | "summary" => {
                item.format.has_more = true;
                content(scanner, scan)?;
            }
            "tools" => tools::tools(scanner, scan)?,
            key if known_in_item(key) => {
                item.format.has_more = true;
                item.has_role |= key == "role";
                item.encrypted |= key == "encrypted_content";
                scanner.skip()?;
            }
            other => return Err(unknown_in(PARAM, other)),
        }
        Ok(())
    })?;
    let bytes = (scanner.position() - start) as u64;
    if scan.counter.is_some() {
        scan.spared = item.format.spared(bytes, spared, scan.spared);
    }
    item.count(scan)?;
    Ok(bytes)
}

/// A text, one part, or a list of parts.
fn content(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    match scanner.kind()? {
        Kind::Object => part(scanner, scan),
        Kind::Array => scanner.array(|scanner| match scanner.kind()? {
            Kind::Object => part(scanner, scan),
            // With so little around each, what stands where two meet may count: they stay at their bytes.
            Kind::String => scanner.skip().map_err(AskError::from),
            _ => Err(AskError::invalid(PARAM, "a part of 'content' must be an object")),
        }),
        Kind::String => {
            scan.text(&scanner.string()?);
            Ok(())
        }
        _ => Err(AskError::invalid(PARAM, "'content' must be a string or a list of parts")),
    }
}

fn part(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    let mut part = Part::default();
    scanner.object(|scanner, member| {
        let kind = scanner.kind()?;
        match member.key.decode().as_deref().unwrap_or_default() {
            _ if kind == Kind::Null => scanner.skip()?,
            "type" if kind == Kind::String => part.kind = scanner.string()?.decode().map(Cow::into_owned),
            "image_url" if kind == Kind::String => {
                part.image = true;
                part.data_bytes = part.data_bytes.saturating_add(image(scanner)?);
            }
            "text" if kind == Kind::String => {
                scan.text(&scanner.string()?);
            }
            "detail" if kind == Kind::String => part.low_detail = scanner.string()?.raw() == b"low",
            "file_data" | "file_url" if kind == Kind::String => {
                part.file = true;
                part.data_bytes = part.data_bytes.saturating_add(scanner.string()?.raw().len() as u64);
            }
            "file_id" => {
                part.file_id = true;
                scanner.skip()?;
            }
            "input_audio" => {
                part.audio = true;
                scanner.skip()?;
            }
            "prompt_cache_breakpoint" if kind == Kind::Object => breakpoint(scanner)?,
            other => {
                if !known_in_part(other) {
                    part.foreign = Some(other.to_owned());
                }
                scanner.skip()?;
            }
        }
        Ok::<(), AskError>(())
    })?;
    part.count(scan)
}

/// An image's address. Answers how many bytes of the body are its picture and not text.
fn image(scanner: &mut Scanner<'_>) -> Result<u64, AskError> {
    let raw = scanner.string()?.raw();
    if raw.starts_with(b"data:image/") || raw.starts_with(b"data:image\\/") {
        return Ok(raw.len() as u64);
    }
    let remote = [&b"http:"[..], b"https:"].iter().any(|scheme| raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if remote { Ok(0) } else { Err(AskError::unsupported(PARAM, "an 'image_url' must be an http(s) address or 'data:image/...'")) }
}

fn breakpoint(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    scanner.object(|scanner, member| match (member.key.decode().as_deref().unwrap_or_default(), scanner.kind()?) {
        ("ttl", Kind::String) => time_to_live(scanner),
        ("mode" | "ttl", _) => scanner.skip().map_err(AskError::from),
        (other, _) => Err(unknown_in("prompt_cache_breakpoint", other)),
    })
}

/// How long something stays in the cache: writing for longer than usual has a price that is not known.
pub(super) fn time_to_live(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    if scanner.kind()? == Kind::String && scanner.string()?.raw() == b"30m" {
        return Ok(());
    }
    Err(AskError::unsupported(
        "prompt_cache_options",
        "a 'ttl' other than '30m' cannot be priced: what writing to the cache for longer costs is not known here",
    ))
}

// === impl Item ===

impl Item {
    fn count(self, scan: &mut Scan<'_>) -> Result<(), AskError> {
        // A message may leave its type out, and so may a reference.
        let kind = self.kind.as_deref().unwrap_or(if self.has_role { "message" } else { "item_reference" });
        let by_id = match kind {
            "item_reference" => true,
            "reasoning" => !self.encrypted && self.id.is_some(),
            "message" | "function_call" | "function_call_output" | "custom_tool_call" | "custom_tool_call_output" => false,
            "local_shell_call" | "local_shell_call_output" | "shell_call" | "shell_call_output" | "apply_patch_call" | "apply_patch_call_output" => false,
            "computer_call" | "computer_call_output" | "web_search_call" | "tool_search_call" | "tool_search_output" => false,
            "additional_tools" | "configuration_update" => false,
            other => return Err(AskError::unsupported(PARAM, format!("items of type '{}' cannot be priced by this gateway", short(other)))),
        };
        match self.id {
            Some(id) if by_id => {
                scan.unseen = true;
                scan.name_kept(id);
            }
            Some(id) => scan.item_ids.push(id),
            None if by_id => return Err(AskError::invalid(PARAM, "an item must have a 'type', a 'role' or an 'id'")),
            None => {}
        }
        Ok(())
    }
}

// === impl Part ===

impl Part {
    fn count(self, scan: &mut Scan<'_>) -> Result<(), AskError> {
        let unsupported = |message: String| Err(AskError::unsupported(PARAM, message));
        if self.audio || self.kind.as_deref() == Some("input_audio") {
            return unsupported("audio input is not available through this gateway yet: how long it plays, and so what it costs, is not known".to_owned());
        }
        if self.file_id {
            return unsupported(
                "files by their id are not available through this gateway: all tokens share them; send what they hold, or an address".to_owned(),
            );
        }
        if let Some(foreign) = self.foreign {
            return unsupported(format!("'{}' in a part of 'content' is not known to this gateway, so what it costs cannot be bounded", short(&foreign)));
        }
        match (self.kind.as_deref(), self.image, self.file) {
            (Some("input_image" | "computer_screenshot"), true, false) => {
                scan.images = scan.images.saturating_add(u64::from(!self.low_detail));
                scan.low_images = scan.low_images.saturating_add(u64::from(self.low_detail));
            }
            // How many pages it has is seen by the provider alone.
            (Some("input_file"), false, true) => scan.unseen = true,
            (Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" | "refusal"), false, false) => {}
            // What a shell has printed.
            (None, false, false) => {}
            (Some("input_image" | "computer_screenshot"), ..) => {
                return Err(AskError::invalid(PARAM, "an image must have an 'image_url' that is a string"));
            }
            (Some("input_file"), ..) => return Err(AskError::invalid(PARAM, "a part of type 'input_file' must have 'file_data' or a 'file_url'")),
            (None | Some("input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" | "refusal"), ..) => {
                return Err(AskError::invalid(PARAM, "a part with an image or a file must be of type 'input_image' or 'input_file'"));
            }
            (Some(other), ..) => return unsupported(format!("parts of type '{}' cannot be priced by this gateway", short(other))),
        }
        scan.data_bytes = scan.data_bytes.saturating_add(self.data_bytes);
        Ok(())
    }
}
