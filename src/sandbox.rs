//! Simulated answers: what a sandbox token gets, and what `spendgate simulate` serves. No provider is asked and nothing is charged.
//!
//! An answer is drawn from a hash of the request: the same request always gets the same bytes, and a streamed answer says and counts what the same
//! request gets when it is not streamed. Requests are checked as the provider checks them, and answers carry every field that strict clients want.
//!
//! ```text
//! body -> fields, chat::ask, ..  what was asked, or the provider's 400 (problem)
//!      -> seed, text, schema     what to say: prose, tool arguments, structured output, vectors
//!      -> chat::render, ..       one JSON body, or the events of a stream
//!      -> respond, serve         as an HTTP response; as a service of its own
//! ```
//!
//! Usage counts four bytes as a token. Input is the text that a model would read: the texts of all messages and their tool calls, the definitions of
//! tools and of the response format as compact JSON, and 85 tokens for an image. Output is the text of the answer.

mod chat;
mod completions;
mod embeddings;
mod faults;
mod fields;
mod http;
mod messages;
mod models;
mod problem;
mod respond;
mod schema;
mod seed;
mod serve;
mod text;

use std::time::Duration;

use ::http::StatusCode;
use bytes::Bytes;

pub use faults::Faults;
pub use respond::{BrokenOff, SANDBOX_HEADER, SimulatedBody};
pub use serve::{ServedModels, serve};

use problem::Problem;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";

/// The operations that can be simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SimulatedOperation {
    /// OpenAI `POST chat/completions`.
    ChatCompletions,
    /// OpenAI `POST completions`, the legacy form.
    Completions,
    /// OpenAI `POST embeddings`.
    Embeddings,
    /// OpenAI `GET models`. One model alone: [`simulate_model`].
    Models,
    /// Anthropic `POST messages`.
    Messages,
    /// Anthropic `POST messages/count_tokens`.
    CountTokens,
    /// Anthropic `GET models`. One model alone: [`simulate_anthropic_model`].
    AnthropicModels,
    /// Anything else behind a route: a small JSON object that says it is simulated.
    Http,
}

/// A simulated answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The status of the response.
    pub status: StatusCode,
    /// The value of its `content-type`.
    pub content_type: &'static str,
    /// How long to wait before the response begins. Waiting is the sender's business.
    pub latency: Duration,
    /// The body: one chunk for each event of a stream, one in all otherwise.
    pub chunks: Vec<Bytes>,
    /// After the last chunk the connection is broken off, not ended.
    pub cut: bool,
}

/// Answers a request. `body` is read as far as the operation has one; `models` are the ids for [`SimulatedOperation::Models`].
///
/// Work and memory are bounded for any body: a few milliseconds for a hostile schema, a few megabytes of answer beyond the size of the request.
#[must_use]
pub fn simulate(operation: SimulatedOperation, body: &[u8], faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let simulated = finish(faults, || match operation {
        SimulatedOperation::ChatCompletions => chat::answer(body, faults),
        SimulatedOperation::Completions => completions::answer(body, faults),
        SimulatedOperation::Embeddings => embeddings::answer(body, faults),
        SimulatedOperation::Models => Ok(models::list(models)),
        SimulatedOperation::Messages => messages::answer(body, faults),
        SimulatedOperation::CountTokens => messages::count(body),
        SimulatedOperation::AnthropicModels => Ok(messages::models(models)),
        SimulatedOperation::Http => Ok(http::answer(body)),
    });
    simulated.unwrap_or_else(|problem| Simulated::problem(operation, &problem)).with(faults)
}

/// Answers OpenAI `GET models/{id}`: the model if it is among `models`, else the provider's 404.
#[must_use]
pub fn simulate_model(id: &str, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let simulated = finish(faults, || models::one(id, models));
    simulated.unwrap_or_else(|problem| Simulated::problem(SimulatedOperation::Models, &problem)).with(faults)
}

/// Answers Anthropic `GET models/{id}` likewise.
#[must_use]
pub fn simulate_anthropic_model(id: &str, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let simulated = finish(faults, || messages::model(id, models));
    simulated.unwrap_or_else(|problem| Simulated::problem(SimulatedOperation::AnthropicModels, &problem)).with(faults)
}

/// A status that was asked for takes the place of whatever would be answered.
fn finish(faults: &Faults, answer: impl FnOnce() -> Result<Simulated, Problem>) -> Result<Simulated, Problem> {
    faults.status.map_or_else(answer, |status| Err(Problem::of_status(status)))
}

// === impl SimulatedOperation ===

impl SimulatedOperation {
    const fn is_anthropic(self) -> bool {
        matches!(self, Self::Messages | Self::CountTokens | Self::AnthropicModels)
    }
}

// === impl Simulated ===

impl Simulated {
    fn json(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type: JSON, latency: Duration::ZERO, chunks: vec![body.into()], cut: false }
    }

    fn events(chunks: Vec<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type: EVENTS, latency: Duration::ZERO, chunks, cut: false }
    }

    /// An error in the shape of the operation's API.
    fn problem(operation: SimulatedOperation, problem: &Problem) -> Self {
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = if operation.is_anthropic() { problem.anthropic_body() } else { problem.body() };
        Self { status, ..Self::json(body) }
    }

    /// Puts in the faults that change how an answer arrives.
    fn with(mut self, faults: &Faults) -> Self {
        self.latency = faults.latency.unwrap_or_default();
        if let Some(events) = faults.cut {
            self.cut_after(events);
        }
        self
    }

    /// Whether the body is a stream of events.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.content_type == EVENTS
    }

    fn cut_after(&mut self, events: u32) {
        self.cut = true;
        if self.is_stream() {
            self.chunks.truncate(usize::try_from(events).unwrap_or(usize::MAX));
        } else {
            // One chunk is all there is: half of it has arrived when the connection breaks.
            for chunk in &mut self.chunks {
                chunk.truncate(if events == 0 { 0 } else { chunk.len() / 2 });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
