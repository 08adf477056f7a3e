//! Reads what a form with a recording asks for, and how long the recording plays at most.

use super::Kind;
use crate::apis::multipart::{self, Part};
use crate::apis::openai::fields::Added;
use crate::apis::openai::given::{Given, is_added, unknown};
use crate::apis::recording::{self, Container, SECOND, Unreadable};
use crate::apis::sellers::name_at_seller;
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, RequestView, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Tokens that stand for no byte of the prompt: of the format.
const FORMAT_TOKENS: u64 = 64;
/// OpenAI's guide "Managing costs" counts a token for 100 ms of audio that is heard: held is twice that.
const AUDIO_TOKENS_PER_SECOND: u64 = 20;
/// The most that `gpt-4o-transcribe` writes at once (OpenAI's model page), ...
const MOST_OUTPUT: u64 = 2_000;
/// ... and where the recording is cut into pieces, how long each is at least, on average.
const PIECE_SECONDS: u64 = 30;
/// A sample of a speaker's voice (OpenAI's API reference, "Create transcription").
const SAMPLE_SECONDS: u64 = 10;
/// What Groq bills for a shorter recording (its documentation, "Speech to text").
const LEAST_AT_GROQ: u64 = 10;

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) model: Option<String>,
    pub(super) response_format: Option<String>,
    pub(super) stream: bool,
    pub(super) words: bool,
    pub(super) segments: bool,
    pub(super) language: Option<String>,
    /// Whole seconds that the recording plays at most.
    pub(super) seconds: u64,
    has_file: bool,
    chunked: bool,
    text_bytes: u64,
    samples: u64,
    added: Option<Added>,
}

/// What a field means for the cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    File,
    Model,
    ResponseFormat,
    Stream,
    Language,
    Granularity,
    Chunking,
    /// Becomes input tokens.
    Text,
    /// A recording in a `data:` address.
    Sample,
    Free,
    Unknown,
}

/// Reads the request. Where the model is `named` elsewhere, that is it, whatever the body says.
pub(super) fn read(kind: Kind, added: Option<Added>, request: &RequestView<'_>, named: Option<&str>) -> Result<Wish, AskError> {
    let form = multipart::read(request.headers, request.body)?;
    let mut wish = Wish { added, ..Wish::default() };
    for part in &form.parts {
        wish.take(kind, part)?;
    }
    if let Some(named) = named {
        wish.model = Some(named.to_owned());
    }
    if wish.model.is_none() {
        return Err(AskError::invalid("model", "'model' is missing"));
    }
    if !wish.has_file {
        return Err(AskError::invalid("file", "'file' is missing"));
    }
    match wish.response_format.as_deref() {
        None | Some("json" | "text" | "srt" | "verbose_json" | "vtt") => {}
        Some("diarized_json") if kind == Kind::Transcription => {}
        Some(_) => return Err(AskError::invalid("response_format", "'response_format' must be json, text, srt, verbose_json, vtt or diarized_json")),
    }
    Ok(wish)
}

fn field(kind: Kind, key: &str) -> Field {
    match key {
        "file" => Field::File,
        "model" => Field::Model,
        "response_format" => Field::ResponseFormat,
        "temperature" => Field::Free,
        "prompt" => Field::Text,
        _ if kind == Kind::Translation => Field::Unknown,
        "stream" => Field::Stream,
        "language" => Field::Language,
        "languages[]" | "include[]" => Field::Free,
        "timestamp_granularities[]" => Field::Granularity,
        "keywords[]" | "known_speaker_names[]" => Field::Text,
        "known_speaker_references[]" => Field::Sample,
        "chunking_strategy"
        | "chunking_strategy[type]"
        | "chunking_strategy[prefix_padding_ms]"
        | "chunking_strategy[silence_duration_ms]"
        | "chunking_strategy[threshold]" => Field::Chunking,
        _ => Field::Unknown,
    }
}

/// Whether a model is billed by the token, whatever an answer leaves out.
pub(super) fn bills_tokens(model: &str) -> bool {
    model.contains("gpt-4o")
}

/// The least whole seconds that are billed.
pub(super) fn least_seconds(model: &str) -> u64 {
    let name = name_at_seller(model);
    if name.starts_with("whisper-large") || name.starts_with("distil-whisper") { LEAST_AT_GROQ } else { 1 }
}

// === impl Wish ===

impl Wish {
    fn take(&mut self, kind: Kind, part: &Part) -> Result<(), AskError> {
        let key = part.name.as_str();
        let field = field(kind, key);
        if field != Field::Unknown && (field == Field::File) != part.file.is_some() {
            let what = if part.file.is_some() { "must be a plain value, not a file" } else { "must be a file" };
            return Err(AskError::invalid(None, format!("'{key}' {what}")));
        }
        let given = Given::Form(part.text());
        match field {
            Field::File => {
                self.has_file = true;
                self.seconds = length(part).map_err(|error| AskError::unsupported("file", format!("How long 'file' plays must be known: {error}.")))?;
            }
            Field::Model => self.model = Some(given.model()?),
            Field::ResponseFormat => self.response_format = Some(given.text("response_format")?.into_owned()),
            Field::Stream => self.stream = given.boolean("stream")?,
            Field::Language => self.language = Some(given.text("language")?.into_owned()),
            Field::Granularity => match part.text() {
                "word" => self.words = true,
                "segment" => self.segments = true,
                _ => return Err(AskError::invalid("timestamp_granularities", "each of 'timestamp_granularities[]' must be word or segment")),
            },
            Field::Chunking => self.chunked = true,
            Field::Text => self.text_bytes = self.text_bytes.saturating_add(part.data.len() as u64).saturating_add(FORMAT_TOKENS),
            Field::Sample => self.samples += 1,
            Field::Free => {}
            Field::Unknown if part.file.is_none() && is_added(self.added, key)? => {}
            Field::Unknown => return Err(unknown(key, |key| self::field(kind, key) != Field::Unknown)),
        }
        Ok(())
    }

    pub(super) fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Whether the answer is JSON, in which a usage can stand.
    pub(super) fn is_json(&self) -> bool {
        !matches!(self.response_format.as_deref(), Some("text" | "srt" | "vtt"))
    }

    pub(super) fn into_ask(self) -> Ask {
        let seconds = self.seconds.max(least_seconds(self.model()));
        let heard = self.seconds.saturating_add(self.samples.saturating_mul(SAMPLE_SECONDS));
        let pieces = if self.chunked { self.seconds.div_ceil(PIECE_SECONDS).max(1) } else { 1 };
        let input = Usage::default()
            .with(Unit::AudioMillis, seconds.saturating_mul(1_000))
            .with(Unit::InputAudio, heard.saturating_mul(AUDIO_TOKENS_PER_SECOND))
            // Each piece may bring the prompt along.
            .with(Unit::Input, self.text_bytes.saturating_add(FORMAT_TOKENS).saturating_mul(pieces));
        Ask {
            bound: Bound { input, output_tokens: Some(MOST_OUTPUT), has_output: true, choices: pieces, as_priced: true, ..Bound::default() },
            stream: self.stream,
            service_tier: None,
            unseen: UnseenOutput::Any,
            // Here: whether the answer can have a usage in it. Elsewhere it is asked for; here a form of the answer is.
            asked_usage: self.is_json(),
            edits: Edits::default(),
            model: self.model.unwrap_or_default(),
        }
    }
}

/// Whole seconds that a recording plays at most.
fn length(part: &Part) -> Result<u64, Unreadable> {
    let (container, nanos): (Container, u64) = recording::longest(&part.data)?;
    for called in part.file.iter().flat_map(|file| file.names.iter().chain(file.kind.as_ref())) {
        container.check_name(called)?;
    }
    Ok(nanos.div_ceil(SECOND))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
