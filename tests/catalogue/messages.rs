//! Fields of Anthropic's messages that cost money, or that could hide what costs money.

use super::attempt::Expect::{Exact, Refused, Unbilled};
use super::attempt::{Attempt, Expect};

const PATH: &str = "/v1/messages";

/// What it tries, the members beside `model` and `messages`, what the provider does, and what must come of it.
type Row = (&'static str, &'static str, &'static str, Expect);

const FIELDS: &[Row] = &[
    ("no limit", "", "", Refused(400)),
    ("a limit of null", r#""max_tokens":null"#, "", Refused(400)),
    ("a limit of nothing", r#""max_tokens":0"#, "", Exact),
    ("a negative limit", r#""max_tokens":-1"#, "", Refused(400)),
    ("a fraction as limit", r#""max_tokens":10.5"#, "", Refused(400)),
    ("a limit as text", r#""max_tokens":"10""#, "", Refused(400)),
    ("a limit with an exponent", r#""max_tokens":1e1"#, "", Refused(400)),
    ("a limit beyond 64 bits", r#""max_tokens":18446744073709551626"#, "", Refused(400)),
    ("the limit twice", r#""max_tokens":10,"max_tokens":5000"#, "", Refused(400)),
    ("the limit twice, escaped", r#""max_tokens":10,"max\u005ftokens":5000"#, "", Refused(400)),
    ("the limit twice, in capitals", r#""max_tokens":10,"Max_Tokens":5000"#, "", Refused(400)),
    ("a limit under another API's name", r#""max_tokens":10,"max_completion_tokens":5000"#, "", Refused(400)),
    ("many answers", r#""max_tokens":10,"n":5"#, "", Refused(400)),
    ("a stream as text", r#""max_tokens":10,"stream":"true""#, "", Refused(400)),
    ("a stream of null", r#""max_tokens":10,"stream":null"#, "", Exact),
    ("thinking", r#""max_tokens":3000,"thinking":{"type":"enabled","budget_tokens":2000}"#, "", Exact),
    ("thinking beyond the limit", r#""max_tokens":10,"thinking":{"type":"enabled","budget_tokens":2000}"#, "", Exact),
    ("a negative budget for thinking", r#""max_tokens":10,"thinking":{"type":"enabled","budget_tokens":-1}"#, "", Refused(400)),
    ("a priority that is bought", r#""max_tokens":10,"service_tier":"priority""#, "", Refused(400)),
    ("a fast answer", r#""max_tokens":10,"speed":"fast""#, "", Refused(403)),
    ("a place of inference", r#""max_tokens":10,"inference_geo":"us""#, "", Refused(403)),
    ("a container", r#""max_tokens":10,"container":"container_1""#, "", Refused(400)),
    ("servers of tools", r#""max_tokens":10,"mcp_servers":[{"type":"url","url":"http://127.0.0.1:9","name":"x"}]"#, "", Refused(400)),
    ("a thread to go on with", r#""max_tokens":10,"thread":{"type":"continue","previous_message_id":"msg_1"}"#, "", Refused(400)),
    ("another model to fall back to", r#""max_tokens":10,"fallbacks":[{"model":"claude-opus-4-5"}]"#, "", Refused(400)),
    ("somebody else who pays", r#""max_tokens":10,"billing_policy":{}"#, "", Refused(400)),
    ("a summary beside the answer", r#""max_tokens":10,"context_management":{"edits":[{"type":"compact_20260112"}]}"#, "", Refused(400)),
    ("old results taken out", r#""max_tokens":10,"context_management":{"edits":[{"type":"clear_tool_uses_20250919"}]}"#, "", Exact),
    ("a field that nobody knows", r#""max_tokens":10,"turbo":true"#, "", Refused(400)),
    ("the cache for all, for an hour", r#""max_tokens":10,"cache_control":{"type":"ephemeral","ttl":"1h"}"#, "", Exact),
    (
        "a system prompt in the cache",
        r#""max_tokens":10,"system":[{"type":"text","text":"Be brief, and be kind.","cache_control":{"type":"ephemeral"}}]"#,
        "",
        Exact,
    ),
    (
        "a system prompt in the cache, for an hour",
        r#""max_tokens":10,"system":[{"type":"text","text":"Be brief, and be kind.","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
        "",
        Exact,
    ),
    (
        "a tool in the cache, for an hour that is escaped",
        r#""max_tokens":10,"tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral","ttl":"\u0031h"}}]"#,
        "",
        Exact,
    ),
    ("code that runs at the provider", r#""max_tokens":10,"tools":[{"type":"code_execution_20250825","name":"code_execution"}]"#, "", Refused(400)),
    ("an advisor", r#""max_tokens":10,"tools":[{"type":"advisor_20260301","name":"advisor","model":"claude-opus-4-5"}]"#, "", Refused(400)),
    ("a tool of a type that nobody knows", r#""max_tokens":10,"tools":[{"type":"oracle_20260101","name":"oracle"}]"#, "", Refused(400)),
    ("a tool's field that nobody knows", r#""max_tokens":10,"tools":[{"name":"f","input_schema":{"type":"object"},"max_price":0}]"#, "", Refused(400)),
    ("a shell", r#""max_tokens":10,"tools":[{"type":"bash_20250124","name":"bash"}]"#, "prompt=900", Exact),
    ("one search", r#""max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}]"#, "searches=1 prompt=399000", Exact),
    ("searches without end", r#""max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search"}]"#, "searches=5 prompt=1199000", Exact),
    ("searches of null", r#""max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":null}]"#, "searches=5 prompt=1199000", Exact),
    ("a million searches", r#""max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1000000}]"#, "", Refused(400)),
    ("a negative number of searches", r#""max_tokens":10,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":-1}]"#, "", Refused(400)),
    (
        "searches that run code",
        r#""max_tokens":10,"tools":[{"type":"web_search_20260209","name":"web_search","max_uses":1}]"#,
        "searches=1 prompt=1999000",
        Exact,
    ),
    ("pages that are read", r#""max_tokens":10,"tools":[{"type":"web_fetch_20250910","name":"web_fetch","max_uses":2}]"#, "prompt=599000", Exact),
    ("a search for tools", r#""max_tokens":10,"tools":[{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}]"#, "prompt=1999000", Exact),
];

/// The message's `content`, what the provider does, and what must come of it.
const CONTENTS: &[Row] = &[
    ("a file by its id", r#"[{"type":"document","source":{"type":"file","file_id":"file_1"}}]"#, "", Refused(400)),
    ("an image by its id", r#"[{"type":"image","source":{"type":"file","file_id":"file_1"}}]"#, "", Refused(400)),
    ("an image at an address", r#"[{"type":"image","source":{"type":"url","url":"https://127.0.0.1:9/large.png"}}]"#, "prompt=4900", Exact),
    (
        "an image of a few bytes that is large",
        r#"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]"#,
        "prompt=4900",
        Exact,
    ),
    ("a document at an address", r#"[{"type":"document","source":{"type":"url","url":"https://127.0.0.1:9/long.pdf"}}]"#, "prompt=199900", Exact),
    (
        "a document of a few bytes that is long",
        r#"[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}}]"#,
        "prompt=199900",
        Exact,
    ),
    (
        "a document in the cache, for an hour",
        r#"[{"type":"document","source":{"type":"url","url":"https://127.0.0.1:9/long.pdf"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]"#,
        "prompt=199900",
        Exact,
    ),
    ("a film", r#"[{"type":"video","source":{"type":"url","url":"https://127.0.0.1:9/film.mp4"}}]"#, "", Refused(400)),
    ("a source of a type that nobody knows", r#"[{"type":"image","source":{"type":"s3","url":"s3://bucket/large.png"}}]"#, "", Refused(400)),
    ("data of another kind", r#"[{"type":"image","source":{"type":"base64","media_type":"video/mp4","data":"AAAA"}}]"#, "", Refused(400)),
    ("an upload into a container", r#"[{"type":"container_upload","file_id":"file_1"}]"#, "", Refused(400)),
    ("a block of a type that nobody knows", r#"[{"type":"hologram","text":"hi"}]"#, "", Refused(400)),
    ("a block without a type", r#"[{"text":"hi"}]"#, "", Refused(400)),
    ("a block whose type comes twice", r#"[{"type":"text","type":"document","text":"hi"}]"#, "", Refused(400)),
    ("text in the cache", r#"[{"type":"text","text":"a text that is written","cache_control":{"type":"ephemeral"}}]"#, "", Exact),
    ("text in the cache, for an hour", r#"[{"type":"text","text":"a text that is written","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#, "", Exact),
    (
        "a document with citations",
        r#"[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"A. B. C. D."},"citations":{"enabled":true}}]"#,
        "prompt=900",
        Exact,
    ),
    (
        "an image in the result of a tool",
        r#"[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]}]"#,
        "prompt=4900",
        Exact,
    ),
    (
        "a document in the result of a tool",
        r#"[{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"url","url":"https://x/y.pdf"}}]}]"#,
        "prompt=199900",
        Exact,
    ),
];

fn body(content: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"claude-haiku-4-5","messages":[{{"role":"user","content":{content}}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (name, members, script, expect) in FIELDS {
        attempts.push(Attempt::post(format!("messages: {name}"), PATH, body(r#""hi""#, members), *expect).told(script));
    }
    for (name, content, script, expect) in CONTENTS {
        attempts.push(Attempt::post(format!("messages: {name}"), PATH, body(content, r#""max_tokens":10"#), *expect).told(script));
    }
    let limited = body(r#""hi""#, r#""max_tokens":10"#);
    let long = "word ".repeat(400);
    for (name, body) in [
        ("a long system prompt", body(r#""hi""#, &format!(r#""max_tokens":10,"system":"{long}""#))),
        (
            "a long text in the cache, for an hour that is escaped",
            body(&format!(r#"[{{"type":"text","text":"{long}","cache_control":{{"type":"ephemeral","ttl":"\u0031h"}}}}]"#), r#""max_tokens":10"#),
        ),
        (
            "a long tool in the cache, for an hour that is escaped",
            body(
                r#""hi""#,
                &format!(
                    r#""max_tokens":10,"tools":[{{"name":"f","description":"{long}{long}","input_schema":{{"type":"object"}},"cache_control":{{"type":"ephemeral","ttl":"\u0031h"}}}}]"#
                ),
            ),
        ),
        ("a long tool", body(r#""hi""#, &format!(r#""max_tokens":10,"tools":[{{"name":"f","description":"{long}","input_schema":{{"type":"object"}}}}]"#))),
        (
            "a long schema",
            body(r#""hi""#, &format!(r#""max_tokens":10,"output_config":{{"format":{{"type":"json_schema","schema":{{"description":"{long}"}}}}}}"#)),
        ),
    ] {
        attempts.push(Attempt::post(format!("messages: {name}"), PATH, body, Exact));
    }
    let document = body(r#"[{"type":"document","source":{"type":"url","url":"https://127.0.0.1:9/long.pdf"}}]"#, r#""max_tokens":10"#);
    attempts.push(Attempt::with_headers("messages: a wider window", PATH, "anthropic-beta: context-1m-2025-08-07\r\n", document, Exact).told("prompt=999000"));
    for (name, path, expect) in [
        ("tokens counted instead", "/v1/messages/count_tokens", Unbilled),
        ("a batch", "/v1/messages/batches", Refused(404)),
        ("the old completions", "/v1/complete", Refused(404)),
        ("a path that begins alike", "/v1/messagesx", Refused(404)),
        ("a path with a slash behind it", "/v1/messages/", Refused(404)),
        ("a path behind the free one", "/v1/messages/count_tokens/messages", Refused(404)),
        ("a path back from the free one", "/v1/messages/count_tokens/../../messages", Refused(404)),
        ("the version twice", "/v1/v1/messages", Refused(404)),
        ("the beta of the API", "/v1/messages?beta=true", Exact),
        ("a model by the query", "/v1/messages?model=claude-opus-4-5&max_tokens=5000", Exact),
    ] {
        attempts.push(Attempt::post(format!("messages: {name}"), path, &limited, expect));
    }
    attempts
}
