//! Fields and paths of Google's Gemini API that cost money, or that could hide what costs money.

use super::attempt::Expect::{Exact, Refused, Unbilled};
use super::attempt::{Attempt, Expect};

const MODEL: &str = "/v1beta/models/gemini-2.5-flash";

/// What it tries, the members beside `contents`, what the provider does, and what must come of it.
type Row = (&'static str, &'static str, &'static str, Expect);

const FIELDS: &[Row] = &[
    ("no limit", "", "", Exact),
    ("a limit of null", r#""generationConfig":{"maxOutputTokens":null}"#, "", Exact),
    ("an empty configuration", r#""generationConfig":{}"#, "", Exact),
    ("a configuration of null", r#""generationConfig":null"#, "", Refused(400)),
    ("a limit of nothing", r#""generationConfig":{"maxOutputTokens":0}"#, "", Refused(400)),
    ("a negative limit", r#""generationConfig":{"maxOutputTokens":-1}"#, "", Refused(400)),
    ("a fraction as limit", r#""generationConfig":{"maxOutputTokens":10.5}"#, "", Refused(400)),
    ("a limit as text", r#""generationConfig":{"maxOutputTokens":"10"}"#, "", Refused(400)),
    ("a limit with an exponent", r#""generationConfig":{"maxOutputTokens":1e1}"#, "", Refused(400)),
    ("a limit beyond 32 bits", r#""generationConfig":{"maxOutputTokens":4294967306}"#, "", Refused(400)),
    ("a limit in the other spelling", r#""generation_config":{"max_output_tokens":20}"#, "", Exact),
    ("the limit in both spellings", r#""generationConfig":{"maxOutputTokens":10,"max_output_tokens":5000}"#, "", Refused(400)),
    ("the limit in a mixed spelling", r#""generationConfig":{"maxOutputTokens":10,"max_outputTokens":5000}"#, "", Refused(400)),
    ("the limit in capitals", r#""generationConfig":{"maxOutputTokens":10,"MaxOutputTokens":5000}"#, "", Refused(400)),
    ("the limit twice, escaped", r#""generationConfig":{"maxOutputTokens":10,"max\u004futputTokens":5000}"#, "", Refused(400)),
    ("the configuration in both spellings", r#""generationConfig":{"maxOutputTokens":10},"generation_config":{"maxOutputTokens":5000}"#, "", Refused(400)),
    ("a limit where it does not belong", r#""maxOutputTokens":10"#, "", Refused(400)),
    ("eight answers", r#""generationConfig":{"maxOutputTokens":20,"candidateCount":8}"#, "", Exact),
    ("eight answers in the other spelling", r#""generationConfig":{"maxOutputTokens":20,"candidate_count":8}"#, "", Exact),
    ("a thousand answers", r#""generationConfig":{"maxOutputTokens":20,"candidateCount":1000}"#, "", Refused(400)),
    ("no answers", r#""generationConfig":{"maxOutputTokens":20,"candidateCount":0}"#, "", Refused(400)),
    ("thinking without end", r#""generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":-1}}"#, "thoughts=20000", Exact),
    ("thinking beyond the limit", r#""generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"thinkingBudget":24576}}"#, "thoughts=20000", Exact),
    ("thinking that no limit ends", r#""generationConfig":{"thinkingConfig":{"thinkingBudget":24576}}"#, "thoughts=20000", Exact),
    ("a budget for thinking as text", r#""generationConfig":{"thinkingConfig":{"thinkingBudget":"0"}}"#, "", Refused(400)),
    ("a film", r#""generationConfig":{"responseModalities":["VIDEO"]}"#, "", Refused(400)),
    ("another model that is chosen there", r#""generationConfig":{"routingConfig":{"autoMode":{}}}"#, "", Refused(400)),
    ("a configuration that nobody knows", r#""generationConfig":{"turbo":true}"#, "", Refused(400)),
    ("a field that nobody knows", r#""turbo":true"#, "", Refused(400)),
    ("another model in the body", r#""model":"models/gemini-2.5-pro""#, "", Refused(400)),
    ("a cache of the account's", r#""cachedContent":"cachedContents/1""#, "", Refused(400)),
    ("a cache of the account's in the other spelling", r#""cached_content":"cachedContents/1""#, "", Refused(400)),
    ("code that runs at the provider", r#""tools":[{"codeExecution":{}}]"#, "", Refused(400)),
    ("code that runs at the provider, in the other spelling", r#""tools":[{"code_execution":{}}]"#, "", Refused(400)),
    ("maps", r#""tools":[{"googleMaps":{}}]"#, "", Refused(400)),
    ("a search in files", r#""tools":[{"fileSearch":{"fileSearchStoreNames":["x"]}}]"#, "", Refused(400)),
    ("the tools of a server elsewhere", r#""tools":[{"mcpServers":[{"url":"http://127.0.0.1:9"}]}]"#, "", Refused(400)),
    ("a tool that nobody knows", r#""tools":[{"oracle":{}}]"#, "", Refused(400)),
    ("a search", r#""generationConfig":{"maxOutputTokens":20},"tools":[{"googleSearch":{}}]"#, "searches=3 tool=1000000", Exact),
    ("a search in the other spelling", r#""generationConfig":{"maxOutputTokens":20},"tools":[{"google_search":{}}]"#, "searches=3 tool=1000000", Exact),
    ("a search that stands alone", r#""generationConfig":{"maxOutputTokens":20},"tools":{"googleSearch":{}}"#, "searches=3 tool=1000000", Exact),
    ("pages that are read", r#""generationConfig":{"maxOutputTokens":20},"tools":[{"urlContext":{}}]"#, "tool=1000000", Exact),
    ("what an earlier answer holds", r#""generationConfig":{"maxOutputTokens":20},"continuationToken":"x""#, "prompt=1000000", Exact),
    ("a cheap service tier that the model does not have", r#""serviceTier":"flex""#, "", Refused(403)),
    ("a service tier that nobody knows", r#""serviceTier":"gratis""#, "", Refused(400)),
];

/// The message's parts, what the provider does, and what must come of it.
const PARTS: &[Row] = &[
    ("a file that was uploaded", r#"{"fileData":{"fileUri":"https://generativelanguage.example/v1beta/files/x"}}"#, "", Refused(400)),
    ("a file of a bucket", r#"{"fileData":{"fileUri":"gs://bucket/film.mp4"}}"#, "", Refused(400)),
    ("a film at an address", r#"{"fileData":{"fileUri":"https://127.0.0.1:9/film.mp4"}}"#, "prompt=1000000", Exact),
    ("a film at an address, in the other spelling", r#"{"file_data":{"file_uri":"https://127.0.0.1:9/film.mp4"}}"#, "prompt=1000000", Exact),
    ("an image of a few bytes that is large", r#"{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}"#, "prompt=6200", Exact),
    ("an image whose type is in capitals", r#"{"inlineData":{"mimeType":"IMAGE/PNG","data":"iVBORw0KGgo="}}"#, "prompt=6200", Exact),
    ("a document of a few bytes that is long", r#"{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0="}}"#, "prompt=1000000", Exact),
    ("sound of a few bytes that is long", r#"{"inlineData":{"mimeType":"audio/mp3","data":"SUQz"}}"#, "prompt=1000000 audio=999900", Exact),
    (
        "sound that plays as long as its head says",
        r#"{"inlineData":{"mimeType":"audio/wav","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEA"}}"#,
        "prompt=1000000 audio=999900",
        Exact,
    ),
    ("data of a type that nobody knows", r#"{"inlineData":{"mimeType":"application/x-unknown","data":"AAAA"}}"#, "prompt=1000000 audio=999900", Exact),
    ("data without a type", r#"{"inlineData":{"data":"AAAA"}}"#, "", Refused(400)),
    (
        "data that comes twice",
        r#"{"inlineData":{"mimeType":"text/plain","data":"AAAA"},"inline_data":{"mimeType":"video/mp4","data":"AAAA"}}"#,
        "",
        Refused(400),
    ),
    ("a part that nobody knows", r#"{"hologram":"hi"}"#, "", Refused(400)),
    (
        "a film that the model goes through by itself",
        r#"{"fileData":{"fileUri":"https://127.0.0.1:9/film.mp4"},"mediaProcessing":"AGENTIC"}"#,
        "",
        Refused(400),
    ),
    (
        "an image in the result of a function",
        r#"{"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}}"#,
        "prompt=6200",
        Exact,
    ),
];

const PATHS: &[(&str, &str, Expect)] = &[
    ("tokens counted instead", "/v1beta/models/gemini-2.5-flash:countTokens", Unbilled),
    ("the list of a stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", Exact),
    ("the events of a stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", Exact),
    ("two forms of a stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&alt=json", Refused(400)),
    ("bytes of protobuf", "/v1beta/models/gemini-2.5-flash:generateContent?alt=proto", Refused(400)),
    ("an answer without its usage", "/v1beta/models/gemini-2.5-flash:generateContent?fields=candidates", Exact),
    ("an answer without its usage, in the other name", "/v1beta/models/gemini-2.5-flash:generateContent?$fields=candidates", Exact),
    ("a colon that is coded", "/v1beta/models/gemini-2.5-flash%3AgenerateContent", Exact),
    ("a model in capitals", "/v1beta/models/Gemini-2.5-Flash:generateContent", Refused(403)),
    ("a model that nobody knows", "/v1beta/models/gemini-404:generateContent", Refused(403)),
    ("a model behind another one", "/v1beta/models/gemini-2.5-flash/models/gemini-2.5-pro:generateContent", Refused(404)),
    ("a model of somebody's own", "/v1beta/tunedModels/mine:generateContent", Refused(404)),
    ("a call in capitals", "/v1beta/models/gemini-2.5-flash:GenerateContent", Refused(404)),
    ("two calls", "/v1beta/models/gemini-2.5-flash:countTokens:generateContent", Refused(404)),
    ("a batch", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", Refused(404)),
    ("a film", "/v1beta/models/veo-3:predictLongRunning", Refused(404)),
    ("the version twice", "/v1beta/v1beta/models/gemini-2.5-flash:generateContent", Refused(404)),
    ("a path back", "/v1beta/models/x/../gemini-2.5-flash:generateContent", Refused(404)),
    ("a cache", "/v1beta/cachedContents", Refused(404)),
    ("an upload", "/v1beta/files", Refused(404)),
];

fn body(parts: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"contents":[{{"role":"user","parts":[{parts}]}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let text = r#"{"text":"hi"}"#;
    let limit = r#""generationConfig":{"maxOutputTokens":20}"#;
    let path = format!("{MODEL}:generateContent");
    let long = "word ".repeat(400);
    let mut attempts = Vec::new();
    for (name, members, script, expect) in FIELDS {
        attempts.push(Attempt::post(format!("gemini: {name}"), &path, body(text, members), *expect).told(script));
    }
    for (name, parts, script, expect) in PARTS {
        attempts.push(Attempt::post(format!("gemini: {name}"), &path, body(parts, limit), *expect).told(script));
    }
    for (name, path, expect) in PATHS {
        attempts.push(Attempt::post(format!("gemini path: {name}"), path, body(text, limit), *expect));
    }
    for (name, members) in [
        ("a long system prompt", format!(r#""systemInstruction":{{"parts":[{{"text":"{long}"}}]}},{limit}"#)),
        ("a long system prompt in the other spelling", format!(r#""system_instruction":{{"parts":[{{"text":"{long}"}}]}},{limit}"#)),
        ("a long tool", format!(r#""tools":[{{"functionDeclarations":[{{"name":"f","description":"{long}"}}]}}],{limit}"#)),
    ] {
        attempts.push(Attempt::post(format!("gemini: {name}"), &path, body(text, &members), Exact));
    }
    let header = |name: &str, header: &str| Attempt::with_headers(format!("gemini header: {name}"), &path, header, body(text, limit), Exact);
    attempts.push(header("an answer without its usage", "X-Goog-FieldMask: candidates\r\n"));
    attempts.push(header("somebody else who pays", "X-Goog-User-Project: other\r\n"));
    attempts.push(header("a call that is broken off", "X-Server-Timeout: 1\r\n"));
    let embed = "/v1beta/models/gemini-embedding-001";
    for (name, call, body, expect) in [
        ("one text", "embedContent", r#"{"content":{"parts":[{"text":"a text to embed"}]}}"#, Exact),
        (
            "two texts",
            "batchEmbedContents",
            r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"one"}]}},{"content":{"parts":[{"text":"two"}]}}]}"#,
            Exact,
        ),
        (
            "another model in the body",
            "batchEmbedContents",
            r#"{"requests":[{"model":"models/gemini-embedding-2","content":{"parts":[{"text":"one"}]}}]}"#,
            Refused(400),
        ),
        ("a field that nobody knows", "embedContent", r#"{"content":{"parts":[{"text":"one"}]},"turbo":true}"#, Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("gemini embeddings: {name}"), &format!("{embed}:{call}"), body, expect));
    }
    attempts
}
