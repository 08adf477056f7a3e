//! What a chat's messages, documents and tools can become in tokens.
//!
//! A token of a byte-level tokenizer is at least one byte of text. So the bytes of a message, as it stands in the body, bound its tokens; the
//! names and quotes of its members outnumber the few special tokens between messages. Images are bounded by their number.

use super::ask::Scan;
use super::fields::unknown_in;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::short;

/// Special tokens around one message, beside its bytes.
const MESSAGE_TOKENS: u64 = 8;
/// What the provider writes around one document: its number, the names of its parts.
const DOCUMENT_TOKENS: u64 = 16;
/// The most that one image costs. The guide "Image inputs": at most 1536 x 2048 pixels in tiles of 512, which are twelve, and a preview, 256 tokens
/// each: 3,328. The rest is for the marks between their rows.
pub(super) const IMAGE_TOKENS: u64 = 4_096;
/// The model is told of tools in words of the provider's, where a parameter's name can come twice: in the signature and in its description.
const TOOL_FACTOR: u64 = 2;
/// What the provider adds to explain that there are tools.
const TOOLS_TOKENS: u64 = 512;

/// Counts the messages and looks into their parts.
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
                "role" | "tool_calls" | "tool_plan" | "tool_call_id" | "citations" => scanner.skip().map_err(AskError::from),
                _ if scanner.kind()? == Kind::Null => scanner.skip().map_err(AskError::from),
                other => Err(unknown_in("messages", other)),
            }
        })
    })?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}

/// A text, or a list of parts.
fn content(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    match scanner.kind()? {
        Kind::String | Kind::Null => scanner.skip().map_err(AskError::from),
        Kind::Array => scanner.array(|scanner| match scanner.kind()? {
            Kind::Object => part(scanner, scan),
            _ => Err(AskError::invalid("messages", "each part of 'content' must be an object")),
        }),
        _ => Err(AskError::invalid("messages", "'content' must be a string or a list of parts")),
    }
}

/// One part. Its type may stand behind what it decides on, so all is read first.
fn part(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    let (mut kind, mut image, mut foreign) = (None, None, None);
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
            (_, Kind::Null) => scanner.skip()?,
            ("type", Kind::String) => kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("image_url", _) => image = Some(image_url(scanner, "messages")?),
            ("text" | "thinking" | "document" | "id" | "citations", _) => scanner.skip()?,
            (other, _) => {
                foreign = Some(other.to_owned());
                scanner.skip()?;
            }
        }
        Ok::<(), AskError>(())
    })?;
    if let Some(foreign) = foreign {
        return Err(unknown_in("messages", &foreign));
    }
    match (kind.as_deref(), image) {
        (Some("image_url"), Some(bytes)) => {
            scan.images = scan.images.saturating_add(1);
            scan.image_bytes = scan.image_bytes.saturating_add(bytes);
            Ok(())
        }
        (Some("image_url"), None) => Err(AskError::invalid("messages", "a part of type 'image_url' must have an 'image_url'")),
        (_, Some(_)) => Err(AskError::invalid("messages", "a part with an 'image_url' must be of type 'image_url'")),
        (Some("document"), None) => {
            scan.special_tokens = scan.special_tokens.saturating_add(DOCUMENT_TOKENS);
            Ok(())
        }
        (Some("text" | "thinking"), None) => Ok(()),
        (Some(other), None) => Err(AskError::unsupported("messages", format!("parts of type '{}' cannot be priced by this gateway", short(other)))),
        (None, None) => Err(AskError::invalid("messages", "a part of 'content' must have a 'type'")),
    }
}

/// An image at an address: `{"url": ".."}` or the address itself. Answers how many bytes of the body are its picture and not text.
pub(super) fn image_url(scanner: &mut Scanner<'_>, param: &'static str) -> Result<u64, AskError> {
    let mut bytes = None;
    match scanner.kind()? {
        Kind::String => bytes = Some(picture_bytes(scanner, param)?),
        Kind::Object => scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                ("url", Kind::String) => bytes = Some(picture_bytes(scanner, param)?),
                (_, Kind::Null) | ("detail", Kind::String) => scanner.skip()?,
                (other, _) => return Err(unknown_in(param, other)),
            }
            Ok(())
        })?,
        _ => {}
    }
    bytes.ok_or_else(|| AskError::invalid(param, "an 'image_url' must be an object with a 'url'"))
}

/// The address of an image.
pub(super) fn picture_bytes(scanner: &mut Scanner<'_>, param: &'static str) -> Result<u64, AskError> {
    let raw = scanner.string()?.raw();
    if raw.starts_with(b"data:image/") || raw.starts_with(b"data:image\\/") {
        return Ok(raw.len() as u64);
    }
    let remote = [&b"http:"[..], b"https:"].iter().any(|scheme| raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    if remote { Ok(0) } else { Err(AskError::unsupported(param, "an image must be an http(s) address or 'data:image/...'")) }
}

/// Tools: all are functions that the client runs.
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
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                ("type", Kind::String) => match scanner.string()?.decode().as_deref() {
                    Some("function") => Ok(()),
                    other => {
                        let kind = short(other.unwrap_or_default());
                        Err(AskError::unsupported("tools", format!("tools of type '{kind}' cannot be priced by this gateway: only 'function' can")))
                    }
                },
                ("function", _) | (_, Kind::Null) => scanner.skip().map_err(AskError::from),
                (other, _) => Err(unknown_in("tools", other)),
            }
        })
    })?;
    let bytes = (scanner.position() - start) as u64;
    scan.text_bytes = scan.text_bytes.saturating_add(bytes.saturating_mul(TOOL_FACTOR));
    scan.special_tokens = scan.special_tokens.saturating_add(if any { TOOLS_TOKENS } else { 0 });
    Ok(())
}

/// Documents to answer from: texts, or objects of any members.
pub(super) fn documents(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid("documents", "'documents' must be a list"));
    }
    let start = scanner.position();
    scanner.array(|scanner| {
        scan.special_tokens = scan.special_tokens.saturating_add(DOCUMENT_TOKENS);
        scanner.skip().map_err(AskError::from)
    })?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}
