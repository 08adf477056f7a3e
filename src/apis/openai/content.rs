//! What a request's messages, tools and prompts can become in tokens.
//!
//! A token of a byte-level tokenizer, as all models of this API use, is at least one byte of text. So the bytes of a message, as it
//! stands in the body, bound its tokens; the names and quotes of its members outnumber the few special tokens that a chat format
//! puts between messages. What is not text is bounded by its own rule or refused: images by [`super::images`].

use super::ask::Scan;
use super::fields::known_in_message;
use crate::apis::AskError;
use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::read::short;

/// Special tokens of a chat format around one message, beside its bytes (OpenAI counts 3 or 4).
pub(super) const MESSAGE_TOKENS: u64 = 8;
/// What a chat format adds to a request: the start of the answer, a date, a default system message.
pub(super) const REQUEST_TOKENS: u64 = 64;
/// What a chat format adds to explain tools to the model.
pub(super) const TOOLS_TOKENS: u64 = 192;
/// Special tokens around one text that is completed or embedded.
pub(super) const TEXT_TOKENS: u64 = 4;
/// A result of a tool is shown under the tool's name, which may stand elsewhere: at most so many letters (OpenAI's API reference, "Chat", `name`).
pub(super) const NAME_TOKENS: u64 = 64;
/// A text as a list of tokens is read up to this many.
const MAX_TEXTS: u64 = 1 << 20;

/// Counts the messages and looks into their parts. Leaves out the bytes of images and audio.
pub(super) fn messages(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Array {
        return Err(AskError::invalid("messages", "'messages' must be a list of messages"));
    }
    let start = scanner.position();
    let mut in_messages = 0_u64;
    scanner.array(|scanner| {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("messages", "each of 'messages' must be an object"));
        }
        scan.special_tokens = scan.special_tokens.saturating_add(MESSAGE_TOKENS);
        let (start, spared) = (scanner.position(), scan.spared);
        let mut format = Format::default();
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            let key = key.as_deref().unwrap_or_default();
            let kind = scanner.kind()?;
            if key == "content" && kind == Kind::String {
                format.text = Some(scan.text(&scanner.string()?));
                return Ok(());
            }
            if key == "content" {
                return content(scanner, scan);
            }
            if key == "role" && kind == Kind::String {
                format.role(scanner.string()?.raw());
                return Ok(());
            }
            format.has_more = true;
            if known_in_message(key.as_bytes()) || scanner.kind()? == Kind::Null {
                scanner.value()?;
                return Ok(());
            }
            Err(AskError::unsupported("messages", format!("'{key}' in a message is not known to this gateway, so what it costs cannot be bounded")))
        })?;
        let bytes = (scanner.position() - start) as u64;
        in_messages += bytes;
        if scan.counter.is_some() {
            scan.spared = format.spared(bytes, spared, scan.spared);
        }
        Ok(())
    })?;
    let bytes = (scanner.position() - start) as u64;
    scan.text_bytes = scan.text_bytes.saturating_add(bytes);
    if scan.counter.is_some() {
        // What stands between messages is no text.
        scan.spared = scan.spared.saturating_add(bytes - in_messages);
    }
    Ok(())
}

/// What stands around the text of a message whose text is counted.
#[derive(Debug, Default)]
pub(super) struct Format {
    /// It is said by somebody, and not the result of a tool.
    spoken: bool,
    /// How many bytes its text has, where that is all of its content.
    pub(super) text: Option<u64>,
    /// There is more than the role and the content.
    pub(super) has_more: bool,
}

impl Format {
    pub(super) fn role(&mut self, role: &[u8]) {
        self.spoken = matches!(role, b"system" | b"developer" | b"user" | b"assistant");
    }

    /// What is spared of a message of so many bytes, and all before it. `before` it was so much, and its texts added to that. Of a plain message nothing
    /// but the text counts, since [`MESSAGE_TOKENS`] stand for its role.
    pub(super) fn spared(&self, bytes: u64, before: u64, with_texts: u64) -> u64 {
        match self.text {
            Some(text) if self.spoken && !self.has_more => with_texts.saturating_add(bytes.saturating_sub(text)),
            _ if self.spoken => with_texts,
            _ => with_texts.saturating_sub(NAME_TOKENS).max(before),
        }
    }
}

/// What is moderated: a text, several, or parts with text and images.
pub(super) fn moderated(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    scanner.kind()?;
    let start = scanner.position();
    content(scanner, scan)?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}

fn content(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    match scanner.kind()? {
        Kind::Null => Ok(scanner.skip()?),
        Kind::String => {
            scan.text(&scanner.string()?);
            Ok(())
        }
        Kind::Array => scanner.array(|scanner| match scanner.kind()? {
            // With so little around each, what stands where two meet may count: they stay at their bytes.
            Kind::String => Ok(scanner.skip()?),
            Kind::Object => part(scanner, scan),
            _ => Err(AskError::invalid("messages", "a part of 'content' must be an object")),
        }),
        _ => Err(AskError::invalid("messages", "'content' must be a string or a list of parts")),
    }
}

/// One part of a message's content. Its type may stand behind what it decides on, so all is read first.
fn part(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
    let mut kind: Option<String> = None;
    let mut image: Option<Image> = None;
    let mut foreign: Option<String> = None;
    let mut audio: Option<u64> = None;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        match key.as_deref().unwrap_or_default() {
            "type" if scanner.kind()? == Kind::String => kind = scanner.string()?.decode().map(|text| text.into_owned()),
            "image_url" if scanner.kind()? != Kind::Null => image = Some(image_url(scanner)?),
            "input_audio" if scan.takes_audio && scanner.kind()? != Kind::Null => audio = Some(audio_bytes(scanner)?),
            "text" if scanner.kind()? == Kind::String => {
                scan.text(&scanner.string()?);
            }
            "text" | "refusal" | "cache_control" | "annotations" | "id" => scanner.skip()?,
            other => {
                // Reasoning sent back and the like is text. What could stand for a picture or a recording is not.
                let null = scanner.kind()? == Kind::Null;
                scanner.value()?;
                if !null {
                    foreign = Some(other.to_owned());
                }
            }
        }
        Ok::<(), AskError>(())
    })?;
    if kind.as_deref() == Some("input_audio") && image.is_none() && foreign.is_none() {
        if let Some(bytes) = audio {
            scan.audio = scan.audio.saturating_add(1);
            scan.media_bytes = scan.media_bytes.saturating_add(bytes);
            return Ok(());
        }
    } else if audio.is_some() {
        return Err(AskError::invalid("messages", "a part with an 'input_audio' must be of type 'input_audio'"));
    }
    match (kind.as_deref(), image, foreign) {
        (Some("image_url"), Some(image), None) => {
            scan.images = scan.images.saturating_add(u64::from(!image.low_detail));
            scan.low_images = scan.low_images.saturating_add(u64::from(image.low_detail));
            scan.media_bytes = scan.media_bytes.saturating_add(image.data_bytes);
            Ok(())
        }
        (Some("image_url"), None, _) => Err(AskError::invalid("messages", "a part of type 'image_url' must have an 'image_url'")),
        (Some("text" | "refusal"), None, None) => Ok(()),
        // Their text is within the part's own bytes, whatever its members are called.
        (Some("thinking" | "redacted_thinking" | "reasoning" | "reference"), None, _) => Ok(()),
        (Some("input_audio"), ..) => Err(AskError::unsupported(
            "messages",
            "audio input is not available through this gateway yet: how long it plays, and so what it costs, is not known before it is decoded",
        )),
        (Some("file"), ..) => Err(AskError::unsupported(
            "messages",
            "files as input are not available through this gateway yet: how many pages they have, and so what they cost, cannot be bounded",
        )),
        (Some("text" | "refusal" | "image_url"), _, Some(foreign)) => Err(AskError::unsupported(
            "messages",
            format!("'{foreign}' in a part of 'content' is not known to this gateway, so what it costs cannot be bounded"),
        )),
        (Some("text" | "refusal" | "thinking" | "redacted_thinking" | "reasoning" | "reference"), Some(_), None | Some(_)) => {
            Err(AskError::invalid("messages", "a part with an 'image_url' must be of type 'image_url'"))
        }
        (Some(other), ..) => Err(AskError::unsupported("messages", format!("parts of type '{}' cannot be priced by this gateway", short(other)))),
        (None, ..) => Err(AskError::invalid("messages", "a part of 'content' must have a 'type'")),
    }
}

/// Audio: an address, or data as a string or in an object. Answers how many bytes of the body are its sound and not text.
fn audio_bytes(scanner: &mut Scanner<'_>) -> Result<u64, AskError> {
    let data = |scanner: &mut Scanner<'_>| -> Result<u64, AskError> {
        let raw = scanner.string()?.raw();
        let remote = [&b"http:"[..], b"https:"].iter().any(|scheme| raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        Ok(if remote { 0 } else { raw.len() as u64 })
    };
    let mut bytes = 0;
    match scanner.kind()? {
        Kind::String => bytes = data(scanner)?,
        Kind::Object => scanner.object(|scanner, member| {
            let key = member.key.decode();
            match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                ("data", Kind::String) => bytes = data(scanner)?,
                (_, Kind::Null) | ("format", Kind::String) => scanner.skip()?,
                (other, _) => {
                    let message = format!("'{}' in an 'input_audio' is not known to this gateway, so what it costs cannot be bounded", short(other));
                    return Err(AskError::unsupported("messages", message));
                }
            }
            Ok(())
        })?,
        _ => return Err(AskError::invalid("messages", "'input_audio' must be a string or an object")),
    }
    Ok(bytes)
}

/// An image in a message.
struct Image {
    /// How many bytes of the body are its picture and not text.
    data_bytes: u64,
    low_detail: bool,
}

fn image_url(scanner: &mut Scanner<'_>) -> Result<Image, AskError> {
    let mut image = Image { data_bytes: 0, low_detail: false };
    let url = |scanner: &mut Scanner<'_>, image: &mut Image| -> Result<(), AskError> {
        let raw = scanner.string()?.raw();
        if raw.starts_with(b"data:image/") || raw.starts_with(b"data:image\\/") {
            image.data_bytes = raw.len() as u64;
            return Ok(());
        }
        let remote = [&b"http:"[..], b"https:"].iter().any(|scheme| raw.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
        if remote { Ok(()) } else { Err(AskError::unsupported("messages", "an 'image_url' must be an http(s) address or 'data:image/...'")) }
    };
    match scanner.kind()? {
        Kind::String => url(scanner, &mut image)?,
        Kind::Object => scanner.object(|scanner, member| {
            let key = member.key.decode();
            match key.as_deref().unwrap_or_default() {
                "url" if scanner.kind()? == Kind::String => url(scanner, &mut image),
                "detail" if scanner.kind()? == Kind::String => {
                    image.low_detail = scanner.string()?.raw() == b"low";
                    Ok(())
                }
                "url" | "detail" if scanner.kind()? != Kind::Null => Err(AskError::invalid("messages", "'url' and 'detail' of an image must be strings")),
                "url" | "detail" | "format" | "media_type" => scanner.skip().map_err(AskError::from),
                other => Err(AskError::unsupported(
                    "messages",
                    format!("'{}' in an 'image_url' is not known to this gateway, so what it costs cannot be bounded", short(other)),
                )),
            }
        })?,
        _ => return Err(AskError::invalid("messages", "'image_url' must be an object with a 'url'")),
    }
    Ok(image)
}

/// Tools: functions are text that the model reads. Tools that the provider runs itself cost by the call.
pub(super) fn tools(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>) -> Result<(), AskError> {
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
        let mut kind = None;
        scanner.object(|scanner, member| {
            if member.key.decode().as_deref() == Some("type") && scanner.kind()? == Kind::String {
                kind = scanner.string()?.decode().map(|text| text.into_owned());
            } else {
                scanner.value()?;
            }
            Ok::<(), AskError>(())
        })?;
        match kind.as_deref() {
            Some("function" | "custom") => Ok(()),
            Some(other) => Err(AskError::unsupported(
                "tools",
                format!("tools of type '{}' run at the provider and are billed by the call; only 'function' and 'custom' can be priced", short(other)),
            )),
            None => Err(AskError::invalid("tools", "each of 'tools' must have a 'type'")),
        }
    })?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    scan.special_tokens = scan.special_tokens.saturating_add(if any { TOOLS_TOKENS } else { 0 });
    Ok(())
}

/// A prompt or what is embedded: a string, a list of strings, a list of token ids, or a list of lists of token ids. Answers how many
/// texts there are.
pub(super) fn texts(scanner: &mut Scanner<'_>, scan: &mut Scan<'_>, param: &'static str) -> Result<u64, AskError> {
    let wrong = || AskError::invalid(param, format!("'{param}' must be a string, a list of strings, a list of token ids, or a list of lists of token ids"));
    let mut texts = 0u64;
    match scanner.kind()? {
        Kind::String => {
            let bytes = scan.text(&scanner.string()?);
            scan.text_bytes = scan.text_bytes.saturating_add(bytes);
            texts = 1;
        }
        Kind::Array => {
            let mut first = None;
            scanner.array(|scanner| {
                let kind = scanner.kind()?;
                if *first.get_or_insert(kind) != kind {
                    return Err(wrong());
                }
                match kind {
                    Kind::String => {
                        let bytes = scan.text(&scanner.string()?);
                        scan.text_bytes = scan.text_bytes.saturating_add(bytes);
                        texts += 1;
                    }
                    Kind::Number => {
                        token_id(scanner).map_err(|_| wrong())?;
                        scan.special_tokens = scan.special_tokens.saturating_add(1);
                        texts = 1;
                    }
                    Kind::Array => {
                        texts += 1;
                        scanner.array(|scanner| {
                            scan.special_tokens = scan.special_tokens.saturating_add(1);
                            if scanner.kind()? == Kind::Number { token_id(scanner).map_err(|_| wrong()) } else { Err(wrong()) }
                        })?;
                    }
                    _ => return Err(wrong()),
                }
                Ok(())
            })?;
        }
        _ => return Err(wrong()),
    }
    if texts == 0 || texts > MAX_TEXTS {
        return Err(AskError::invalid(param, format!("'{param}' must not be empty")));
    }
    scan.special_tokens = scan.special_tokens.saturating_add(texts.saturating_mul(TEXT_TOKENS));
    Ok(texts)
}

fn token_id(scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
    let at = scanner.position();
    let digits = scanner.number()?;
    if digits.iter().all(u8::is_ascii_digit) { Ok(()) } else { Err(JsonError::Syntax { at, what: "expected a token id" }) }
}
