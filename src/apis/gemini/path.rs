//! What the path says: the version, the model and what is asked of it, as in `v1beta/models/gemini-2.5-flash:generateContent`.

use crate::apis::NoOperation;
use crate::apis::read::shown;

/// The versions of the API. The client's own goes on to the provider: they differ in what they know.
const VERSIONS: [&str; 3] = ["v1beta", "v1alpha", "v1"];
/// The version where neither the path nor the base of the upstream names one.
const DEFAULT_VERSION: &str = "v1beta";
const MAX_MODEL_BYTES: usize = 128;

/// What is asked of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Generate,
    StreamGenerate,
    Embed,
    BatchEmbed,
    CountTokens,
    /// `models`
    List,
    /// `models/{model}`
    Get,
}

/// A path that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) call: Call,
    /// Empty for the list.
    pub(super) model: &'a str,
}

/// What else can be asked of a model, and why it is not available.
const OTHER_CALLS: [(&str, &str); 11] = [
    ("batchGenerateContent", "a batch costs long after the call"),
    ("asyncBatchEmbedContent", "a batch costs long after the call"),
    ("bidiGenerateContent", "the Live API's sessions are not metered"),
    ("predict", "images of Imagen are billed by the piece, which this API's usage does not report"),
    ("predictLongRunning", "videos are billed by the second, long after the call"),
    ("generateAnswer", "what a corpus brings into the prompt is not seen by this gateway"),
    ("generateText", "the PaLM API is gone"),
    ("generateMessage", "the PaLM API is gone"),
    ("embedText", "the PaLM API is gone"),
    ("batchEmbedText", "the PaLM API is gone"),
    ("countTextTokens", "the PaLM API is gone"),
];

/// What else the API has, by the first step of the path.
const OTHER_STEPS: [(&str, &str); 20] = [
    ("files", "files belong to the provider's account, which all tokens share, and uploads go to an address that is not this gateway's; send the data inline"),
    ("cachedContents", "caches belong to the provider's account, which all tokens share, and are billed by the hour"),
    ("fileSearchStores", "stores of files belong to the provider's account, which all tokens share"),
    ("corpora", "corpora belong to the provider's account, which all tokens share"),
    ("ragStores", "stores of files belong to the provider's account, which all tokens share"),
    ("tunedModels", "tuned models have no price of their own in the price book, and belong to the provider's account"),
    ("batches", "a batch costs long after the call"),
    ("operations", "long-running operations cost long after the call"),
    (
        "interactions",
        "interactions are kept at the provider, so what one brings into the prompt is not seen by this gateway; use models/{model}:generateContent",
    ),
    ("agents", "agents run at the provider, and how often and on what cannot be bounded"),
    ("environments", "agents run at the provider, and how often and on what cannot be bounded"),
    ("triggers", "agents run at the provider, and how often and on what cannot be bounded"),
    ("auth_tokens", "a token of the provider's would go round the budget"),
    ("authTokens", "a token of the provider's would go round the budget"),
    ("dynamic", "shared prompts are not available"),
    ("generatedFiles", "files belong to the provider's account, which all tokens share"),
    ("webhooks", "webhooks belong to the provider's account, which all tokens share"),
    ("voices", "voices belong to the provider's account, which all tokens share"),
    ("publishers", "this is a path of Vertex AI; here it is models/{model}"),
    ("projects", "this is a path of Vertex AI; here it is models/{model}"),
];

/// Reads what stands below the mount.
///
/// # Errors
/// [`NoOperation`] for what is unknown, or known and not available.
pub(super) fn target(path: &str) -> Result<Target<'_>, NoOperation> {
    let (_, below) = version(path);
    if let (Some(_), rest) = version(below) {
        let message =
            format!("The path names the version twice: the base URL ends in it already. The right path is '{}', once, below the base URL.", shown(rest));
        return Err(NoOperation { message });
    }
    if below == "models" {
        return Ok(Target { call: Call::List, model: "" });
    }
    let Some(rest) = below.strip_prefix("models/") else { return Err(no_operation(below)) };
    let (model, call) = split_call(rest);
    if !is_model(model) {
        return Err(NoOperation { message: format!("'{}' is not the name of a model.", shown(model)) });
    }
    let call = match call {
        None => Call::Get,
        Some("generateContent") => Call::Generate,
        Some("streamGenerateContent") => Call::StreamGenerate,
        Some("embedContent") => Call::Embed,
        Some("batchEmbedContents") => Call::BatchEmbed,
        Some("countTokens") => Call::CountTokens,
        Some(other) => return Err(no_call(other)),
    };
    Ok(Target { call, model })
}

/// The path for an upstream whose base path is `base`. `whole` is the path as the client wrote it, of which `below` is the end.
pub(super) fn upstream(base: &str, whole: &str, below: &str) -> String {
    let (named, rest) = version(below);
    let mount = whole.strip_suffix(below).unwrap_or_default().trim_end_matches('/');
    let mounted = mount.rsplit('/').next().filter(|step| VERSIONS.contains(step));
    let version = named.or(mounted).unwrap_or(DEFAULT_VERSION);
    // The one place where a path may be written in two ways: the provider gets the plain one.
    let rest = match target(rest) {
        Ok(Target { call: Call::List | Call::Get, .. }) | Err(_) => rest.to_owned(),
        Ok(Target { call, model }) => format!("models/{model}:{}", call.verb()),
    };
    // Operators write the base with or without the version, as they know it.
    let has_version = base.rsplit('/').next().is_some_and(|step| VERSIONS.contains(&step));
    if has_version { format!("{base}/{rest}") } else { format!("{base}/{version}/{rest}") }
}

/// The path that counts the tokens of what `below` asks of that model.
pub(super) fn counting(below: &str, model: &str) -> String {
    let version = version(below).0.map(|version| format!("{version}/")).unwrap_or_default();
    format!("{version}models/{model}:{}", Call::CountTokens.verb())
}

/// The version at the front, and the rest.
fn version(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((version, rest)) if VERSIONS.contains(&version) => (Some(version), rest),
        _ => (None, path),
    }
}

/// The model and what is asked of it. Some clients write the colon in code.
fn split_call(rest: &str) -> (&str, Option<&str>) {
    let cut = |(model, call)| (model, Some(call));
    rest.split_once(':').or_else(|| rest.split_once("%3A")).or_else(|| rest.split_once("%3a")).map_or((rest, None), cut)
}

/// Whether that is a model's name and cannot be read as anything else.
fn is_model(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !name.is_empty() && name.len() <= MAX_MODEL_BYTES && name.bytes().all(plain) && !name.bytes().all(|byte| byte == b'.')
}

fn no_call(call: &str) -> NoOperation {
    let message = match OTHER_CALLS.iter().find(|(name, _)| *name == call) {
        Some((_, reason)) => format!("':{call}' is not available through this gateway: {reason}."),
        None => format!(
            "':{}' is not an operation that this gateway knows. It has generateContent, streamGenerateContent, embedContent, batchEmbedContents and countTokens.",
            shown(call)
        ),
    };
    NoOperation { message }
}

fn no_operation(below: &str) -> NoOperation {
    let first = below.split('/').next().unwrap_or_default();
    let name = first.split(':').next().unwrap_or_default();
    let message = match OTHER_STEPS.iter().find(|(step, _)| *step == name) {
        Some((_, reason)) => format!("'{}' is not available through this gateway: {reason}.", shown(below)),
        None if name == "openai" => {
            "Google's models in OpenAI's API need a route of their own: api = \"openai\" with an upstream whose url ends in /v1beta/openai.".to_owned()
        }
        None => format!(
            "'{}' is not an operation that this gateway knows. It has models, models/{{model}} and models/{{model}}:generateContent, :streamGenerateContent, :embedContent, :batchEmbedContents and :countTokens.",
            shown(below)
        ),
    };
    NoOperation { message }
}

// === impl Call ===

impl Call {
    /// How it stands in the path; empty for what is read.
    const fn verb(self) -> &'static str {
        match self {
            Self::Generate => "generateContent",
            Self::StreamGenerate => "streamGenerateContent",
            Self::Embed => "embedContent",
            Self::BatchEmbed => "batchEmbedContents",
            Self::CountTokens => "countTokens",
            Self::List | Self::Get => "",
        }
    }
}
