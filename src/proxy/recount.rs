//! recount: where the bytes of a request would have it refused or clamped, its tokens are counted first: here, or by the provider.
//!
//! Most requests are admitted by their bytes, which costs nothing. Counting here takes a few milliseconds, once a request, beside the threads that serve the
//! others; the vocabulary is read when the first request needs it. How a provider is asked: [`provider`].

mod provider;

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use self::provider::Asking;
use super::quote::{Kind, Price, Quoted};
use super::upstream::UpstreamClients;
use crate::money::Usd;
use crate::telemetry::Metrics;

/// Whose models have a vocabulary that is known here, by the name in the price book.
const PROVIDERS: [&str; 2] = ["openai", "azure"];

/// Counts.
#[derive(Debug)]
pub(super) struct Counting {
    /// The right to count here: half of the processors do so at most, so that whoever asks for much that is refused does not stop the others.
    here: Arc<Semaphore>,
    provider: Asking,
}

/// Who can count a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    /// This gateway: the model is OpenAI's own, served by OpenAI or by Azure. Others that speak the same API have other vocabularies under names of their
    /// own choice.
    Here,
    /// The provider, which alone knows its vocabulary.
    Provider,
}

// === impl Counting ===

impl Default for Counting {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self { here: Arc::new(Semaphore::new((processors / 2).max(1))), provider: Asking::default() }
    }
}

impl Counting {
    /// Bounds the request by its tokens instead of its bytes. The same request, where that cannot be, or where what is `left` could not pay for any count.
    pub(super) async fn recount(&self, counter: Counter, quoted: &mut Quoted, left: Usd, upstreams: &UpstreamClients, metrics: &Metrics) {
        match counter {
            Counter::Here => self.count_here(quoted).await,
            Counter::Provider => {
                // In a box: few requests come here, and all of them are as large as what waits here.
                if let Some(ask) = Box::pin(self.provider.counted(quoted, left, upstreams, metrics)).await {
                    quoted.requoted(ask);
                }
            }
        }
    }

    async fn count_here(&self, quoted: &mut Quoted) {
        let Ok(permit) = Arc::clone(&self.here).acquire_owned().await else { return };
        let (operation, body, model) = (quoted.operation, quoted.request.body.clone(), quoted.ask.model.clone());
        let counted = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, even where the client has gone.
            let _permit = permit;
            operation.ask_counted(&body, &model)
        });
        match counted.await {
            Ok(Ok(ask)) => quoted.requoted(ask),
            Ok(Err(error)) => tracing::debug!(%error, "a request was not counted"),
            Err(error) => tracing::error!(%error, "the counting of a request broke off"),
        }
    }
}

// === impl Counter ===

impl Counter {
    /// Who can count this request, where anybody can.
    pub(super) fn of(quoted: &Quoted) -> Option<Self> {
        let Price::Tokens(price) = &quoted.price else { return None };
        if !matches!(quoted.kind, Kind::Provider) {
            return None;
        }
        if quoted.operation.counted_by_provider() {
            return quoted.route.count_margin.map(|_| Self::Provider);
        }
        let is_own = |provider: &str| PROVIDERS.contains(&provider);
        let known = matches!(quoted.route.api.name(), "openai" | "azure") && price.provider().is_some_and(is_own) && quoted.operation.counts(&quoted.ask.model);
        known.then_some(Self::Here)
    }
}
