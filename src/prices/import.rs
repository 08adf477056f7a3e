//! Takes prices from the public lists into a price book: reads their own formats, and merges them into the operator's file.
//!
//! - `decimal`, `values`: amounts and JSON, exactly as they are written.
//! - `litellm`, `genai`, `models_dev`, `openrouter`: one file a format.
//! - `listed`: a model as a list prices it.
//! - `merge`, `edit`: what changes in the operator's file, and its text.

mod decimal;
mod edit;
mod genai;
mod listed;
mod litellm;
mod merge;
mod models_dev;
mod openrouter;
mod values;

use std::collections::HashSet;

use serde_json::value::RawValue;

use self::listed::{LeftOut, ListedModel};
pub(crate) use self::merge::{Change, Merged, merge};
use super::terms::costs_nothing;

/// A name longer than this belongs to no model.
const LONGEST_NAME: usize = 256;

/// A public list of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// Whose list it is.
    pub(crate) format: &'static str,
    models: Vec<ListedModel>,
    left_out: Vec<LeftOut>,
    /// Its prices have dates, and say all that there is; else they are what is in force now.
    dated: bool,
}

/// Which models of a list are taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Only this provider's, by the price book's name.
    pub(crate) provider: Option<String>,
    /// Only those whose name fits this pattern.
    pub(crate) only: Option<String>,
    /// Those too that cost nothing on the list.
    pub(crate) free: bool,
}

/// Why a file is not taken for a list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListError {
    /// It is no JSON.
    #[error("is not JSON: {0}")]
    NotJson(String),
    /// It is JSON of another kind.
    #[error(
        "is none of the lists that are known: LiteLLM's model_prices_and_context_window.json, genai-prices' data.json, models.dev's api.json, OpenRouter's /api/v1/models"
    )]
    Unknown,
}

// === impl List ===

impl List {
    const fn new(format: &'static str) -> Self {
        Self { format, models: Vec::new(), left_out: Vec::new(), dated: false }
    }

    /// Reads a list, whichever of the known ones it is.
    ///
    /// # Errors
    /// [`ListError`] for any other file.
    pub(crate) fn parse(text: &str) -> Result<Self, ListError> {
        let text = text.trim_start_matches('\u{feff}');
        let root: &RawValue = serde_json::from_str(text).map_err(|error| ListError::NotJson(error.to_string()))?;
        let providers = |root: &RawValue| values::items(root).filter(|providers| genai::is_list(providers)).map(|providers| genai::read(&providers));
        if let Some(list) = providers(root) {
            return Ok(list);
        }
        let members = values::members(root).ok_or(ListError::Unknown)?;
        if let Some(list) = members.get("providers").and_then(|root| providers(root)) {
            return Ok(list);
        }
        if openrouter::is_list(&members) {
            return Ok(openrouter::read(&members));
        }
        if litellm::is_list(&members) {
            return Ok(litellm::read(&members));
        }
        if models_dev::is_list(&members) {
            return Ok(models_dev::read(&members));
        }
        Err(ListError::Unknown)
    }

    /// The list with what is not selected taken out, and what cannot be taken left out for a reason.
    pub(crate) fn select(mut self, selection: &Selection) -> Self {
        let wanted = |provider: &str, id: &str| {
            selection.provider.as_ref().is_none_or(|only| only == provider) && selection.only.as_ref().is_none_or(|pattern| crate::config::glob(pattern, id))
        };
        self.left_out.retain(|left| wanted(&left.provider, &left.id));
        let mut seen = HashSet::new();
        for model in std::mem::take(&mut self.models) {
            if !wanted(&model.provider, &model.id) {
                continue;
            }
            let why = if !is_name(&model.id) || !is_name(&model.provider) {
                Some("has a name that no model has")
            } else if !selection.free && costs_nothing(&model.terms) {
                Some("costs nothing on the list: --free takes it")
            } else if !seen.insert((model.provider.clone(), model.id.clone())) {
                Some("is on the list twice: the first one counts")
            } else {
                None
            };
            match why {
                Some(why) => self.left_out.push(LeftOut { provider: model.provider, id: model.id, why: why.to_owned() }),
                None => self.models.push(ListedModel { aliases: model.aliases.into_iter().filter(|alias| is_name(alias)).collect(), ..model }),
            }
        }
        self
    }
}

/// Whether a model or provider can have that name: what is printed must not steer a terminal.
fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
