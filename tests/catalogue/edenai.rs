//! Fields and paths of Eden AI's API that cost money, or that could hide what costs money. What is charged is what an answer tells, and the provider's own
//! ledger must know of no more.

use super::attempt::Attempt;
use super::attempt::Expect::{self, Exact, Refused, Unbilled};

const CHAT: &str = "/v3/chat/completions";
const MESSAGES: &str = "/v3/v1/messages";
const EMBEDDINGS: &str = "/v3/embeddings";
const UNIVERSAL: &str = "/v3/universal-ai";
const MODEL: &str = "openai/gpt-4o-mini";
const CLAUDE: &str = "anthropic/claude-haiku-4-5";

/// What it tries, the members beside `model` and `messages`, and what must come of it.
type Row = (&'static str, &'static str, Expect);

const FIELDS: &[Row] = &[
    ("no limit", "", Exact),
    ("a limit", r#""max_tokens":20"#, Exact),
    ("a negative limit", r#""max_tokens":-1"#, Refused(400)),
    ("a fraction as limit", r#""max_tokens":10.5"#, Refused(400)),
    ("a limit as text", r#""max_tokens":"10""#, Refused(400)),
    ("the limit twice", r#""max_tokens":10,"max_tokens":5000"#, Refused(400)),
    ("the limit twice, escaped", r#""max_tokens":10,"max\u005ftokens":5000"#, Refused(400)),
    ("the limit in capitals", r#""max_tokens":10,"Max_Tokens":5000"#, Refused(400)),
    ("the limit in both names", r#""max_tokens":10,"max_completion_tokens":5000"#, Exact),
    ("a stream", r#""max_tokens":20,"stream":true"#, Exact),
    ("a stream without its usage", r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":false}"#, Exact),
    ("eight answers", r#""max_tokens":20,"n":8"#, Exact),
    ("the model twice", r#""max_tokens":20,"model":"openai/gpt-4o""#, Refused(400)),
    ("the model in capitals", r#""max_tokens":20,"Model":"openai/gpt-4o""#, Refused(400)),
    ("another model where the first fails", r#""max_tokens":20,"fallbacks":["openai/gpt-4o"]"#, Refused(400)),
    ("another model where the first fails, in capitals", r#""max_tokens":20,"Fallbacks":["openai/gpt-4o"]"#, Refused(400)),
    ("models to choose from", r#""max_tokens":20,"router_candidates":["openai/gpt-4o"]"#, Refused(400)),
    ("what runs before", r#""max_tokens":20,"pre_hooks":[{}]"#, Refused(400)),
    ("what runs after", r#""max_tokens":20,"post_hooks":[{}]"#, Refused(400)),
    ("images as output", r#""max_tokens":20,"image_config":{}"#, Refused(400)),
    ("another body inside", r#""max_tokens":20,"extra_body":{"n":8}"#, Refused(400)),
    ("other headers inside", r#""max_tokens":20,"extra_headers":{}"#, Refused(400)),
    ("what decides who serves", r#""max_tokens":20,"routing":{"sort":"price"}"#, Exact),
    ("a session", r#""max_tokens":20,"session_id":"x","tags":["a"]"#, Exact),
    ("a search on the web", r#""max_tokens":20,"web_search_options":{}"#, Refused(400)),
    ("a usage with more in it", r#""max_tokens":20,"usage":{"include":true,"plan":"free"}"#, Refused(400)),
    ("sound as output", r#""max_tokens":20,"modalities":["text","audio"]"#, Refused(400)),
    ("a field that nobody knows", r#""max_tokens":20,"turbo":true"#, Refused(400)),
    ("a tool that is a search", r#""max_tokens":20,"tools":[{"type":"web_search"}]"#, Refused(400)),
    (
        "what stays in a cache for an hour",
        r#""max_tokens":20,"tools":[{"type":"function","function":{"name":"f"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
        Expect::Fair,
    ),
];

const MODELS: &[Row] = &[
    ("without a seller", "gpt-4o-mini", Refused(403)),
    ("of the router", "@edenai", Refused(403)),
    ("in a region", "openai/gpt-4o-mini@eu", Refused(403)),
    ("of another seller", "nobody/gpt-4o-mini", Refused(403)),
    ("that nobody knows", "openai/gpt-404", Refused(403)),
    ("in capitals", "OpenAI/gpt-4o-mini", Refused(403)),
    ("with a step more", "openai/openai/gpt-4o-mini", Refused(403)),
    ("of universal AI", "text/moderation/openai", Refused(403)),
];

const PATHS: &[Row] = &[
    ("the older path", "/v3/llm/chat/completions", Exact),
    ("the version twice", "/v3/v3/chat/completions", Refused(404)),
    ("the older path twice", "/v3/llm/llm/chat/completions", Refused(404)),
    ("a slash behind it", "/v3/chat/completions/", Refused(404)),
    ("capitals", "/v3/Chat/Completions", Refused(404)),
    ("a chat as a response", "/v3/responses", Refused(400)),
    ("a chat as an image", "/v3/images/generations", Refused(400)),
    ("a chat as a speech", "/v3/audio/speech", Refused(400)),
    ("a chat as a recording", "/v3/audio/transcriptions", Refused(400)),
    ("variations of an image", "/v3/images/variations", Refused(404)),
    ("a translation", "/v3/audio/translations", Refused(404)),
    ("decisions", "/v3/alpha/decisions", Refused(404)),
    ("films", "/v3/videos", Refused(404)),
    ("an upload", "/v3/upload", Refused(404)),
    ("the keys of the account", "/v3/manage/keys", Refused(404)),
    ("faces of all tokens", "/v3/universal-ai/collections", Refused(404)),
    ("version 2", "/v2/text/chat", Refused(404)),
    ("a model by the query", "/v3/chat/completions?model=openai/gpt-4o&fallbacks=x", Exact),
];

fn body(model: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let limit = r#""max_tokens":20"#;
    let mut attempts = Vec::new();
    for (name, members, expect) in FIELDS {
        attempts.push(Attempt::post(format!("edenai: {name}"), CHAT, body(MODEL, members), *expect));
    }
    for (name, model, expect) in MODELS {
        attempts.push(Attempt::post(format!("edenai: a model {name}"), CHAT, body(model, limit), *expect));
        attempts.push(Attempt::post(format!("edenai: a message to a model {name}"), MESSAGES, body(model, limit), *expect));
    }
    for (name, path, expect) in PATHS {
        attempts.push(Attempt::post(format!("edenai path: {name}"), path, body(MODEL, limit), *expect));
    }
    // The cost that is told: dearer than the book, nothing, not at all, or absurd. What is told is billed.
    for (name, script, expect) in [("dearer than the book", "cost=0.9", Exact), ("of nothing", "cost=0", Unbilled), ("not told", "no-cost", Exact)] {
        attempts.push(Attempt::post(format!("edenai: a cost {name}"), CHAT, body(MODEL, limit), expect).told(script).once());
    }
    for (name, members, expect) in [
        ("a message", limit.to_owned(), Exact),
        ("a message on a stream", format!(r#"{limit},"stream":true"#), Exact),
        ("a message without a limit", String::new(), Refused(400)),
        ("a message with other models", format!(r#"{limit},"fallbacks":["openai/gpt-4o"]"#), Refused(400)),
        ("a message with the limit twice", format!(r#"{limit},"max_tokens":5000"#), Refused(400)),
        ("a message with the limit in capitals", format!(r#"{limit},"Max_Tokens":5000"#), Refused(400)),
        ("a message in a container", format!(r#"{limit},"container":"x""#), Refused(400)),
        ("a message with a field that nobody knows", format!(r#"{limit},"turbo":true"#), Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("edenai: {name}"), MESSAGES, body(CLAUDE, &members), expect));
    }
    for (name, path, expect) in [
        ("tokens counted instead", "/v3/v1/messages/count_tokens", Unbilled),
        ("the version twice", "/v3/v1/v1/messages", Refused(404)),
        ("a batch", "/v3/v1/messages/batches", Refused(404)),
        ("a path behind the free one", "/v3/v1/messages/count_tokens/messages", Refused(404)),
    ] {
        attempts.push(Attempt::post(format!("edenai message: {name}"), path, body(CLAUDE, limit), expect));
    }
    for (name, body, expect) in [
        ("a text", r#"{"model":"openai/text-embedding-3-small","input":"a text to embed"}"#, Exact),
        ("the input twice", r#"{"model":"openai/text-embedding-3-small","input":"a","input":"a much longer one"}"#, Refused(400)),
        ("other models", r#"{"model":"openai/text-embedding-3-small","input":"a","fallbacks":["x/y"]}"#, Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("edenai embed: {name}"), EMBEDDINGS, body, expect));
    }
    for (name, body, expect) in [
        ("a text", r#"{"model":"text/moderation/openai","input":{"text":"hi"}}"#, Exact),
        ("a feature without a hold", r#"{"model":"video/generation/openai","input":{"text":"hi"}}"#, Refused(403)),
        ("a feature in capitals", r#"{"model":"Text/moderation/openai","input":{"text":"hi"}}"#, Refused(400)),
        ("a feature without a provider", r#"{"model":"text/moderation","input":{"text":"hi"}}"#, Refused(400)),
        ("a language model", r#"{"model":"openai/gpt-4o","input":{"text":"hi"}}"#, Refused(400)),
        ("other providers", r#"{"model":"text/moderation/openai","input":{"text":"hi"},"fallbacks":["text/moderation/google"]}"#, Refused(400)),
        ("other providers, in capitals", r#"{"model":"text/moderation/openai","input":{"text":"hi"},"Fallbacks":null}"#, Refused(400)),
        ("the model twice", r#"{"model":"text/moderation/openai","model":"video/generation/openai","input":{"text":"hi"}}"#, Refused(400)),
        ("the model twice, escaped", r#"{"model":"text/moderation/openai","m\u006fdel":"video/generation/openai","input":{"text":"hi"}}"#, Refused(400)),
        ("no input", r#"{"model":"text/moderation/openai"}"#, Refused(400)),
        ("a field that nobody knows", r#"{"model":"text/moderation/openai","input":{"text":"hi"},"turbo":true}"#, Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("edenai universal: {name}"), UNIVERSAL, body, expect));
    }
    for (name, line) in [
        ("a job that another began", "GET /v3/universal-ai/async/job-1-0-success-0"),
        ("a job with a seal of nobody's", "GET /v3/universal-ai/async/job-1-0-success-0_sg00112233445566778899aabbccddeeff"),
        ("the jobs of all tokens", "GET /v3/universal-ai/async"),
        ("the deletion of a job", "DELETE /v3/universal-ai/async/job-1"),
    ] {
        attempts.push(Attempt::lined(format!("edenai: {name}"), line, "", Refused(404)));
    }
    attempts
}
