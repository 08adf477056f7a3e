//! recount: where the bytes of a request's texts would have it refused or clamped, its texts are counted first.
//!
//! Most requests are admitted by their bytes, which costs nothing. Counting takes a few milliseconds, once a request, beside the threads that serve the
//! others; the vocabulary is read when the first request needs it.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

use super::quote::{Kind, Price, Quoted};

/// Whose models have a vocabulary that is known here, by the name in the price book.
const PROVIDERS: [&str; 2] = ["openai", "azure"];

/// The right to count: half of the processors do so at most, so that whoever asks for much that is refused does not stop the others.
#[derive(Clone, Debug)]
pub(super) struct Counting(Arc<Semaphore>);

impl Default for Counting {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

impl Counting {
    /// Bounds the request by the tokens of its texts instead of their bytes. The same request, where that cannot be.
    pub(super) async fn recount(&self, quoted: &mut Quoted) {
        let Ok(permit) = Arc::clone(&self.0).acquire_owned().await else { return };
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

/// Whether the request's texts can be counted: the model is OpenAI's own, served by OpenAI or by Azure. Others that speak the same API have other
/// vocabularies under names of their own choice.
pub(super) fn counts(quoted: &Quoted) -> bool {
    let Price::Tokens(price) = &quoted.price else { return false };
    let is_own = |provider: &str| PROVIDERS.contains(&provider);
    matches!(quoted.kind, Kind::Provider)
        && matches!(quoted.route.api.name(), "openai" | "azure")
        && price.provider().is_some_and(is_own)
        && quoted.operation.counts(&quoted.ask.model)
}
