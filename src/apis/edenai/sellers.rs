//! Whose models Eden AI sells, by its own name for them, and under which provider the price book has them.
//!
//! Source: the ids in its list of models, as its documentation and its clients show them. Eden AI bills what the seller itself lists, without a markup
//! ("Plans and prices"); its fee of 5.5 % is paid when credits are bought, and is in no request's cost.

use crate::apis::Seller;

const fn seller(name: &'static str, provider: &'static str) -> Seller {
    Seller { name, provider }
}

/// All of them. A seller that is not here has no price, unless the price book has its models under the upstream's own provider.
pub(super) const ALL: [Seller; 28] = [
    seller("openai", "openai"),
    seller("anthropic", "anthropic"),
    seller("google", "google"),
    seller("vertex", "google"),
    seller("mistral", "mistral"),
    seller("cohere", "cohere"),
    seller("amazon", "aws"),
    seller("bedrock", "aws"),
    seller("azure", "azure"),
    seller("microsoft", "azure"),
    seller("xai", "x-ai"),
    seller("groq", "groq"),
    seller("deepseek", "deepseek"),
    seller("together_ai", "together"),
    seller("fireworks_ai", "fireworks"),
    seller("perplexityai", "perplexity"),
    seller("cerebras", "cerebras"),
    seller("cloudflare", "cloudflare"),
    seller("databricks", "databricks"),
    seller("minimax", "minimax"),
    seller("moonshot", "moonshotai"),
    seller("moonshotai", "moonshotai"),
    seller("novita", "novita"),
    seller("ovh", "ovhcloud"),
    seller("ovhcloud", "ovhcloud"),
    seller("zai", "zai"),
    seller("voyage", "voyageai"),
    seller("baseten", "baseten"),
];
