//! `generationConfig`: how much may be generated, of what, and how much of it is thinking.
//!
//! `maxOutputTokens` bounds thoughts and answer together (googleapis/python-genai#2062: with limits of 1,024 to 32,768 the sum of both never
//! passed the limit). `thinkingBudget` is only a wish: models go beyond it (googleapis/go-genai#339: 355,987 for a budget of 8,000), and without
//! `maxOutputTokens` beyond the model's largest answer too. So the limit bounds the cost, the gateway always writes one, and the budget says no more
//! than what a limit must exceed for there to be an answer.

use std::ops::Range;

use super::names::{elements, members, refused, text, unknown};
use super::scan::Scan;
use super::schema;
use crate::apis::AskError;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::integer;

/// Output limits beyond this are mistakes: no model comes near.
const MAX_LIMIT: u64 = i32::MAX as u64;
/// More answers than this are not made by the provider, which documents 8.
const MAX_CANDIDATES: u64 = 8;
/// What the provider adds to explain a schema of the output.
const FORMAT_TOKENS: u64 = 1_024;

/// What has been found.
#[derive(Debug, Default)]
pub(super) struct Config {
    /// Where its first member stands or would stand, and whether there is one.
    pub(super) inside: usize,
    pub(super) is_empty: bool,
    pub(super) max_output: Option<u64>,
    /// Where the limit stands, be it null.
    pub(super) limit_at: Option<Range<usize>>,
    pub(super) candidates: u64,
    pub(super) thinking_budget: u64,
    /// Images are asked for.
    pub(super) images: bool,
}

/// Reads `generationConfig`.
pub(super) fn read(scanner: &mut Scanner<'_>, body: &[u8], scan: &mut Scan) -> Result<Config, AskError> {
    if scanner.kind()? != Kind::Object {
        // A null could not be given a limit without writing it anew.
        return Err(AskError::invalid("generationConfig", "'generationConfig' must be an object; leave it out where there is nothing to say"));
    }
    let mut config = Config { inside: scanner.position() + 1, is_empty: true, ..Config::default() };
    members(scanner, "generationConfig", |scanner, name, start| {
        config.is_empty = false;
        let kind = scanner.kind()?;
        match name {
            "maxOutputTokens" => {
                let start = scanner.position();
                if kind == Kind::Null {
                    scanner.skip()?;
                } else {
                    config.max_output = Some(positive(scanner, "maxOutputTokens", MAX_LIMIT)?);
                }
                config.limit_at = Some(start..scanner.position());
            }
            _ if kind == Kind::Null && known(name) => scanner.skip()?,
            "candidateCount" => config.candidates = positive(scanner, "candidateCount", MAX_CANDIDATES)?,
            "thinkingConfig" => config.thinking_budget = thinking(scanner)?,
            "responseModalities" => modalities(scanner, &mut config)?,
            "responseSchema" | "responseJsonSchema" | "responseFormat" => {
                scan.adds(FORMAT_TOKENS);
                schema::count(scanner, body, scan)?;
                scan.text_beside(scanner.position() - start);
            }
            // Voices and their names are read by the model.
            "speechConfig" => {
                scanner.skip()?;
                scan.text_beside(scanner.position() - start);
            }
            "routingConfig" | "modelSelectionConfig" => return Err(refused(name, "another model may answer, at another price")),
            "translationConfig" | "enableAffectiveDialog" => return Err(refused(name, "it belongs to the Live API, which is not metered")),
            _ if known(name) => scanner.skip()?,
            other => return Err(unknown("generationConfig", other)),
        }
        Ok(())
    })?;
    Ok(config)
}

/// Members that this gateway understands; those that are named only here cost nothing, or are within another bound: the size of an image within
/// what an image costs at most, the resolution of media likewise.
fn known(name: &str) -> bool {
    matches!(
        name,
        "maxOutputTokens"
            | "candidateCount"
            | "thinkingConfig"
            | "responseModalities"
            | "responseSchema"
            | "responseJsonSchema"
            | "responseFormat"
            | "speechConfig"
            | "temperature"
            | "topP"
            | "topK"
            | "seed"
            | "stopSequences"
            | "presencePenalty"
            | "frequencyPenalty"
            | "responseLogprobs"
            | "logprobs"
            | "responseMimeType"
            | "mediaResolution"
            | "imageConfig"
            | "audioTimestamp"
            | "audioTranscriptionConfig"
            | "enableEnhancedCivicAnswers"
    )
}

fn positive(scanner: &mut Scanner<'_>, name: &'static str, most: u64) -> Result<u64, AskError> {
    match integer(scanner, name, most)? {
        0 => Err(AskError::invalid(name, format!("'{name}' must be at least 1"))),
        number => Ok(number),
    }
}

/// The budget for thoughts; none for 0, which turns them off, and -1, which leaves it to the model.
fn thinking(scanner: &mut Scanner<'_>) -> Result<u64, AskError> {
    let mut budget = 0;
    members(scanner, "thinkingConfig", |scanner, name, _| {
        match (name, scanner.kind()?) {
            (_, Kind::Null) | ("includeThoughts" | "thinkingLevel", _) => scanner.skip()?,
            ("thinkingBudget", Kind::Number) => {
                let mut ahead = Scanner::strict(scanner.rest());
                if ahead.number()? == b"-1" {
                    scanner.skip()?;
                } else {
                    budget = integer(scanner, "thinkingBudget", MAX_LIMIT)?;
                }
            }
            ("thinkingBudget", _) => return Err(AskError::invalid("thinkingBudget", "'thinkingBudget' must be a whole number")),
            (other, _) => return Err(unknown("thinkingConfig", other)),
        }
        Ok(())
    })?;
    Ok(budget)
}

/// Text, images and sound are output tokens within the limit. Of films nothing says so.
fn modalities(scanner: &mut Scanner<'_>, config: &mut Config) -> Result<(), AskError> {
    elements(scanner, |scanner| {
        match text(scanner, "responseModalities")?.unwrap_or_default().to_ascii_uppercase().as_str() {
            "" | "TEXT" | "AUDIO" | "MODALITY_UNSPECIFIED" => {}
            "IMAGE" => config.images = true,
            _ => return Err(refused("responseModalities", "only TEXT, IMAGE and AUDIO are known to stay within maxOutputTokens")),
        }
        Ok(())
    })
}
