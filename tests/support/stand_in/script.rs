//! What the stand-in does with a request, in words: `tokens=20 usage=none cut=3`.

use std::time::Duration;

use hyper::HeaderMap;

/// What is to be done with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// `tokens=N`: how long the model would like to answer. The output limit of the request still cuts it.
    pub(crate) tokens: i64,
    /// `prompt=N`: what the prompt is said to have consumed; counted from the messages otherwise.
    pub(crate) prompt: Option<i64>,
    /// `cached=N`: how much of the prompt came from the cache.
    pub(crate) cached: i64,
    /// `written=N`: input written to the cache besides, for five minutes; `hour=N`: likewise, for an hour; `searches=N`: web searches. Anthropic's
    /// API only; searches in the Responses API and Google's, too.
    pub(crate) written: i64,
    pub(crate) hour: i64,
    pub(crate) searches: i64,
    /// `thoughts=N`: output that is thought and not said; `tool=N`: input that tools bring; `audio=N`: how much of the prompt is sound. Google's API only.
    pub(crate) thoughts: i64,
    pub(crate) tool: i64,
    pub(crate) audio: i64,
    /// `fail=N`: in place of event N of a stream comes an event that tells of an error, and the end. Not in chat completions.
    pub(crate) fail: Option<usize>,
    /// `greedy`: it bills all that the request allows: a token for each byte of what the model reads (of OpenAI's own models: the tokens that it has, and all that its format may add), every choice to its limit, every guess of
    /// the output rejected, every input written to the cache that may be.
    pub(crate) greedy: bool,
    /// `tier=NAME`: the service tier that it says it served, and bills; the one that was asked for otherwise.
    pub(crate) tier: Option<String>,
    /// `usage=honest|none|negative|absurd|twice|comment`: what is said of the usage: twice on a stream, the second time all of it; or in a comment
    /// alone. The ledger of the stand-in stays honest.
    pub(crate) usage: UsageReport,
    /// `status=N`: an error instead of an answer.
    pub(crate) status: Option<u16>,
    /// `error-usage`: the error reports usage all the same, and it is billed.
    pub(crate) error_usage: bool,
    /// `cut=N`: the connection breaks off after N events of a stream; a whole answer breaks off in its middle.
    pub(crate) cut: Option<usize>,
    /// `split=N`: the stream is sent in pieces of N bytes, wherever events begin or end.
    pub(crate) split: Option<usize>,
    /// `crlf`: lines of the stream end with CR LF.
    pub(crate) crlf: bool,
    /// `delay=N`: milliseconds between the events of a stream.
    pub(crate) delay: Option<Duration>,
    /// `delay-head=N`: milliseconds before the head.
    pub(crate) delay_head: Option<Duration>,
    /// `gate=head`: waits before the head until the gate opens. Not where tokens are only counted.
    pub(crate) gate_head: bool,
    /// `gate=first`: waits after the first event that carries text until the gate opens.
    pub(crate) gate_first: bool,
    /// `stall=N`: sends the first N bytes of the first event that carries text, and waits for the gate with the rest.
    pub(crate) stall: Option<usize>,
    /// `hang`: takes the request and never answers.
    pub(crate) hang: bool,
    /// `reset`: closes the connection before the head.
    pub(crate) reset: bool,
    /// `gzip`: the answer is compressed, though nobody asked.
    pub(crate) gzip: bool,
    /// `count=N|negative|absurd|text`: what is told where tokens are only counted; what it bills for otherwise. `count-status=N`: an error instead;
    /// `count-hang`: no answer; `gate=count`: waits until the gate opens.
    pub(crate) count: Count,
    pub(crate) count_status: Option<u16>,
    pub(crate) count_hang: bool,
    pub(crate) gate_count: bool,
    /// `redirect`: 307 to another place of its own.
    pub(crate) redirect: bool,
    /// `cost=0.0123`: what an API with prices of its own bills and reports, as `/cost` and as `x-cost`.
    pub(crate) cost: Option<String>,
    /// `no-cost`: an API that reports its cost does not. Eden AI's only.
    pub(crate) no_cost: bool,
    /// `big`: the answer has megabytes. Universal AI only.
    pub(crate) big: bool,
    /// `pending=N`: a job is still under way the first N times that it is asked for. Universal AI only.
    pub(crate) pending: usize,
    /// `failed`: the answer says that the model's provider failed. Universal AI only.
    pub(crate) failed: bool,
}

/// What is said of the tokens of a request that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Honest,
    Number(i64),
    Text,
}

/// What is said of the usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsageReport {
    Honest,
    Missing,
    Negative,
    Absurd,
    Twice,
    Comment,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            tokens: 8,
            prompt: None,
            cached: 0,
            written: 0,
            hour: 0,
            searches: 0,
            thoughts: 0,
            tool: 0,
            audio: 0,
            fail: None,
            greedy: false,
            tier: None,
            usage: UsageReport::Honest,
            status: None,
            error_usage: false,
            cut: None,
            split: None,
            crlf: false,
            delay: None,
            delay_head: None,
            gate_head: false,
            gate_first: false,
            stall: None,
            hang: false,
            reset: false,
            gzip: false,
            count: Count::Honest,
            count_status: None,
            count_hang: false,
            gate_count: false,
            redirect: false,
            cost: None,
            no_cost: false,
            big: false,
            pending: 0,
            failed: false,
        }
    }
}

// === impl Script ===

impl Script {
    /// Reads a script. Panics on a word that it does not know: a misspelt fault would make a test pass for nothing.
    pub(crate) fn parse(text: &str) -> Self {
        let mut script = Self::default();
        script.follow(text);
        script
    }

    /// The script of one request: the shared one, then the header's words, then the body's.
    pub(super) fn chosen(shared: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut script = Self::parse(shared);
        if let Some(words) = headers.get("x-stand-in") {
            script.follow(words.to_str().unwrap());
        }
        let body = String::from_utf8_lossy(body);
        if let Some((_, rest)) = body.split_once("@{") {
            script.follow(rest.split_once('}').expect("@{ without }").0);
        }
        script
    }

    /// Nothing is said of the usage where clients look for it.
    pub(super) fn hides_usage(&self) -> bool {
        matches!(self.usage, UsageReport::Missing | UsageReport::Comment)
    }

    fn follow(&mut self, text: &str) {
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u32>().unwrap_or_else(|_| panic!("a number in {word:?}"));
            let millis = || Some(Duration::from_millis(number().into()));
            match name {
                "tokens" => self.tokens = number().into(),
                "prompt" => self.prompt = Some(number().into()),
                "cached" => self.cached = number().into(),
                "written" => self.written = number().into(),
                "hour" => self.hour = number().into(),
                "searches" => self.searches = number().into(),
                "greedy" => self.greedy = true,
                "tier" => self.tier = Some(value.to_owned()),
                "thoughts" => self.thoughts = number().into(),
                "tool" => self.tool = number().into(),
                "audio" => self.audio = number().into(),
                "fail" => self.fail = Some(number() as usize),
                "status" => self.status = Some(u16::try_from(number()).unwrap()),
                "error-usage" => self.error_usage = true,
                "cut" => self.cut = Some(number() as usize),
                "split" => self.split = Some(number() as usize),
                "crlf" => self.crlf = true,
                "delay" => self.delay = millis(),
                "delay-head" => self.delay_head = millis(),
                "stall" => self.stall = Some(number() as usize),
                "hang" => self.hang = true,
                "reset" => self.reset = true,
                "gzip" => self.gzip = true,
                "redirect" => self.redirect = true,
                "no-cost" => self.no_cost = true,
                "pending" => self.pending = number() as usize,
                "big" => self.big = true,
                "failed" => self.failed = true,
                "cost" => self.cost = Some(value.to_owned()),
                "count" if value == "negative" => self.count = Count::Number(-5),
                "count" if value == "absurd" => self.count = Count::Number(1 << 50),
                "count" if value == "text" => self.count = Count::Text,
                "count" => self.count = Count::Number(number().into()),
                "count-status" => self.count_status = Some(u16::try_from(number()).unwrap()),
                "count-hang" => self.count_hang = true,
                "gate" if value == "count" => self.gate_count = true,
                "gate" if value == "head" => self.gate_head = true,
                "gate" if value == "first" => self.gate_first = true,
                "usage" if value == "honest" => self.usage = UsageReport::Honest,
                "usage" if value == "none" => self.usage = UsageReport::Missing,
                "usage" if value == "negative" => self.usage = UsageReport::Negative,
                "usage" if value == "absurd" => self.usage = UsageReport::Absurd,
                "usage" if value == "twice" => self.usage = UsageReport::Twice,
                "usage" if value == "comment" => self.usage = UsageReport::Comment,
                _ => panic!("the stand-in does not know {word:?}"),
            }
        }
    }
}
