//! One attempt of the catalogue: the bytes of a request, when its client goes away, what the provider does, and what must come of it.

/// Stands for the token's secret in the bytes of an attempt.
pub(super) const SECRET: &str = "{secret}";
/// Stands for the name of the attempt, by which the provider's ledger knows it: as `user-agent`, which passes.
pub(super) const NAME: &str = "{name}";
/// Consumes all that a request allows.
pub(super) const GREEDY: &str = "greedy tokens=20000";

/// What is tried.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// What it tries, in a few words. Also the name of its token.
    pub(super) name: String,
    /// What the provider is told to do.
    pub(super) script: String,
    pub(super) token: Token,
    /// The whole request as it is sent, but for [`SECRET`] and [`NAME`].
    pub(super) bytes: Vec<u8>,
    pub(super) leaves: Leaves,
    pub(super) expect: Expect,
    /// Whether it is tried again with less money than it cost.
    pub(super) again: bool,
}

/// Whose secret is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An `api_token` with an enforced budget.
    Budget,
    /// A `sandbox_api_token`.
    Sandbox,
}

/// When the client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// When it has read all.
    AtTheEnd,
    /// When it has sent so many bytes, less than all.
    Sending(usize),
    /// When it has read so many bytes.
    Reading(usize),
}

/// What must come of it. Whatever comes: nothing that the provider billed is left uncharged, and no balance falls below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Refused with this status; the provider heard nothing.
    Refused(u16),
    /// Refused in any way, or the connection is closed; the provider heard nothing.
    Turned,
    /// Served, and charged exactly what the provider bills.
    Exact,
    /// Served, and charged at least that.
    AtLeast,
    /// Refused, and the provider heard nothing; or served, and charged exactly.
    Fair,
    /// The provider was asked and bills nothing; nothing is charged.
    Unbilled,
    /// Simulated: the provider heard nothing, and nothing is charged.
    Simulated,
}

// === impl Attempt ===

impl Attempt {
    /// A request as it stands on the wire: its first line without the version, its headers, each ended with CR LF, and its body.
    pub(super) fn of(name: impl Into<String>, line: &str, headers: &str, body: impl AsRef<[u8]>, expect: Expect) -> Self {
        let mut bytes = format!("{line} HTTP/1.1\r\nHost: gateway\r\nUser-Agent: {NAME}\r\nConnection: close\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Self { name: name.into(), script: GREEDY.to_owned(), token: Token::Budget, bytes, leaves: Leaves::AtTheEnd, expect, again: true }
    }

    /// A POST of JSON with the secret where it belongs.
    pub(super) fn post(name: impl Into<String>, path: &str, body: impl AsRef<[u8]>, expect: Expect) -> Self {
        Self::with_headers(name, path, "", body, expect)
    }

    /// Likewise, with more headers, each ended with CR LF.
    pub(super) fn with_headers(name: impl Into<String>, path: &str, headers: &str, body: impl AsRef<[u8]>, expect: Expect) -> Self {
        let length = body.as_ref().len();
        let headers = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}");
        Self::of(name, &format!("POST {path}"), &headers, body, expect)
    }

    /// A request of JSON with any method.
    pub(super) fn lined(name: impl Into<String>, line: &str, body: &str, expect: Expect) -> Self {
        let headers = format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        Self::of(name, line, &headers, body, expect)
    }

    /// The provider does this, after all that it does by itself.
    pub(super) fn told(mut self, script: &str) -> Self {
        self.script = format!("{GREEDY} {script}");
        self
    }

    pub(super) fn leaving(mut self, leaves: Leaves) -> Self {
        self.leaves = leaves;
        self
    }

    pub(super) fn in_the_sandbox(mut self) -> Self {
        self.token = Token::Sandbox;
        self
    }

    /// Is not tried again: more may be billed than what was asked for can cost.
    pub(super) fn once(mut self) -> Self {
        self.again = false;
        self
    }

    /// The bytes, with this secret and this name.
    pub(super) fn request(&self, secret: &str, name: &str) -> Vec<u8> {
        replace(&replace(&self.bytes, SECRET, secret), NAME, name)
    }
}

fn replace(bytes: &[u8], what: &str, by: &str) -> Vec<u8> {
    let mut found = Vec::with_capacity(bytes.len() + by.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(what.as_bytes()) {
            found.extend_from_slice(by.as_bytes());
            at += what.len();
        } else {
            found.push(bytes[at]);
            at += 1;
        }
    }
    found
}
