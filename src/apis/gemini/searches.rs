//! How searches with Google are billed: from Gemini 3 on by the query, before that by the prompt, however many queries it took (Google's price list,
//! and its guide "Grounding with Google Search": "For billing purposes, we ignore the empty web search queries when counting unique queries").

use std::collections::HashSet;

/// The most queries of one request that are held for, where the route does not say another number. The provider sets no limit and offers none to set; what
/// models do is four to seven. Beyond this, each is charged all the same, as an overrun.
pub(super) const MOST_QUERIES: u64 = 32;
/// Queries that are remembered to tell new ones from old. Beyond that all count as new.
const MOST_KNOWN: usize = 4_096;

/// The queries of one answer, by what tells them apart.
#[derive(Debug, Default)]
pub(super) struct Queries {
    known: HashSet<(u64, Vec<u8>)>,
    beyond: u64,
}

/// How many searches a request for that model is billed for, at most.
pub(super) fn most(model: &str) -> u64 {
    if by_prompt(model) { 1 } else { MOST_QUERIES }
}

/// Models whose searches are billed by the prompt. The names without a version are those of the first.
fn by_prompt(model: &str) -> bool {
    ["gemini-1", "gemini-2", "gemini-flash-1", "gemini-pro-1", "gemini-live-2"].iter().any(|start| model.starts_with(start)) || model == "gemini-pro"
}

// === impl Queries ===

impl Queries {
    /// A query of a candidate, as it stands in the answer. What has been said before, and nothing, is not billed again.
    pub(super) fn add(&mut self, candidate: u64, query: &[u8]) {
        if query.trim_ascii().is_empty() {
            return;
        }
        if self.known.len() < MOST_KNOWN {
            self.known.insert((candidate, query.to_owned()));
        } else if !self.known.contains(&(candidate, query.to_owned())) {
            self.beyond = self.beyond.saturating_add(1);
        }
    }

    /// How many are billed for that model.
    pub(super) fn billed(&self, model: &str) -> u64 {
        let all = (self.known.len() as u64).saturating_add(self.beyond);
        if by_prompt(model) { all.min(1) } else { all }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn unique_queries_are_billed_or_the_prompt_is() {
        let mut queries = Queries::default();
        for query in ["", "one", "two", " ", "one", "three"] {
            queries.add(0, query.as_bytes());
        }
        assert_eq!((queries.billed("gemini-3.8-flash"), queries.billed("gemini-2.5-flash"), queries.billed("gemini-flash-latest")), (3, 1, 3));
        assert_eq!((Queries::default().billed("gemini-3.8-flash"), Queries::default().billed("gemini-2.5-flash")), (0, 0));
        assert_eq!((most("gemini-2.5-pro"), most("gemini-4-argon"), most("gemini-pro-latest")), (1, 32, 32));
        for number in 0..5_000 {
            queries.add(1, format!("{number}").as_bytes());
        }
        assert_eq!(queries.billed("gemini-3.8-flash"), 5_003);
    }
}
