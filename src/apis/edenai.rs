//! Eden AI's API, version 3: other providers' models as `provider/model` behind OpenAI's shapes and Anthropic's, and what has no such shape
//! ("universal AI") as `feature/subfeature/provider`. Its answers tell what they cost: that is charged, and the price book bounds it.
//!
//! One file a concern: `ask` bounds what is asked, `fields` says which members it adds to OpenAI's and Anthropic's, `resold` takes OpenAI's operations as they
//! are, `messages` speaks Anthropic's shapes, `universal` is the operation for all that has neither, `jobs` those that take longer than a request, `catalog`
//! lists models and features, `simulate` makes answers up, `sellers` says whose prices apply, `headers` lists what passes.
//!
//! Source: Eden AI's documentation of version 3 (its API reference; "Chat Completions", "Universal AI", "Webhooks", "Buying Credits"), read in November 2026,
//! and the answers of the live service that the tests of LiteLLM's provider for it record.

use http::Method;

use self::catalog::{INFO, MODELS};
use self::jobs::{BEGIN, POLL};
use self::messages::{COUNT_TOKENS, MESSAGES};
use self::resold::{EDITS, IMAGES, RESPONSES, SPEECH, TRANSCRIPTIONS, without_llm};
use self::universal::UNIVERSAL;
use super::openai::{self, Shape, responses};
use super::{Api, Ask, AskError, Billing, Envelope, Meter, NoOperation, Operation, RequestView, Seller};
use crate::sandbox::{Faults, Problem, Simulated};

mod ask;
mod catalog;
mod fields;
mod headers;
mod jobs;
mod messages;
mod resold;
mod sellers;
mod simulate;
mod universal;

/// Eden AI's API.
#[derive(Clone, Copy, Debug)]
pub(super) struct EdenAi;

/// An operation in OpenAI's shapes.
#[derive(Clone, Copy, Debug)]
struct Metered {
    name: &'static str,
    feature: &'static str,
    shape: Shape,
}

const CHAT: Metered = Metered { name: "chat.completions", feature: "text__chat", shape: Shape::Chat };
const EMBEDDINGS: Metered = Metered { name: "embeddings", feature: "text__embeddings", shape: Shape::Embedding };
/// OpenAI's models, which cost nothing.
const MODERATIONS: Metered = Metered { name: "moderations", feature: "text__moderation", shape: Shape::Moderation };

/// What else the API has, by the beginning of the path.
const NOT_YET: [(&str, &str); 13] = [
    ("responses", "this part of the Responses API"),
    ("llm/responses", "this part of the Responses API"),
    ("images", "this operation on images"),
    ("audio", "this operation on audio"),
    ("videos", "video generation, where nothing but the finished job tells what it cost"),
    ("moderations", "this operation on moderations"),
    ("embeddings", "this operation on embeddings"),
    ("alpha", "decisions"),
    ("upload", "files, which all tokens of this gateway would share"),
    ("universal-ai/collections", "collections of faces, which all tokens of this gateway would share"),
    ("manage", "the management API"),
    ("batches", "batches"),
    ("rerank", "reranking"),
];

static ENVELOPE: Envelope = Envelope {
    key: None,
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: openai::refusal_body,
    problem: openai::problem_body,
    keep_alive: Some(openai::COMMENT),
};

impl Api for EdenAi {
    fn name(&self) -> &'static str {
        "edenai"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let (operation, wants): (&'static dyn Operation, Method) = match path {
            // The older path has `llm/` before it.
            "chat/completions" | "llm/chat/completions" => (&CHAT, Method::POST),
            "responses" | "llm/responses" => (&RESPONSES, Method::POST),
            "embeddings" => (&EMBEDDINGS, Method::POST),
            "moderations" => (&MODERATIONS, Method::POST),
            "images/generations" => (&IMAGES, Method::POST),
            "images/edits" => (&EDITS, Method::POST),
            "audio/speech" => (&SPEECH, Method::POST),
            "audio/transcriptions" => (&TRANSCRIPTIONS, Method::POST),
            "v1/messages" => (&MESSAGES, Method::POST),
            "v1/messages/count_tokens" => (&COUNT_TOKENS, Method::POST),
            "universal-ai" => (&UNIVERSAL, Method::POST),
            // Its list, at the same path, is that of all tokens.
            "universal-ai/async" => (&BEGIN, Method::POST),
            _ if jobs::is_job(path) => (&POLL, Method::GET),
            _ if responses::is_stored(without_llm(path)) => return resold::stored(method, path).unwrap_or_else(|| Err(no_operation(path))),
            "models" | "llm/models" => (&MODELS, Method::GET),
            _ if catalog::is_info(path) => (&INFO, Method::GET),
            _ => return Err(no_operation(path)),
        };
        NoOperation::unless(method, &wants, path, operation)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        // Operators write the base with or without the version, as SDKs do.
        let version = if base.ends_with("/v3") { "" } else { "/v3" };
        let (llm, rest) = request.path.split_at(request.path.len() - without_llm(request.path).len());
        format!("{base}{version}/{llm}{}", responses::upstream_path(&jobs::upstream_path(rest)))
    }

    fn passes_query(&self, parameter: &str) -> bool {
        // How `info` writes its schemas; SDKs of Anthropic's mark calls of their `beta` namespace.
        matches!(parameter, "format" | "beta") || responses::passes_query(parameter)
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    fn at(&self, path: &str) -> Option<&'static dyn Api> {
        path.starts_with("v1/").then_some(&messages::EdenMessages)
    }

    fn sellers(&self) -> &'static [Seller] {
        &sellers::ALL
    }
}

impl Operation for Metered {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        self.feature
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn reports_cost(&self) -> bool {
        true
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        ask::read(self.shape, request.body, None)
    }

    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        ask::read(self.shape, request.body, Some(model))
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed {
            Box::new(openai::StreamMeter::of(!ask.asked_usage, ask.bound.max_searches, false))
        } else {
            Box::new(openai::WholeMeter::new(ask.bound.has_output, ask.bound.max_searches))
        }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        let simulated = match self.shape {
            Shape::Embedding => openai::simulated_embeddings::answer(request.body, faults),
            Shape::Moderation => {
                let model = self.ask(request).map(|ask| ask.model).unwrap_or_default();
                return openai::simulated_moderations::answer(request.body).map(|simulated| simulate::told_free(simulated, &model));
            }
            Shape::Chat | Shape::Completion => openai::simulated_chat::answer(request.body, faults),
        };
        simulated.map(simulate::with_cost)
    }
}

fn no_operation(path: &str) -> NoOperation {
    NoOperation::unknown(
        path,
        path,
        &NOT_YET,
        "chat/completions, llm/chat/completions, responses, llm/responses, v1/messages, v1/messages/count_tokens, embeddings, moderations, \
         images/generations, images/edits, audio/speech, audio/transcriptions, universal-ai, universal-ai/async, models and info",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
