//! Route tables for tests.

use std::fmt::Write;
use std::net::SocketAddr;

/// What the stand-in provider is told as our key: a canary that no client may ever see.
pub(crate) const UPSTREAM_KEY: &str = "sk-upstream-canary-77d1b0c4e2";

/// A routes.toml in the making.
#[derive(Clone, Debug)]
pub(crate) struct Routes(String);

// === impl Routes ===

impl Routes {
    /// A whole file.
    pub(crate) fn of(text: String) -> Self {
        Self(text)
    }

    /// Upstreams `openai`, `azure`, `anthropic`, `google`, `edenai` and `docs`, all the stand-in, with our key; no routes yet.
    pub(crate) fn at(provider: SocketAddr) -> Self {
        Self::with_upstream_settings(provider, "")
    }

    /// Likewise, with more settings on each upstream.
    pub(crate) fn with_upstream_settings(provider: SocketAddr, settings: &str) -> Self {
        let mut text = String::new();
        for name in ["openai", "azure", "anthropic", "google", "edenai", "docs"] {
            write!(text, "[upstreams.{name}]\nurl = \"http://{provider}\"\nkey = \"${{OPENAI_API_KEY}}\"\n{settings}\n\n").unwrap();
        }
        Self(text)
    }

    /// One more upstream, likewise with our key: the stand-in below a base path of its own, which tells it whose manners to have.
    pub(crate) fn upstream(mut self, name: &str, provider: SocketAddr, base: &str, settings: &str) -> Self {
        write!(self.0, "[upstreams.{name}]\nurl = \"http://{provider}{base}\"\nkey = \"${{OPENAI_API_KEY}}\"\n{settings}\n\n").unwrap();
        self
    }

    /// OpenAI's API at `/v1/*`, with more settings on the route.
    pub(crate) fn openai(self, settings: &str) -> Self {
        self.route("/v1/*", "openai", "openai", settings)
    }

    /// Anthropic's API at a mount, with more settings on the route.
    pub(crate) fn anthropic(self, path: &str, settings: &str) -> Self {
        self.route(path, "anthropic", "anthropic", settings)
    }

    /// Google's API at a mount, with more settings on the route.
    pub(crate) fn gemini(self, path: &str, settings: &str) -> Self {
        self.route(path, "gemini", "google", settings)
    }

    /// Eden AI's API at a path, with more settings on the route.
    pub(crate) fn edenai(self, path: &str, settings: &str) -> Self {
        self.route(path, "edenai", "edenai", settings)
    }

    /// A call of any other API at one path, at a price as in the file: `{ per_request = "0.01" }`.
    pub(crate) fn http(self, path: &str, price: &str) -> Self {
        self.route(path, "http", "docs", &format!("price = {price}"))
    }

    /// Any route.
    pub(crate) fn route(mut self, path: &str, api: &str, upstream: &str, settings: &str) -> Self {
        write!(self.0, "[[routes]]\npath = \"{path}\"\napi = \"{api}\"\nupstream = \"{upstream}\"\n{settings}\n\n").unwrap();
        self
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
