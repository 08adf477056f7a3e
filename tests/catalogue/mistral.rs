//! Fields and paths of Mistral's API that cost money, or that could hide what costs money.

use super::attempt::Attempt;
use super::attempt::Expect::{self, Exact, Refused};

const CHAT: &str = "/mistral/v1/chat/completions";
const FIM: &str = "/mistral/v1/fim/completions";
const EMBEDDINGS: &str = "/mistral/v1/embeddings";
const OCR: &str = "/mistral/v1/ocr";

/// What it tries, the members beside `model` and `messages`, and what must come of it.
type Row = (&'static str, &'static str, Expect);

const FIELDS: &[Row] = &[
    ("no limit", "", Exact),
    ("a limit of null", r#""max_tokens":null"#, Exact),
    ("a limit", r#""max_tokens":20"#, Exact),
    ("a negative limit", r#""max_tokens":-1"#, Refused(400)),
    ("a fraction as limit", r#""max_tokens":10.5"#, Refused(400)),
    ("a limit with an exponent", r#""max_tokens":1e1"#, Refused(400)),
    ("a limit as text", r#""max_tokens":"10""#, Refused(400)),
    ("a limit beyond 32 bits", r#""max_tokens":4294967306"#, Refused(400)),
    ("the limit twice", r#""max_tokens":10,"max_tokens":5000"#, Refused(400)),
    ("the limit twice, escaped", r#""max_tokens":10,"max\u005ftokens":5000"#, Refused(400)),
    ("the limit in capitals", r#""max_tokens":10,"MAX_TOKENS":5000"#, Refused(400)),
    ("the limit by OpenAI's other name", r#""max_completion_tokens":20"#, Refused(400)),
    ("a stream", r#""max_tokens":20,"stream":true"#, Exact),
    ("a stream without a limit", r#""stream":true"#, Exact),
    ("a stream as text", r#""max_tokens":20,"stream":"true""#, Refused(400)),
    ("a stream without its usage", r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":false}"#, Refused(400)),
    ("eight answers", r#""max_tokens":20,"n":8"#, Exact),
    ("eight answers without a limit", r#""n":8"#, Exact),
    ("no answers", r#""max_tokens":20,"n":0"#, Refused(400)),
    ("more answers than there are", r#""max_tokens":20,"n":100000"#, Refused(400)),
    ("a fraction of an answer", r#""max_tokens":20,"n":1.5"#, Refused(400)),
    ("the answers twice", r#""max_tokens":20,"n":1,"n":8"#, Refused(400)),
    ("the answers in capitals", r#""max_tokens":20,"N":8"#, Refused(400)),
    ("the best of many", r#""max_tokens":20,"best_of":8"#, Refused(400)),
    ("the model twice", r#""max_tokens":20,"model":"mistral-embed""#, Refused(400)),
    ("the model in capitals", r#""max_tokens":20,"Model":"mistral-embed""#, Refused(400)),
    ("a prediction that is wrong", r#""max_tokens":20,"prediction":{"type":"content","content":"something else, and a good deal of it"}"#, Exact),
    (
        "a prediction that is wrong in five answers",
        r#""max_tokens":20,"n":5,"prediction":{"type":"content","content":"something else, and a good deal of it"}"#,
        Exact,
    ),
    ("guardrails", r#""max_tokens":20,"guardrails":[{"moderation":{}}]"#, Refused(400)),
    ("a service tier that nobody knows", r#""max_tokens":20,"service_tier":"gratis""#, Refused(400)),
    ("a service tier of OpenAI's", r#""max_tokens":20,"service_tier":"flex""#, Refused(400)),
    ("the usual service tier", r#""max_tokens":20,"service_tier":"standard_only""#, Exact),
    ("whatever tier there is", r#""max_tokens":20,"service_tier":"auto""#, Exact),
    ("reasoning", r#""max_tokens":20,"reasoning_effort":"high""#, Exact),
    ("a prompt that is put before", r#""max_tokens":20,"safe_prompt":true,"prompt_mode":"reasoning""#, Exact),
    ("an agent of the account's", r#""max_tokens":20,"agent_id":"ag_1""#, Refused(400)),
    ("a search on the web", r#""max_tokens":20,"web_search_options":{}"#, Refused(400)),
    ("a field that nobody knows", r#""max_tokens":20,"turbo":true"#, Refused(400)),
    ("a usage that is asked for", r#""max_tokens":20,"usage":{"include":true}"#, Refused(400)),
    ("a tool that is a search", r#""max_tokens":20,"tools":[{"type":"web_search"}]"#, Refused(400)),
    ("a tool that runs code", r#""max_tokens":20,"tools":[{"type":"code_interpreter"}]"#, Refused(400)),
    ("a library of the account's", r#""max_tokens":20,"tools":[{"type":"document_library","library_ids":["x"]}]"#, Refused(400)),
];

/// The content of a message, for the model that takes it.
const CONTENTS: &[(&str, &str, &str, Expect)] = &[
    ("a text in parts", "mistral-small-2603", r#"[{"type":"text","text":"hi"}]"#, Exact),
    ("an image at an address", "mistral-small-2603", r#"[{"type":"image_url","image_url":"https://127.0.0.1:9/large.png"}]"#, Exact),
    ("an image of a few bytes", "mistral-small-2603", r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]"#, Exact),
    ("a recording of a few bytes", "voxtral-small-latest", r#"[{"type":"input_audio","input_audio":"AAAA"}]"#, Expect::Fair),
    ("a document at an address", "mistral-small-2603", r#"[{"type":"document_url","document_url":"https://127.0.0.1:9/long.pdf"}]"#, Refused(400)),
    ("a file of the account's", "mistral-small-2603", r#"[{"type":"file","file_id":"x"}]"#, Refused(400)),
    ("a part that nobody knows", "mistral-small-2603", r#"[{"type":"hologram"}]"#, Refused(400)),
];

const PATHS: &[Row] = &[
    ("the version twice", "/mistral/v1/v1/chat/completions", Refused(404)),
    ("the mount twice", "/mistral/mistral/v1/chat/completions", Refused(404)),
    ("no version", "/mistral/chat/completions", Refused(404)),
    ("an agent", "/mistral/v1/agents/completions", Refused(404)),
    ("a conversation", "/mistral/v1/conversations", Refused(404)),
    ("a batch", "/mistral/v1/batch/jobs", Refused(404)),
    ("a file", "/mistral/v1/files", Refused(404)),
    ("a moderation", "/mistral/v1/chat/moderations", Refused(404)),
    ("a transcript", "/mistral/v1/audio/transcriptions", Refused(404)),
    ("a tuning", "/mistral/v1/fine_tuning/jobs", Refused(404)),
    ("a slash behind it", "/mistral/v1/chat/completions/", Refused(404)),
    ("capitals", "/mistral/v1/Chat/Completions", Refused(404)),
    ("a model by the query", "/mistral/v1/chat/completions?model=mistral-embed&max_tokens=5000", Exact),
];

fn body(model: &str, content: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":{content}}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let model = "mistral-small-2603";
    let limit = r#""max_tokens":20"#;
    let long = "word ".repeat(400);
    let mut attempts = Vec::new();
    for (name, members, expect) in FIELDS {
        attempts.push(Attempt::post(format!("mistral: {name}"), CHAT, body(model, r#""hi""#, members), *expect));
    }
    for (name, model, content, expect) in CONTENTS {
        attempts.push(Attempt::post(format!("mistral: {name}"), CHAT, body(model, content, limit), *expect));
    }
    for (name, path, expect) in PATHS {
        attempts.push(Attempt::post(format!("mistral path: {name}"), path, body(model, r#""hi""#, limit), *expect));
    }
    for (name, members) in [
        ("a long definition of a tool", format!(r#""tools":[{{"type":"function","function":{{"name":"f","description":"{long}"}}}}]"#)),
        ("a long schema", format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{{"description":"{long}"}}}}}}"#)),
    ] {
        attempts.push(Attempt::post(format!("mistral: {name}"), CHAT, body(model, r#""hi""#, &format!("{limit},{members}")), Exact));
    }
    for (name, model, expect) in [
        ("a model that nobody knows", "mistral-404", Refused(403)),
        ("a model in capitals", "Mistral-Small-2603", Refused(403)),
        ("no model", "", Expect::Turned),
    ] {
        attempts.push(Attempt::post(format!("mistral: {name}"), CHAT, body(model, r#""hi""#, limit), expect));
    }
    for (name, members, expect) in [
        ("a prompt", r#""prompt":"def f(","max_tokens":20"#.to_owned(), Exact),
        ("a long suffix", format!(r#""prompt":"def f(","suffix":"{long}","max_tokens":20"#), Exact),
        ("a stream without a limit", r#""prompt":"def f(","max_tokens":5000,"stream":true"#.to_owned(), Exact),
        ("several answers", r#""prompt":"def f(","max_tokens":20,"n":8"#.to_owned(), Refused(400)),
        ("several prompts", r#""prompt":["def f(","def g("],"max_tokens":20"#.to_owned(), Expect::Fair),
        ("the prompt twice", format!(r#""prompt":"def f(","prompt":"{long}","max_tokens":20"#), Refused(400)),
        ("the prompt in capitals", format!(r#""prompt":"def f(","Prompt":"{long}","max_tokens":20"#), Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("mistral fim: {name}"), FIM, format!(r#"{{"model":"codestral-2508",{members}}}"#), expect));
    }
    for (name, members, expect) in [
        ("a text", r#""input":"a text to embed""#.to_owned(), Exact),
        ("many texts", format!(r#""input":[{}"x"]"#, r#""a text to embed","#.repeat(200)), Exact),
        ("the input twice", format!(r#""input":"a","input":"{long}""#), Refused(400)),
        ("the input by its old name", format!(r#""input":"a","inputs":"{long}""#), Refused(400)),
        ("another dimension", r#""input":"a","output_dimension":8"#.to_owned(), Exact),
        ("a stream", r#""input":"a","stream":true"#.to_owned(), Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("mistral embed: {name}"), EMBEDDINGS, format!(r#"{{"model":"mistral-embed",{members}}}"#), expect));
    }
    let document = r#""document":{"type":"document_url","document_url":"https://127.0.0.1:9/long.pdf"}"#;
    for (name, members, expect) in [
        ("a document of a thousand pages", document.to_owned(), Exact),
        ("an image", r#""document":{"type":"image_url","image_url":"https://127.0.0.1:9/a.png"}"#.to_owned(), Exact),
        ("a document that calls itself an image", r#""document":{"type":"image_url","document_url":"https://127.0.0.1:9/long.pdf"}"#.to_owned(), Refused(400)),
        (
            "a document and an image",
            r#""document":{"document_url":"https://127.0.0.1:9/long.pdf","image_url":"https://127.0.0.1:9/a.png"}"#.to_owned(),
            Expect::Fair,
        ),
        ("two pages", format!(r#"{document},"pages":[0,1]"#), Exact),
        ("a page that is named twice", format!(r#"{document},"pages":[3,3,3]"#), Exact),
        ("no pages", format!(r#"{document},"pages":[]"#), Exact),
        ("a range of pages", format!(r#"{document},"pages":"0,2-4""#), Exact),
        ("all pages as a range", format!(r#"{document},"pages":"0-99999999999""#), Exact),
        ("a negative page", format!(r#"{document},"pages":[-1]"#), Refused(400)),
        ("a fraction of a page", format!(r#"{document},"pages":[0.5]"#), Refused(400)),
        ("pages as an object", format!(r#"{document},"pages":{{}}"#), Refused(400)),
        ("the pages twice", format!(r#"{document},"pages":[0],"pages":[0,1,2,3]"#), Refused(400)),
        ("the pages in capitals", format!(r#"{document},"pages":[0],"Pages":[0,1,2,3]"#), Refused(400)),
        ("annotations", format!(r#"{document},"pages":[0],"document_annotation_format":{{"type":"json_schema"}}"#), Exact),
        ("annotations of boxes", format!(r#"{document},"pages":[0],"bbox_annotation_format":{{"type":"json_schema"}}"#), Exact),
        ("a file of the account's", r#""document":{"type":"file","file_id":"x"}"#.to_owned(), Refused(400)),
        ("a field that nobody knows", format!(r#"{document},"turbo":true"#), Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("mistral ocr: {name}"), OCR, format!(r#"{{"model":"mistral-ocr-2512",{members}}}"#), expect));
    }
    attempts
}
