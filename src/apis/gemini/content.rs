//! What a request's contents can become in tokens: turns of parts. See [`super::scan`] for the rule of the bytes.

use super::media::{self, Media};
use super::names::{self, elements, members, refused, unknown};
use super::scan::Scan;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::integer;

/// Special tokens around one turn, beside its bytes.
const TURN_TOKENS: u64 = 8;
/// More tokens than this for one piece of media is no resolution.
const MOST_MEDIA_TOKENS: u64 = 1 << 32;

/// What has been found in one part.
#[derive(Default)]
struct Part<'a> {
    blob: Option<Blob<'a>>,
    /// The model thought it, in an earlier turn.
    thought: bool,
    asked_tokens: u64,
}

/// Data in the body.
struct Blob<'a> {
    mime_type: String,
    data: &'a [u8],
}

/// Counts turns and looks into their parts.
pub(super) fn contents(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    scanner.kind()?;
    let start = scanner.position();
    elements(scanner, |scanner| turn(scanner, scan))?;
    scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
    Ok(())
}

/// One turn.
fn turn(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    scan.special_tokens = scan.special_tokens.saturating_add(TURN_TOKENS);
    members(scanner, "contents", |scanner, name, _| match (name, scanner.kind()?) {
        (_, Kind::Null) | ("role", Kind::String) => scanner.skip().map_err(AskError::from),
        ("parts", _) => elements(scanner, |scanner| part(scanner, scan)),
        ("role", _) => Err(AskError::invalid("contents", "the 'role' of a content must be a string")),
        (other, _) => Err(unknown("contents", other)),
    })
}

/// One part. What its data is may stand behind the data, so all is read first.
fn part<'a>(scanner: &mut Scanner<'a>, scan: &mut Scan) -> Result<(), AskError> {
    let mut found = Part::default();
    let start = scanner.position();
    members(scanner, "parts", |scanner, name, _| {
        let kind = scanner.kind()?;
        match name {
            _ if kind == Kind::Null => scanner.skip()?,
            "inlineData" => found.blob = Some(blob(scanner)?),
            "fileData" => file(scanner, scan)?,
            "functionResponse" => function_response(scanner, scan)?,
            "mediaResolution" => found.asked_tokens = resolution(scanner)?,
            "mediaProcessing" => processing(scanner)?,
            // Text to the model, whatever stands in it: what people say, what answers bring and agents send back, results.
            "text" | "functionCall" => scanner.skip()?,
            "thought" => {
                found.thought = kind != Kind::False;
                scanner.skip()?;
            }
            "thoughtSignature" | "executableCode" | "codeExecutionResult" | "toolCall" | "toolResponse" => {
                let value = scanner.value()?;
                scan.beside = scan.beside.saturating_add(value.len() as u64);
            }
            // How media are cut up, and notes of the client's own. What is cut up is bounded as a whole.
            "videoMetadata" | "partMetadata" | "speechMetadata" | "documentMetadata" | "spreadsheetMetadata" | "audioMetadata" | "audioTranscription" => {
                scanner.skip()?;
            }
            other => return Err(unknown("parts", other)),
        }
        Ok(())
    })?;
    if found.thought {
        scan.beside = scan.beside.saturating_add((scanner.position() - start) as u64);
    }
    found.count(scan);
    Ok(())
}

fn blob<'a>(scanner: &mut Scanner<'a>) -> Result<Blob<'a>, AskError> {
    let (mut mime_type, mut data) = (None, &b""[..]);
    members(scanner, "inlineData", |scanner, name, _| {
        match (name, scanner.kind()?) {
            ("mimeType", _) => mime_type = names::text(scanner, "mimeType")?,
            ("data", Kind::String) => data = scanner.string()?.raw(),
            (_, Kind::Null) | ("displayName", _) => scanner.skip()?,
            ("data", _) => return Err(AskError::invalid("inlineData", "the 'data' of inlineData must be a string")),
            (other, _) => return Err(unknown("inlineData", other)),
        }
        Ok(())
    })?;
    let mime_type = mime_type.ok_or_else(|| AskError::invalid("inlineData", "inlineData must have a 'mimeType'"))?;
    Ok(Blob { mime_type, data })
}

/// A file at an address: anything, of any length. Files that were uploaded belong to the account and not to the token.
fn file(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    let mut uri = None;
    members(scanner, "fileData", |scanner, name, _| {
        match name {
            "fileUri" => uri = names::text(scanner, "fileUri")?,
            "mimeType" | "displayName" => scanner.skip()?,
            other => return Err(unknown("fileData", other)),
        }
        Ok(())
    })?;
    let uri = uri.ok_or_else(|| AskError::invalid("fileData", "fileData must have a 'fileUri'"))?;
    let (scheme, rest) = uri.split_once("://").unwrap_or_default();
    let public = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    // Whatever host of Google's API it is written with: files are found by what follows it.
    if !public || rest.to_ascii_lowercase().contains("generativelanguage") {
        return Err(refused("fileData", "uploaded files belong to the provider's account, which all tokens share; send the data inline, or a public address"));
    }
    scan.media(Media::UnseenVideo, 0);
    Ok(())
}

fn function_response(scanner: &mut Scanner<'_>, scan: &mut Scan) -> Result<(), AskError> {
    members(scanner, "functionResponse", |scanner, name, _| match (name, scanner.kind()?) {
        (_, Kind::Null) | ("id" | "name" | "response" | "willContinue" | "scheduling", _) => scanner.skip().map_err(AskError::from),
        ("parts", _) => elements(scanner, |scanner| part(scanner, scan)),
        (other, _) => Err(unknown("functionResponse", other)),
    })
}

/// How many tokens a piece of media is asked to become, where a number is given.
fn resolution(scanner: &mut Scanner<'_>) -> Result<u64, AskError> {
    let mut tokens = 0;
    members(scanner, "mediaResolution", |scanner, name, _| {
        match (name, scanner.kind()?) {
            (_, Kind::Null) | ("level", _) => scanner.skip()?,
            ("numTokens", _) => tokens = integer(scanner, "numTokens", MOST_MEDIA_TOKENS)?,
            (other, _) => return Err(unknown("mediaResolution", other)),
        }
        Ok(())
    })?;
    Ok(tokens)
}

/// A model that finds its own way through a film reads it as often as it likes.
fn processing(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    match names::text(scanner, "mediaProcessing")?.as_deref() {
        None => Ok(()),
        Some(processing) if processing.eq_ignore_ascii_case("STATIC") || processing.eq_ignore_ascii_case("MEDIA_PROCESSING_UNSPECIFIED") => Ok(()),
        Some(_) => Err(refused("mediaProcessing", "how often the model reads the media by itself cannot be bounded; write STATIC")),
    }
}

// === impl Part ===

impl Part<'_> {
    fn count(&self, scan: &mut Scan) {
        if let Some(blob) = &self.blob {
            scan.media(media::inline(&blob.mime_type, blob.data, self.asked_tokens), blob.data.len() as u64);
        }
    }
}
