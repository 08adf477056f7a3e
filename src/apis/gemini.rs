//! Google's Gemini API: content, streamed or not, embeddings, the counting of tokens, and the list of models.
//!
//! One file a concern: `path` reads what the path says, `names` knows both spellings of a member, `ask`, `config`, `content`, `media`, `tools`,
//! `schema`, `embed` and `searches` bound a request, `scan` sums it up and `count` has the provider count it; `meter` reads answers, `skim` and `answer`
//! what stands in them, `usage` maps what they report; `simulate` makes answers up, `refuse` shapes errors, `headers` lists what passes. What bounds a
//! request, and what is refused because nothing does, is told in docs/gemini.md.

use http::{HeaderMap, Method};

use self::meter::{ListMeter, Reader, StreamMeter, WholeMeter};
use self::path::{Call, Target};
use super::models::ModelList;
use super::pass_meter::PassMeter;
use super::read;
use super::{Api, Ask, AskError, Billing, CountCall, Envelope, Meter, NoOperation, Operation, RequestView, UnseenOutput};
use crate::sandbox::{Faults, Problem, Simulated};

mod answer;
mod ask;
mod config;
mod content;
mod count;
mod embed;
mod headers;
mod media;
mod meter;
mod names;
mod path;
mod refuse;
mod scan;
mod schema;
mod searches;
mod simulate;
mod skim;
mod tools;
mod usage;

/// The largest answer of Google's text models, which is what a request without a limit of its own is given where the price book knows none.
const DEFAULT_OUTPUT: u64 = 65_536;

/// The Gemini API.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gemini;

/// `:generateContent` and `:streamGenerateContent`.
#[derive(Clone, Copy, Debug)]
struct Generate {
    stream: bool,
}

/// `:embedContent` and `:batchEmbedContents`.
#[derive(Clone, Copy, Debug)]
struct Embed {
    batch: bool,
}

/// `:countTokens`, which costs nothing.
#[derive(Clone, Copy, Debug)]
struct CountTokens;

/// `GET models` and `GET models/{model}`.
#[derive(Clone, Copy, Debug)]
struct Models {
    list: bool,
}

const GENERATE: Generate = Generate { stream: false };
const STREAM_GENERATE: Generate = Generate { stream: true };
const EMBED: Embed = Embed { batch: false };
const BATCH_EMBED: Embed = Embed { batch: true };
const MODEL_LIST: Models = Models { list: true };
const MODEL: Models = Models { list: false };

/// What a stream says in the meantime is an empty line, which ends no event: its SDKs fail on comments.
static ENVELOPE: Envelope = Envelope {
    key: Some(headers::API_KEY),
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: refuse::body,
    problem: simulate::problem_body,
    keep_alive: Some("\n"),
};

impl Api for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let (operation, wants): (&'static dyn Operation, Method) = match path::target(path)?.call {
            Call::Generate => (&GENERATE, Method::POST),
            Call::StreamGenerate => (&STREAM_GENERATE, Method::POST),
            Call::Embed => (&EMBED, Method::POST),
            Call::BatchEmbed => (&BATCH_EMBED, Method::POST),
            Call::CountTokens => (&CountTokens, Method::POST),
            Call::List => (&MODEL_LIST, Method::GET),
            Call::Get => (&MODEL, Method::GET),
        };
        NoOperation::unless(method, &wants, path, operation)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, path: &str) -> String {
        path::upstream(base, path, request.path)
    }

    /// How a stream is framed, and how lists are paged. Not `fields`, which could take the usage out of an answer, nor `key`.
    fn passes_query(&self, parameter: &str) -> bool {
        matches!(parameter, "alt" | "pageSize" | "pageToken" | "page_size" | "page_token")
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    fn is_spoken(&self, headers: &HeaderMap, query: Option<&str>) -> bool {
        headers.contains_key(&headers::API_KEY)
            || headers.contains_key(&headers::API_CLIENT)
            || query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("key=")))
    }

    /// Google's SDK takes a comment for an error.
    fn takes_comments(&self) -> bool {
        false
    }
}

impl Operation for Generate {
    fn name(&self) -> &'static str {
        if self.stream { "models.streamGenerateContent" } else { "models.generateContent" }
    }

    fn feature(&self) -> &'static str {
        "text__chat"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        plain_form(request)?;
        let ask = ask::read(target(request).model, request.body, self.stream)?;
        // A list cannot be ended between any two of its pieces: all that it may cost is held.
        let unseen = if self.stream && !wants_events(request) { UnseenOutput::Any } else { ask.unseen };
        Ok(Ask { unseen, ..ask })
    }

    fn counted_by_provider(&self) -> bool {
        true
    }

    fn count_call(&self, request: &RequestView<'_>) -> Option<CountCall> {
        count::call(request, target(request).model)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        match (streamed, ask.stream) {
            (true, _) => Box::new(StreamMeter::new(Reader::of(ask))),
            (false, true) => Box::new(ListMeter::of(ask)),
            (false, false) => Box::new(WholeMeter::of(ask)),
        }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::answer(request, target(request).model, self.stream, faults)
    }

    fn default_output(&self) -> Option<u64> {
        Some(DEFAULT_OUTPUT)
    }

    /// See [`config`]: without one, thinking does not end where the model's largest answer does.
    fn writes_limit(&self) -> bool {
        true
    }

    fn guesses_searches(&self, ask: &Ask) -> bool {
        ask.bound.max_searches == searches::MOST_QUERIES
    }
}

impl Operation for Embed {
    fn name(&self) -> &'static str {
        if self.batch { "models.batchEmbedContents" } else { "models.embedContent" }
    }

    fn feature(&self) -> &'static str {
        "text__embeddings"
    }

    fn billing(&self) -> Billing {
        Billing::Tokens
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        plain_form(request)?;
        embed::read(target(request).model, request.body, self.batch)
    }

    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        if streamed { Box::new(StreamMeter::new(Reader::of(ask))) } else { Box::new(WholeMeter::of(ask)) }
    }

    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::embed(request.body, target(request).model, self.batch, faults)
    }
}

impl Operation for CountTokens {
    fn name(&self) -> &'static str {
        "models.countTokens"
    }

    fn feature(&self) -> &'static str {
        "text__count_tokens"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        plain_form(request)?;
        let mut scanner = read::object(request.body)?;
        scanner.skip()?;
        scanner.finish()?;
        Ok(Ask::free(target(request).model.to_owned()))
    }

    fn meter(&self, _ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        Box::new(PassMeter::new(streamed, None))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, _models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        simulate::count(request.body)
    }
}

impl Operation for Models {
    fn name(&self) -> &'static str {
        if self.list { "models.list" } else { "models.get" }
    }

    fn feature(&self) -> &'static str {
        "text__models"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    /// The model is that of the path, so that the caller can be told that it may not use it.
    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        plain_form(request)?;
        Ok(Ask::free(target(request).model.to_owned()))
    }

    fn meter(&self, ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        // The list is filtered once all of it is there.
        Box::new(WholeMeter::of(ask))
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        if self.list { Ok(simulate::models(models)) } else { simulate::model(target(request).model, models) }
    }

    fn model_list(&self) -> Option<ModelList> {
        self.list.then_some(ModelList { member: "models", id: "name", prefix: "models/" })
    }
}

/// What the path says. The operation was found by it, so it says something.
fn target<'a>(request: &RequestView<'a>) -> Target<'a> {
    path::target(request.path).unwrap_or(Target { call: Call::List, model: "" })
}

/// Answers come as JSON or as events of it; other forms (`alt=proto`) hide the usage.
fn plain_form(request: &RequestView<'_>) -> Result<(), AskError> {
    let mut forms = request.query.unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("alt="));
    match (forms.next(), forms.next()) {
        (None | Some("sse" | "json"), None) => Ok(()),
        _ => Err(AskError::invalid("alt", "'alt' must be sse or json, and be given once")),
    }
}

/// The client wants the answer as events.
fn wants_events(request: &RequestView<'_>) -> bool {
    request.query.unwrap_or_default().split('&').any(|pair| pair == "alt=sse")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
