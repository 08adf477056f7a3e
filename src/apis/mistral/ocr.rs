//! Reads which document is to be read, and bounds its pages: they are what is billed.
//!
//! An image is one page. A document has as many as the request names in `pages`, and otherwise the most that the provider takes: how many it has
//! stands somewhere inside of it. Pages that are annotated by a schema have a price of their own.

use std::collections::BTreeSet;

use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{self, model, short};
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, AskErrorKind, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// The most pages that the provider reads of a document (Mistral's page "OCR", FAQ: 1,000 pages and 50 MB).
pub(super) const MOST_PAGES: u64 = 1_000;

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Document {
    Image,
    Pages,
}

#[derive(Default)]
struct Scan {
    model: Option<String>,
    document: Option<Document>,
    /// How many pages are named.
    pages: Option<u64>,
    annotated: bool,
}

/// Reads the body of `POST ocr`.
pub(super) fn read(body: &[u8]) -> Result<Ask, AskError> {
    let mut scan = Scan::default();
    let mut scanner = read::object(body)?;
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        scan.member(scanner, key.as_deref().unwrap_or_default())
    })?;
    scanner.finish()?;
    scan.into_ask()
}

/// Which pages a list or a text of numbers and ranges (`0,2-4`) names; none where it is neither.
pub(super) fn named_pages(text: &str) -> Option<BTreeSet<u64>> {
    let mut pages = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let number = |digits: &str| if digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse::<u64>().ok() } else { None };
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from.trim())?, number(to.trim())?);
        // No document has more pages than that; what lies beyond cannot be read.
        pages.extend(from..=to.min(from.saturating_add(MOST_PAGES)));
    }
    Some(pages)
}

// === impl Scan ===

impl Scan {
    fn member(&mut self, scanner: &mut Scanner<'_>, key: &str) -> Result<(), AskError> {
        let kind = scanner.kind()?;
        match key {
            _ if !is_known(key) => {
                let lower = key.to_ascii_lowercase();
                if lower != key && is_known(&lower) {
                    let message = format!("'{}' must be written '{lower}'", short(key));
                    return Err(AskError { param: Some(short(key)), message, kind: AskErrorKind::Invalid });
                }
                if kind != Kind::Null {
                    let message = format!("'{}' is not known to this gateway, so what it costs cannot be bounded; leave it out", short(key));
                    return Err(AskError::unsupported(short(key), message));
                }
                scanner.skip()?;
            }
            _ if kind == Kind::Null => scanner.skip()?,
            "model" => self.model = Some(model(scanner)?),
            "document" => self.document = Some(document(scanner)?),
            "pages" => self.pages = Some(pages(scanner)?),
            "bbox_annotation_format" | "document_annotation_format" => {
                self.annotated = true;
                scanner.skip()?;
            }
            _ => scanner.skip()?,
        }
        Ok(())
    }

    fn into_ask(self) -> Result<Ask, AskError> {
        let model = self.model.ok_or_else(|| AskError::invalid("model", "'model' is missing"))?;
        let pages = match self.document {
            None => return Err(AskError::invalid("document", "'document' is missing")),
            Some(Document::Image) => 1,
            Some(Document::Pages) => self.pages.unwrap_or(MOST_PAGES).min(MOST_PAGES),
        };
        let unit = if self.annotated { Unit::AnnotatedPages } else { Unit::Pages };
        let bound = Bound { input: Usage::default().with(unit, pages), ..Bound::default() };
        Ok(Ask { model, bound, stream: false, service_tier: None, unseen: UnseenOutput::UpTo(0), asked_usage: true, edits: Edits::default() })
    }
}

fn is_known(key: &str) -> bool {
    matches!(key, "model" | "document" | "pages" | "id" | "bbox_annotation_format" | "document_annotation_format" | "document_annotation_prompt")
        || matches!(key, "include_image_base64" | "image_limit" | "image_min_size" | "table_format" | "extract_header" | "extract_footer")
        || matches!(key, "include_blocks" | "confidence_scores_granularity")
}

fn document(scanner: &mut Scanner<'_>) -> Result<Document, AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid("document", "'document' must be an object"));
    }
    let (mut kind, mut holds) = (None, None);
    scanner.object(|scanner, member| {
        let key = member.key.decode();
        match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
            (_, Kind::Null) | ("document_name", _) => scanner.skip()?,
            ("type", Kind::String) => kind = scanner.string()?.decode().map(std::borrow::Cow::into_owned),
            ("document_url", Kind::String) => {
                holds = Some(Document::Pages);
                scanner.skip()?;
            }
            ("image_url", _) => {
                holds = Some(Document::Image);
                scanner.skip()?;
            }
            ("file_id", _) => {
                return Err(AskError::unsupported("document", "files are not available through this gateway: send the document's address, or its data"));
            }
            (other, _) => {
                let message = format!("'{}' in 'document' is not known to this gateway, so what it costs cannot be bounded", short(other));
                return Err(AskError::unsupported("document", message));
            }
        }
        Ok(())
    })?;
    match (kind.as_deref(), holds) {
        (Some("document_url") | None, Some(Document::Pages)) => Ok(Document::Pages),
        (Some("image_url") | None, Some(Document::Image)) => Ok(Document::Image),
        (Some("document_url" | "image_url") | None, _) => {
            Err(AskError::invalid("document", "'document' must have a 'document_url' or an 'image_url', and a 'type' of the same name"))
        }
        (Some(other), _) => Err(AskError::unsupported("document", format!("a document of type '{}' cannot be priced by this gateway", short(other)))),
    }
}

/// How many pages are named: a list of numbers, or a text of numbers and ranges.
fn pages(scanner: &mut Scanner<'_>) -> Result<u64, AskError> {
    let wrong = || AskError::invalid("pages", "'pages' must be a list of page numbers, or a text of numbers and ranges such as '0,2-4'");
    let named = match scanner.kind()? {
        Kind::String => scanner.string()?.decode().and_then(|text| named_pages(&text)).ok_or_else(wrong)?,
        Kind::Array => {
            let mut named = BTreeSet::new();
            scanner.array(|scanner| {
                let digits = if scanner.kind()? == Kind::Number { scanner.number()? } else { return Err(wrong()) };
                let page = std::str::from_utf8(digits).ok().and_then(named_pages).filter(|pages| pages.len() == 1).ok_or_else(wrong)?;
                named.extend(page);
                Ok(())
            })?;
            named
        }
        _ => return Err(wrong()),
    };
    // With none named, all are read.
    Ok(if named.is_empty() { MOST_PAGES } else { named.len() as u64 })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
