//! Where a model's price stands in the price book: under the provider itself, or, where it resells others' models as `seller/model`, under theirs.

use std::sync::Arc;

use super::Api;
use crate::prices::{ModelPrice, PriceBook};

/// Someone whose models an API resells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seller {
    /// What stands before the slash.
    pub name: &'static str,
    /// The provider of the price book.
    pub provider: &'static str,
}

/// A model with its price.
#[derive(Clone, Debug)]
pub struct Priced {
    /// What it costs.
    pub price: Arc<ModelPrice>,
    /// Its plain name at the provider that is asked: what is booked, whatever alias was asked for.
    pub id: String,
}

/// What a model costs that `provider` knows by this name. None: it has no price.
#[must_use]
pub fn price(api: &dyn Api, book: &PriceBook, provider: &str, model: &str) -> Option<Priced> {
    // The upstream's own provider first, then those that the API looks to.
    let others = api.other_providers().iter().copied();
    if let Some(price) = std::iter::once(provider).chain(others).find_map(|provider| book.find(provider, model)) {
        let id = price.id.to_string();
        return Some(Priced { price, id });
    }
    let (name, rest) = model.split_once('/')?;
    let seller = api.sellers().iter().find(|seller| seller.name == name).filter(|_| !names_region(rest))?;
    let price = book.find(seller.provider, rest)?;
    let id = format!("{name}/{}", price.id);
    Some(Priced { price, id })
}

/// The plain names of all models that have a price there.
pub fn listed<'a>(api: &dyn Api, book: &'a PriceBook, provider: &str) -> impl Iterator<Item = String> + 'a {
    let own: Vec<String> = book.models(provider).map(str::to_owned).collect();
    let sellers = api.sellers();
    own.into_iter().chain(sellers.iter().flat_map(move |seller| book.models(seller.provider).map(move |model| format!("{}/{model}", seller.name))))
}

/// The name of a model at its seller: `gpt-4o` in `openai/gpt-4o`, and in `gpt-4o`.
pub(super) fn name_at_seller(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// `gpt-4o@eu`: the same model somewhere else, where it may cost more. A version, as in `claude-opus-4@20250514`, is none.
fn names_region(model: &str) -> bool {
    model.rsplit_once('@').is_some_and(|(before, region)| {
        !before.is_empty()
            && region.starts_with(|first: char| first.is_ascii_alphabetic())
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::names_region;

    #[test]
    fn a_region_is_not_a_version() {
        for (model, region) in
            [("gpt-4o@eu", true), ("gemini-3.7-flash@us-east1", true), ("claude-opus-4@20250514", false), ("gpt-4o", false), ("@cf/qwen/qwen3", false)]
        {
            assert_eq!(names_region(model), region, "{model}");
        }
    }
}
