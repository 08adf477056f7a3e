//! Reads what is to be ranked, and bounds its search units.
//!
//! A search unit is one query with up to 100 documents. Documents that, with the query, are longer than 500 tokens are split, and each piece
//! counts as a document (Cohere's pricing page, "What is a search unit?"). How long pieces are differs by model, and the reference speaks of longer
//! ones; the shortest that is documented bounds them all. A query takes at most 256 tokens of such a piece ("Best practices for using Rerank", on
//! models with pieces of that length).

use super::ask::{members, missing};
use super::fields::{self, Field, unknown_in};
use crate::apis::json::{Kind, Scanner};
use crate::apis::read::{integer, model};
use crate::apis::splice::Edits;
use crate::apis::{Ask, AskError, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Pieces in a search unit.
pub(in crate::apis::cohere) const PIECES_PER_UNIT: u64 = 100;
/// Tokens of a piece, the query and the marks between them included.
const PIECE_TOKENS: u64 = 500;
const PIECE_MARKS: u64 = 4;
/// The most of a piece that the query takes.
const QUERY_TOKENS: u64 = 256;
/// Truncation beyond this is none.
const MAX_TOKENS: u64 = i32::MAX as u64;

#[derive(Default)]
struct Scan {
    model: Option<String>,
    query_bytes: Option<u64>,
    /// Bytes of each document.
    documents: Vec<u64>,
    tokens_per_document: Option<u64>,
}

/// Reads the body of `POST v2/rerank`.
pub(super) fn read(body: &[u8]) -> Result<Ask, AskError> {
    let mut scan = Scan::default();
    members(body, fields::rerank, |scanner, field, _| {
        match field {
            Field::Model => scan.model = Some(model(scanner)?),
            Field::Query => {
                if scanner.kind()? != Kind::String {
                    return Err(AskError::invalid("query", "'query' must be a string"));
                }
                scan.query_bytes = Some(scanner.string()?.raw().len() as u64);
            }
            Field::Ranked => scan.documents(scanner)?,
            Field::TokensPerDocument => scan.tokens_per_document = Some(integer(scanner, "max_tokens_per_doc", MAX_TOKENS)?),
            _ => scanner.skip()?,
        }
        Ok(())
    })?;
    scan.into_ask()
}

/// The most pieces that documents of so many tokens are split into, each cut to `most` first.
pub(in crate::apis::cohere) fn pieces(query_tokens: u64, documents: impl Iterator<Item = u64>, most: Option<u64>) -> u64 {
    let room = PIECE_TOKENS - PIECE_MARKS - query_tokens.min(QUERY_TOKENS);
    documents.fold(0, |sum, tokens| sum.saturating_add(tokens.min(most.unwrap_or(u64::MAX)).div_ceil(room).max(1)))
}

// === impl Scan ===

impl Scan {
    fn documents(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Array {
            return Err(AskError::invalid("documents", "'documents' must be a list"));
        }
        scanner.array(|scanner| {
            let bytes = match scanner.kind()? {
                Kind::String => scanner.string()?.raw().len() as u64,
                Kind::Object => {
                    let mut bytes = 0;
                    scanner.object(|scanner, member| {
                        let key = member.key.decode();
                        match (key.as_deref().unwrap_or_default(), scanner.kind()?) {
                            ("text", Kind::String) => bytes = scanner.string()?.raw().len() as u64,
                            (_, Kind::Null) => scanner.skip()?,
                            (other, _) => return Err(unknown_in("documents", other)),
                        }
                        Ok(())
                    })?;
                    bytes
                }
                _ => return Err(AskError::invalid("documents", "each of 'documents' must be a string")),
            };
            self.documents.push(bytes);
            Ok(())
        })
    }

    fn into_ask(self) -> Result<Ask, AskError> {
        let model = self.model.ok_or_else(|| missing("model"))?;
        let query_bytes = self.query_bytes.ok_or_else(|| missing("query"))?;
        if self.documents.is_empty() {
            return Err(AskError::invalid("documents", "'documents' must not be empty"));
        }
        // A token is at least one byte.
        let pieces = pieces(query_bytes, self.documents.into_iter(), self.tokens_per_document);
        let input = Usage::default().with(Unit::SearchUnits, pieces.div_ceil(PIECES_PER_UNIT));
        let bound = Bound { input, ..Bound::default() };
        Ok(Ask { model, bound, stream: false, service_tier: None, unseen: UnseenOutput::UpTo(0), asked_usage: true, edits: Edits::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
