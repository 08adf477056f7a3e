//! Whose secret is it? What the server said is believed for a few seconds; admission looks again, atomically, so that a stale answer admits nobody.
//!
//! A secret that is not known is always asked for, and so is one whose facts would refuse it: a token is never refused on old knowledge.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::ledger::types::TokenFacts;
use crate::maps::Map;
use crate::tokens::SecretHash;

/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(10);
/// How many answers are kept.
const MOST: usize = 100_000;

/// What the server said of secrets.
#[derive(Default)]
pub(super) struct Directory(RwLock<Map<SecretHash, Entry>>);

struct Entry {
    facts: Arc<TokenFacts>,
    asked: Instant,
}

// === impl Directory ===

impl Directory {
    /// What is known of a secret, if that is fresh and does not refuse it.
    pub(super) fn known(&self, secret: &SecretHash) -> Option<Arc<TokenFacts>> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(secret)?;
        let expired = entry.facts.expire_time.is_some_and(|end| Timestamp::now() >= end);
        (!expired && entry.asked.elapsed() < BELIEVED).then(|| Arc::clone(&entry.facts))
    }

    /// The server's answer.
    pub(super) fn learn(&self, secret: SecretHash, facts: Option<&Arc<TokenFacts>>) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match facts {
            Some(facts) => {
                if entries.len() >= MOST && !entries.contains_key(&secret) {
                    entries.retain(|_, entry| entry.asked.elapsed() < BELIEVED);
                    if entries.len() >= MOST {
                        entries.clear();
                    }
                }
                entries.insert(secret, Entry { facts: Arc::clone(facts), asked: Instant::now() });
            }
            None => drop(entries.remove(&secret)),
        }
    }

    /// What is known may have changed.
    pub(super) fn forget(&self, secret: &SecretHash) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(secret);
    }

    /// Drops what is too old to be believed.
    pub(super) fn forget_old(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, entry| entry.asked.elapsed() < BELIEVED);
    }
}
