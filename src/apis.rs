//! The providers' APIs: what a request asks for, what its answer consumed, and how an error looks to the SDK that called.
//!
//! An [`Api`] knows the operations below a mount. An [`Operation`] turns a request into an [`Ask`] (the model and the most it can
//! consume) and makes the [`Meter`] that reads the provider's answer while it passes. Nothing here knows prices or balances, or
//! speaks to anyone: bytes in, bytes and numbers out.

use ::http::{HeaderMap, Method};
use bytes::Bytes;

use crate::money::Usd;
use crate::prices::Usage;
use crate::sandbox::{Faults, Problem, Simulated};

mod anthropic;
mod ask;
mod cohere;
mod count;
mod edenai;
mod envelope;
mod event_meter;
mod gemini;
pub mod http;
mod json;
mod members;
mod mistral;
mod models;
mod multipart;
mod openai;
mod pass_meter;
mod read;
mod recording;
mod refusal;
mod seal;
mod sellers;
mod splice;
mod sse;
mod tokens;
mod whole;

pub use ask::{Ask, AskError, AskErrorKind, UnseenOutput};
pub use count::CountCall;
pub use envelope::Envelope;
pub use models::ModelList;
pub use refusal::{BudgetBody, Refusal, RefusalKind};
pub use seal::{KeptId, Seal};
pub use sellers::{Priced, Seller, listed, price};

pub use tokens::Served;

/// Every API that a route can speak: a new one is a folder here and a line in this table.
pub const ALL: [&'static dyn Api; 8] =
    [&openai::OpenAi, &openai::Azure, &anthropic::Anthropic, &gemini::Gemini, &cohere::Cohere, &mistral::Mistral, &edenai::EdenAi, &http::Http];

/// A request as an operation sees it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path below the mount, without a leading slash: `chat/completions`.
    pub path: &'a str,
    /// Its query, as it came, without the question mark.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its body, decoded where it came compressed.
    pub body: &'a Bytes,
}

/// How an operation is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// By what it consumes; see [`Measured::usage`].
    Tokens,
    /// By the call, or by what the provider reports: the route says.
    PerRequest,
    /// Not at all.
    Free,
}

/// One operation of an API.
pub trait Operation: Send + Sync + 'static {
    /// Its name: `chat.completions`.
    fn name(&self) -> &'static str;

    /// Its key in reports: `text__chat`.
    fn feature(&self) -> &'static str;

    /// Its key in reports, where that goes by the model.
    fn feature_of(&self, _ask: &Ask) -> Option<String> {
        None
    }

    /// How it is paid for.
    fn billing(&self) -> Billing;

    /// Reads what the request asks for, in one scan of the body.
    ///
    /// # Errors
    /// [`AskError`] for a body that cannot be priced.
    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError>;

    /// Reads the body of the provider's answer to `ask`: events where it is `streamed`.
    fn meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter>;

    /// Whether its answers tell ids of what stays at the provider: see [`Operation::meter_sealed`].
    fn seals(&self) -> bool {
        false
    }

    /// As [`Operation::meter`], where it [seals](Operation::seals): each id gets the seal of the token that asked.
    fn meter_sealed(&self, ask: &Ask, streamed: bool, _seal: &Seal) -> Box<dyn Meter> {
        self.meter(ask, streamed)
    }

    /// As [`Operation::ask`], where the operator says what model the name in the request stands for.
    ///
    /// # Errors
    /// As [`Operation::ask`].
    fn ask_as(&self, request: &RequestView<'_>, model: &str) -> Result<Ask, AskError> {
        self.ask(request).map(|ask| Ask { model: model.to_owned(), ..ask })
    }

    /// Whether [`Operation::ask_counted`] knows more of this model's tokens than that each has a byte.
    fn counts(&self, _model: &str) -> bool {
        false
    }

    /// What the body asks of the model, with its texts counted in the model's own tokens instead of in bytes: a tighter bound of the same request. Work
    /// for a thread that may stand still: a tenth of a second for a megabyte.
    ///
    /// # Errors
    /// As [`Operation::ask`].
    fn ask_counted(&self, _body: &Bytes, _model: &str) -> Result<Ask, AskError> {
        Err(AskError::unsupported("model", "the tokens of this model cannot be counted"))
    }

    /// Whether the provider counts the input of this operation's requests for nothing, where [`Operation::count_call`] has what to ask it.
    fn counted_by_provider(&self) -> bool {
        false
    }

    /// What the provider is asked to have the input of the request counted. None where it holds what no count can tell.
    fn count_call(&self, _request: &RequestView<'_>) -> Option<CountCall> {
        None
    }

    /// The ids of what is kept at the provider that the request names: see [`Seal`].
    fn kept_ids(&self, _request: &RequestView<'_>) -> Vec<KeptId> {
        Vec::new()
    }

    /// Reads the body of an error that came instead of an answer. It differs where an answer costs something without saying so.
    fn error_meter(&self, ask: &Ask, streamed: bool) -> Box<dyn Meter> {
        self.meter(ask, streamed)
    }

    /// The answer that a sandbox token gets, by the faults that change what it says; `models` are the ids that a list shows.
    /// [`simulate`] sees to the rest.
    ///
    /// # Errors
    /// [`Problem`] where the provider would refuse the request.
    fn simulate(&self, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem>;

    /// Where the answer lists models, it shows only those that the caller may use.
    fn model_list(&self) -> Option<ModelList> {
        None
    }

    /// The output limit that the provider applies where the request sets none and it is not the model's own.
    fn default_output(&self) -> Option<u64> {
        None
    }

    /// The output limit that was held for is written into requests that set none, even where the provider is known to have one of its own.
    fn writes_limit(&self) -> bool {
        false
    }

    /// True where the provider's answers tell what they cost ([`Measured::reported_cost`]): that is charged then, and the price book only bounds it.
    fn reports_cost(&self) -> bool {
        false
    }

    /// The header in which its answers tell what they cost, where they do not only tell it in their body: that of the whole answer, whatever becomes of it.
    fn cost_header(&self) -> Option<&'static str> {
        None
    }

    /// True where the bound on searches is a guess: neither the request nor the provider limits them.
    fn guesses_searches(&self, _ask: &Ask) -> bool {
        false
    }

    /// Service tiers that may serve a request which did not name them. They count in its bound where they have a price.
    fn unasked_tiers(&self, _ask: &Ask) -> &'static [&'static str] {
        &[]
    }
}

/// Reads a provider's answer while it passes.
pub trait Meter: Send {
    /// Takes a chunk of the provider's body and pushes what may go to the client now.
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>);

    /// The provider's body ended. Pushes what is left and is not kept back for [`Meter::take_held`].
    fn end(&mut self, pass: &mut Vec<Bytes>);

    /// True once the API's own last event has been seen, or, not streamed, the whole body: what is left to send is in
    /// [`Meter::take_held`].
    fn terminal(&self) -> bool;

    /// The bytes that were kept back until the charge is durable.
    fn take_held(&mut self) -> Vec<Bytes>;

    /// What has been measured so far.
    fn measured(&self) -> Measured;

    /// From now on an event passes as a whole or not at all, so that the stream can be ended between any two.
    fn keep_events_whole(&mut self) {}

    /// How much output has been served: asked for after every chunk of a stream.
    fn served(&self) -> Served {
        Served::default()
    }

    /// So many thousandths of a token the provider puts into a short event at most.
    fn set_pace(&mut self, _milli: u64) {}

    /// What the whole answer tells of a job that goes on at the provider, or did.
    fn job(&self) -> Option<Job> {
        None
    }

    /// True where whatever was passed so far ends with a whole event, so that something can be put in before the next one.
    fn between_events(&self) -> bool {
        false
    }

    /// What ends the stream at this point as the API itself does when an output limit is reached, with that usage: whole events that every
    /// SDK takes for a proper end. None where there is no such end, or where it would come in the middle of an event.
    fn end_at_limit(&mut self, _usage: &Usage) -> Option<Bytes> {
        None
    }
}

/// What an answer tells of a job: work that goes on at the provider when the request that began it has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// It was begun; what it costs is not known yet.
    Begun {
        /// The provider's id of it.
        id: String,
    },
    /// It has ended.
    Ended {
        /// The provider's id of it.
        id: String,
        /// What it cost.
        cost: Usd,
    },
}

/// What a meter knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// What the provider reported. None where it is missing or absurd.
    pub usage: Option<Usage>,
    /// It reported something that cannot be: negative, fractional or beyond belief.
    pub absurd: bool,
    /// The service tier that served the request.
    pub service_tier: Option<String>,
    /// The model that served the request.
    pub model: Option<String>,
    /// The input alone, where the provider told all of it before the output: exact even when the answer is cut.
    pub input: Option<Usage>,
    /// At least as many tokens as the output that was seen: for answers that were cut. Reasoning that the provider keeps to itself
    /// is not in it.
    pub served_output: u64,
    /// The API's own end was seen, or what the provider reports only there: nothing of the usage is missing.
    pub complete: bool,
    /// The cost in the provider's own words, where the route says where it stands or the operation's answers tell it. One that cannot be, such as a
    /// negative one, may be told as the most that can be counted, which nobody believes.
    pub reported_cost: Option<Usd>,
}

/// An operation that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoOperation {
    /// What it is and why it is refused, or the right path.
    pub message: String,
}

/// A provider's API.
pub trait Api: std::fmt::Debug + Send + Sync + 'static {
    /// Its name in routes.toml.
    fn name(&self) -> &'static str;

    /// The operation at a path below the mount.
    ///
    /// # Errors
    /// [`NoOperation`] where it is unknown, or known and not available.
    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation>;

    /// The path for the upstream, whose base path is `base` (without a slash at its end). `path` is the request's whole path.
    fn upstream_path(&self, base: &str, request: &RequestView<'_>, path: &str) -> String;

    /// Whether a parameter of the query goes to the provider.
    fn passes_query(&self, parameter: &str) -> bool;

    /// What stands around its operations.
    fn envelope(&self) -> &'static Envelope;

    /// The API whose shapes a path below the mount takes, where it is not this one.
    fn at(&self, _path: &str) -> Option<&'static dyn Api> {
        None
    }

    /// Whose models this API resells as `seller/model`, at their prices.
    fn sellers(&self) -> &'static [Seller] {
        &[]
    }

    /// True where operations are known and stand below a mount. False where any call is taken, at the price of the route.
    fn has_operations(&self) -> bool {
        true
    }

    /// Whether an upstream of it may tell in an answer what that costs, where a route says that it does.
    fn may_report_cost(&self) -> bool {
        false
    }

    /// Whether its clients send their one secret both as `Authorization` and as `api-key`.
    fn repeats_credential(&self) -> bool {
        false
    }

    /// Whose prices apply where the upstream's own provider has none for a model.
    fn other_providers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the headers or the query say that the client speaks this API: they decide where a path belongs to several.
    fn is_spoken(&self, _headers: &HeaderMap, _query: Option<&str>) -> bool {
        false
    }

    /// Whether its clients take comments between the events of a stream.
    fn takes_comments(&self) -> bool {
        true
    }

    /// Adds the headers that the provider insists on and the client may leave out.
    fn complete_headers(&self, _headers: &mut HeaderMap) {}
}

/// The API of that name in routes.toml.
#[must_use]
pub fn named(name: &str) -> Option<&'static dyn Api> {
    ALL.into_iter().find(|api| api.name() == name)
}

/// Whose shape an error takes where no route tells: the API that the headers or the query speak of, else OpenAI's.
#[must_use]
pub fn fallback(headers: &HeaderMap, query: Option<&str>) -> &'static dyn Api {
    ALL.into_iter().find(|api| api.is_spoken(headers, query)).unwrap_or(&openai::OpenAi)
}

/// The whole simulated answer to a request: a status that was asked for takes the place of whatever would be answered.
///
/// Work and memory are bounded for any body: a few milliseconds for a hostile schema, a few megabytes of answer beyond the size of the request.
#[must_use]
pub fn simulate(api: &dyn Api, operation: &dyn Operation, request: &RequestView<'_>, faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Simulated {
    let simulated = match faults.status {
        Some(status) => Err(Problem::of_status(status)),
        None => operation.simulate(request, faults, models),
    };
    simulated.unwrap_or_else(|problem| problem_answer(api, &problem)).with(faults)
}

/// A simulated error of the provider's, as an answer.
#[must_use]
pub fn problem_answer(api: &dyn Api, problem: &Problem) -> Simulated {
    let status = ::http::StatusCode::from_u16(problem.status).unwrap_or(::http::StatusCode::INTERNAL_SERVER_ERROR);
    Simulated { status, ..Simulated::json(api.envelope().problem_body(problem)) }
}

// === impl NoOperation ===

impl NoOperation {
    /// The operation, where it is called by the method that it wants.
    fn unless(method: &Method, wants: &Method, path: &str, operation: &'static dyn Operation) -> Result<&'static dyn Operation, Self> {
        if method == wants {
            return Ok(operation);
        }
        Err(Self { message: format!("'{}' is available through this gateway with {wants} only, not {method}.", read::shown(path)) })
    }

    /// A path that is not served: because of what stands at the first of `not_yet` that it is below, its version left out; or there is nothing but `known`.
    fn unknown(path: &str, below_version: &str, not_yet: &[(&str, &str)], known: &str) -> Self {
        let is_below = |step: &str| below_version.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let path = read::shown(path);
        Self {
            message: match not_yet.iter().find(|(step, _)| is_below(step)) {
                Some((_, what)) => format!("'{path}' is not available through this gateway yet: it does not meter {what}."),
                None => format!("'{path}' is not an operation that this gateway knows. It has {known}."),
            },
        }
    }

    /// The path names the version that the base URL ends in already; `rest` is what follows it.
    fn version_twice(rest: &str) -> Self {
        Self {
            message: format!(
                "The path names 'v1/' twice: the base URL ends in it already. The right path is '{}', once, below the base URL.",
                read::shown(rest)
            ),
        }
    }

    /// The path names a step twice that the base URL ends in already; `right` is the path with that once.
    pub(crate) fn named_twice(step: &str, right: &str) -> Self {
        Self {
            message: format!(
                "The path names '{step}/' twice: the base URL that the client was given ends in it already. The right path is '{}'.",
                read::shown(right)
            ),
        }
    }
}
