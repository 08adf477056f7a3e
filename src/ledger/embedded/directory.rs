//! The read side of secrets: which token one opens, told without a trip to the writer. The writer brings it up to date before it answers a change.
//!
//! Admission looks again, atomically: this is only as fresh as the last batch.

use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use crate::ledger::rules::{Changes, State, Token};
use crate::ledger::types::TokenFacts;
use crate::maps::Map;
use crate::tokens::SecretHash;

/// A power of two.
const SHARDS: usize = 16;
/// Tokens that are not worth another thread.
const FEW: usize = 50_000;

/// Secrets and what they open.
#[derive(Default)]
pub(crate) struct Directory {
    tokens: [RwLock<Map<SecretHash, Entry>>; SHARDS],
    main_keys: RwLock<Map<SecretHash, Arc<str>>>,
}

struct Entry {
    facts: Arc<TokenFacts>,
    ends_at: Option<Timestamp>,
}

// === impl Directory ===

impl Directory {
    fn shard(&self, secret: &SecretHash) -> &RwLock<Map<SecretHash, Entry>> {
        let [first, ..] = secret.0;
        let [shard, ..] = &self.tokens;
        self.tokens.get(usize::from(first) % SHARDS).unwrap_or(shard)
    }

    /// The token that a secret opens. `now` is asked for only where the secret is in its grace period.
    pub(crate) fn token(&self, secret: &SecretHash, now: impl FnOnce() -> Timestamp) -> Option<Arc<TokenFacts>> {
        let shard = self.shard(secret).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(secret)?;
        entry.ends_at.is_none_or(|end| now() < end).then(|| Arc::clone(&entry.facts))
    }

    /// The account that a main key opens.
    pub(crate) fn account(&self, key: &SecretHash) -> Option<Arc<str>> {
        self.main_keys.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Takes in everything.
    pub(super) fn fill(&self, state: &State) {
        for shard in &self.tokens {
            shard.write().unwrap_or_else(PoisonError::into_inner).reserve(state.tokens().len() / SHARDS);
        }
        let tokens: Vec<&Token> = state.tokens().collect();
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            for some in tokens.chunks(tokens.len().div_ceil(threads).max(FEW)) {
                scope.spawn(|| some.iter().for_each(|token| self.insert(state, token)));
            }
        });
        self.fill_main_keys(state);
    }

    /// Takes in what a batch changed.
    pub(super) fn refresh(&self, state: &State, changes: &Changes) {
        for secret in &changes.dropped_secrets {
            self.shard(secret).write().unwrap_or_else(PoisonError::into_inner).remove(secret);
        }
        for token in changes.identities.iter().filter_map(|id| state.token(*id)) {
            self.insert(state, token);
        }
        if changes.main_keys {
            self.fill_main_keys(state);
        }
    }

    fn insert(&self, state: &State, token: &Token) {
        let facts = Arc::new(TokenFacts {
            id: token.id,
            account: state.account(token.account).map(|account| Arc::clone(&account.name)).unwrap_or_default(),
            name: Arc::clone(&token.name),
            kind: token.kind,
            expire_time: token.expire_time,
        });
        for secret in &token.secrets {
            let entry = Entry { facts: Arc::clone(&facts), ends_at: secret.ends_at };
            self.shard(&secret.hash).write().unwrap_or_else(PoisonError::into_inner).insert(secret.hash, entry);
        }
    }

    fn fill_main_keys(&self, state: &State) {
        let keys = state.accounts().iter().filter_map(|account| Some((account.main_key?, Arc::clone(&account.name)))).collect();
        *self.main_keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}
