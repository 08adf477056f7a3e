//! Reads what `embedContent` and `batchEmbedContents` ask for.

use super::ask::same_model;
use super::content;
use super::names::{elements, members, unknown};
use super::scan::Scan;
use crate::apis::json::{Kind, Scanner};
use crate::apis::read;
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// What a task and the marks around a text add to it.
const TASK_TOKENS: u64 = 64;

/// Reads the body of `models/{model}:embedContent`, or of `:batchEmbedContents` where it is a `batch`.
pub(super) fn read(model: &str, body: &[u8], batch: bool) -> Result<Ask, AskError> {
    let mut scanner = read::object(body)?;
    let mut bound = Bound::default();
    if batch {
        let mut any = false;
        members(&mut scanner, "request", |scanner, name, _| match (name, scanner.kind()?) {
            ("model", _) => same_model(scanner, model),
            ("requests", Kind::Array | Kind::Object) => elements(scanner, |scanner| {
                any = true;
                add(&mut bound, request(scanner, model)?);
                Ok(())
            }),
            (other, _) => Err(unknown("request", other)),
        })?;
        if !any {
            return Err(AskError::invalid("requests", "'requests' is missing: the list of what is to be embedded"));
        }
    } else {
        bound = request(&mut scanner, model)?;
    }
    scanner.finish()?;
    let (model, unseen) = (model.to_owned(), UnseenOutput::UpTo(0));
    Ok(Ask { model, bound, stream: false, service_tier: None, unseen, asked_usage: true, edits: Edits::default() })
}

/// One thing to embed.
fn request(scanner: &mut Scanner<'_>, model: &str) -> Result<Bound, AskError> {
    let mut scan = Scan::with(TASK_TOKENS);
    let mut any = false;
    members(scanner, "request", |scanner, name, start| match (name, scanner.kind()?) {
        ("model", _) => same_model(scanner, model),
        ("content" | "embedContentConfig" | "title" | "taskType" | "outputDimensionality" | "serviceTier", Kind::Null) => {
            scanner.skip().map_err(AskError::from)
        }
        ("content", _) => {
            any = true;
            content::contents(scanner, &mut scan)
        }
        ("embedContentConfig", _) => members(scanner, "embedContentConfig", |scanner, name, start| setting(scanner, &mut scan, name, start)),
        (other, _) => setting(scanner, &mut scan, other, start),
    })?;
    if any { Ok(scan.bound()) } else { Err(AskError::invalid("content", "'content' is missing: what is to be embedded")) }
}

fn setting(scanner: &mut Scanner<'_>, scan: &mut Scan, name: &str, start: usize) -> Result<(), AskError> {
    match name {
        // A title stands before the text.
        "title" | "taskType" => {
            scanner.skip()?;
            scan.text_bytes = scan.text_bytes.saturating_add((scanner.position() - start) as u64);
        }
        "outputDimensionality" | "autoTruncate" => scanner.skip()?,
        // More is read of documents and films, which are bounded as a whole.
        "documentOcr" | "audioTrackExtraction" => scanner.skip()?,
        other => return Err(unknown("request", other)),
    }
    Ok(())
}

/// Each of the batch may fill a window of its own.
fn add(sum: &mut Bound, one: Bound) {
    let mut input = Usage::default();
    for unit in Unit::ALL {
        input.set(unit, sum.input.get(unit).saturating_add(one.input.get(unit)));
    }
    sum.input = input;
    sum.windows = sum.windows.saturating_add(one.windows);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
