//! Azure's form of the API: the same operations at other paths, with the key in another header.
//!
//! A model is called by the name of its deployment, which the operator of the resource chose. It stands in the path
//! (`deployments/{name}/chat/completions`), and there it wins over whatever the body says, or in the body (`responses`, and all that stands below `v1/`).
//! What it costs is the price of the model of that name, or of the one that the route says it is.
//! Source: Microsoft's reference of the Azure OpenAI REST API, and the official SDK's `AzureOpenAI`.

use bytes::Bytes;
use http::{HeaderName, Method};
use serde_json::{Map, Value};

use super::{OpenAi, headers, refuse, responses, simulate};
use crate::apis::read::shown;
use crate::apis::{Api, Envelope, NoOperation, Operation, RequestView};
use crate::sandbox::Faults;

/// OpenAI's API as Azure serves it.
#[derive(Clone, Copy, Debug)]
pub(in crate::apis) struct Azure;

/// What is asked of a deployment (Microsoft's reference, "Azure OpenAI in Azure AI Foundry Models REST API reference", the data plane; the endpoints that the
/// official SDK puts below `deployments/`). Each of these reads the model from the path.
const OF_DEPLOYMENTS: [&str; 8] =
    ["chat/completions", "completions", "embeddings", "images/generations", "images/edits", "audio/speech", "audio/transcriptions", "audio/translations"];

const API_KEY: HeaderName = HeaderName::from_static("api-key");

static ENVELOPE: Envelope = Envelope {
    key: Some(API_KEY),
    request_header: headers::passes_request,
    response_header: headers::passes_response,
    refusal: refuse::body,
    problem: simulate::problem_body,
    keep_alive: Some(super::COMMENT),
};

impl Api for Azure {
    fn name(&self) -> &'static str {
        "azure"
    }

    fn operation(&self, method: &Method, path: &str) -> Result<&'static dyn Operation, NoOperation> {
        let below = operation_path(path);
        if deployment(path).is_some() && !OF_DEPLOYMENTS.contains(&below) {
            let known = OF_DEPLOYMENTS.join(", ");
            let message = format!(
                "'{}' is not an operation of a deployment. Below 'deployments/{{name}}/' stand {known}; all else has no deployment in its path.",
                shown(below)
            );
            return Err(NoOperation { message });
        }
        OpenAi.operation(method, below)
    }

    fn upstream_path(&self, base: &str, request: &RequestView<'_>, _path: &str) -> String {
        // Operators write the base as the portal shows it, or as SDKs want it.
        let base = base.strip_suffix("/v1").unwrap_or(base);
        let base = base.strip_suffix("/openai").unwrap_or(base);
        let below = below_mount(request.path);
        let rest = operation_path(below);
        let before = below.strip_suffix(rest).unwrap_or_default();
        format!("{base}/openai/{before}{}", responses::upstream_path(rest))
    }

    fn passes_query(&self, parameter: &str) -> bool {
        OpenAi.passes_query(parameter)
    }

    fn envelope(&self) -> &'static Envelope {
        &ENVELOPE
    }

    /// The official SDK did so before its second major version.
    fn repeats_credential(&self) -> bool {
        true
    }

    /// The models are OpenAI's, and Azure's list prices are too where the book has none of Azure's own.
    fn other_providers(&self) -> &'static [&'static str] {
        &["azure", "openai"]
    }
}

/// The deployment that a path names. The path wins over the body's `model`.
pub(super) fn deployment(path: &str) -> Option<&str> {
    let (name, _) = below_mount(path).strip_prefix("deployments/")?.split_once('/')?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    (plain && !name.bytes().all(|byte| byte == b'.')).then_some(name)
}

/// The path of the operation alone, as OpenAI has it.
pub(super) fn operation_path(path: &str) -> &str {
    let below = below_mount(path);
    match (deployment(path), below.strip_prefix("v1/")) {
        (Some(name), _) => below.get("deployments/".len() + name.len() + 1..).unwrap_or_default(),
        (None, Some(rest)) => rest,
        (None, None) => below,
    }
}

/// The model that a simulated answer tells, where that is not the one that the body names: what the operator says that the deployment is, or the
/// deployment of the path.
pub(super) fn model_of<'a>(request: &RequestView<'a>, faults: &'a Faults) -> Option<&'a str> {
    faults.model.as_deref().or_else(|| deployment(request.path))
}

/// The body as OpenAI would get it: with that model. For simulations.
pub(super) fn body_of(request: &RequestView<'_>, faults: &Faults) -> Bytes {
    let parsed = model_of(request, faults).and_then(|name| Some((name, serde_json::from_slice::<Map<String, Value>>(request.body).ok()?)));
    let Some((name, mut body)) = parsed else { return request.body.clone() };
    body.insert("model".to_owned(), Value::from(name));
    Bytes::from(Value::Object(body).to_string())
}

/// The step `openai/` may stand in the mount (`/openai/*`) or below it (`/azure/*`).
fn below_mount(path: &str) -> &str {
    path.strip_prefix("openai/").unwrap_or(path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
