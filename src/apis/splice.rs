//! Splices: a request's body goes upstream as the client wrote it, but for the few bytes that must change. They are found by offset
//! while the body is read, so that nothing is parsed or written a second time.

use std::ops::Range;

use bytes::Bytes;

/// What changes in a body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edits {
    /// Where the output limit stands or goes. None where the operation has no such limit.
    pub(crate) limit: Option<LimitEdit>,
    /// Changes that are always made.
    pub(crate) fixed: Vec<Edit>,
}

/// Bytes to replace. An empty range inserts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Which bytes.
    pub(crate) range: Range<usize>,
    /// What stands there instead.
    pub(crate) text: &'static str,
}

/// Where the output limit stands or goes.
#[derive(Clone, Debug)]
pub(crate) struct LimitEdit {
    /// The values that set it now: each is replaced. Empty: it is inserted.
    pub(crate) values: Vec<Range<usize>>,
    /// Where it is inserted: just after the opening brace of a body with other members.
    pub(crate) insert_at: usize,
    /// The member that is inserted: its name; or, where it stands deeper than at the top, all that is inserted, with `#` for the number.
    pub(crate) name: &'static str,
    /// The limit that all of `values` are set to even when none is asked for: they disagree, and providers differ in which they obey.
    pub(crate) agree_on: Option<u64>,
}

// === impl Edits ===

impl Edits {
    pub(crate) fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// The body with the changes made.
    pub(crate) fn apply(&self, body: &Bytes, output_limit: Option<u64>) -> Bytes {
        let mut edits: Vec<(Range<usize>, String)> = self.fixed.iter().map(|edit| (edit.range.clone(), edit.text.to_owned())).collect();
        if let Some(limit) = &self.limit
            && let Some(tokens) = output_limit.or(limit.agree_on)
        {
            if limit.values.is_empty() {
                let member = match limit.name.split_once('#') {
                    Some((front, back)) => format!("{front}{tokens}{back}"),
                    None => format!("\"{}\":{tokens},", limit.name),
                };
                edits.push((limit.insert_at..limit.insert_at, member));
            }
            edits.extend(limit.values.iter().map(|range| (range.clone(), tokens.to_string())));
        }
        edits.retain(|(range, text)| body.get(range.clone()) != Some(text.as_bytes()));
        if edits.is_empty() {
            return body.clone();
        }
        edits.sort_by_key(|(range, _)| range.start);
        let added: usize = edits.iter().map(|(_, text)| text.len()).sum();
        let mut spliced = Vec::with_capacity(body.len() + added);
        let mut at = 0;
        for (range, text) in &edits {
            spliced.extend_from_slice(body.get(at..range.start).unwrap_or_default());
            spliced.extend_from_slice(text.as_bytes());
            at = range.end;
        }
        spliced.extend_from_slice(body.get(at..).unwrap_or_default());
        Bytes::from(spliced)
    }
}
