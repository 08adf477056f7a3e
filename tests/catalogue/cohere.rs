//! Fields and paths of Cohere's API that cost money, or that could hide what costs money.

use super::attempt::Attempt;
use super::attempt::Expect::{self, Exact, Refused};

const CHAT: &str = "/v2/chat";
const EMBED: &str = "/v2/embed";
const RERANK: &str = "/v2/rerank";

/// What it tries, the members beside `model` and `messages`, and what must come of it.
type Row = (&'static str, &'static str, Expect);

const FIELDS: &[Row] = &[
    ("no limit", "", Exact),
    ("a limit of null", r#""max_tokens":null"#, Exact),
    ("a limit", r#""max_tokens":20"#, Exact),
    ("a limit of nothing", r#""max_tokens":0"#, Expect::Fair),
    ("a negative limit", r#""max_tokens":-1"#, Refused(400)),
    ("a fraction as limit", r#""max_tokens":10.5"#, Refused(400)),
    ("a limit with an exponent", r#""max_tokens":1e1"#, Refused(400)),
    ("a limit as text", r#""max_tokens":"10""#, Refused(400)),
    ("a limit beyond 32 bits", r#""max_tokens":4294967306"#, Refused(400)),
    ("the limit twice", r#""max_tokens":10,"max_tokens":5000"#, Refused(400)),
    ("the limit twice, escaped", r#""max_tokens":10,"max\u005ftokens":5000"#, Refused(400)),
    ("the limit in capitals", r#""max_tokens":10,"Max_Tokens":5000"#, Refused(400)),
    ("the limit in capitals, of nothing", r#""max_tokens":10,"MAX_TOKENS":null"#, Refused(400)),
    ("the limit by OpenAI's other name", r#""max_completion_tokens":5000"#, Refused(400)),
    ("a stream", r#""max_tokens":20,"stream":true"#, Exact),
    ("a stream without a limit", r#""stream":true"#, Exact),
    ("a stream as text", r#""max_tokens":20,"stream":"true""#, Refused(400)),
    ("a stream as number", r#""max_tokens":20,"stream":1"#, Refused(400)),
    ("the stream twice", r#""max_tokens":20,"stream":false,"stream":true"#, Refused(400)),
    ("several answers", r#""max_tokens":20,"n":8"#, Refused(400)),
    ("several generations", r#""max_tokens":20,"num_generations":8"#, Refused(400)),
    ("the messages twice", r#""max_tokens":20,"messages":[{"role":"user","content":"a longer one, and much of it"}]"#, Refused(400)),
    ("the model twice", r#""max_tokens":20,"model":"command-r7b-12-2024""#, Refused(400)),
    ("the model in capitals", r#""max_tokens":20,"Model":"command-r7b-12-2024""#, Refused(400)),
    ("thinking", r#""max_tokens":100,"thinking":{"type":"enabled","token_budget":50}"#, Exact),
    ("thinking beyond the limit", r#""max_tokens":100,"thinking":{"token_budget":5000}"#, Exact),
    ("thinking without a limit", r#""thinking":{"token_budget":5000}"#, Exact),
    ("thinking with a negative budget", r#""max_tokens":100,"thinking":{"token_budget":-1}"#, Refused(400)),
    ("thinking with a budget by another name", r#""max_tokens":100,"thinking":{"budget_tokens":5000}"#, Refused(400)),
    ("thinking that is no object", r#""max_tokens":100,"thinking":true"#, Refused(400)),
    ("a search on the web", r#""max_tokens":20,"connectors":[{"id":"web-search"}]"#, Refused(400)),
    ("queries alone", r#""max_tokens":20,"search_queries_only":true"#, Refused(400)),
    ("a conversation that is kept", r#""max_tokens":20,"conversation_id":"x""#, Refused(400)),
    ("a preamble of version 1", r#""max_tokens":20,"preamble":"you are""#, Refused(400)),
    ("a raw prompt", r#""max_tokens":20,"raw_prompting":true"#, Refused(400)),
    ("a prompt that is cut", r#""max_tokens":20,"prompt_truncation":"AUTO""#, Refused(400)),
    ("a field that nobody knows", r#""max_tokens":20,"turbo":true"#, Refused(400)),
    ("a dear service tier", r#""max_tokens":20,"service_tier":"priority""#, Refused(400)),
    ("a priority", r#""max_tokens":20,"priority":0"#, Exact),
    ("another mode of safety", r#""max_tokens":20,"safety_mode":"STRICT""#, Exact),
    ("citations", r#""max_tokens":20,"citation_options":{"mode":"ACCURATE"}"#, Exact),
    ("a tool that is a search", r#""max_tokens":20,"tools":[{"type":"web_search"}]"#, Refused(400)),
    ("a tool that runs code", r#""max_tokens":20,"tools":[{"type":"code_interpreter"}]"#, Refused(400)),
    ("a tool with a member that nobody knows", r#""max_tokens":20,"tools":[{"type":"function","function":{},"server":"http://127.0.0.1:9"}]"#, Refused(400)),
    ("tools that are no list", r#""max_tokens":20,"tools":{}"#, Refused(400)),
];

/// The content of a message.
const CONTENTS: &[Row] = &[
    ("a text in parts", r#"[{"type":"text","text":"hi"}]"#, Exact),
    ("an image at an address", r#"[{"type":"image_url","image_url":{"url":"https://127.0.0.1:9/large.png"}}]"#, Exact),
    ("an image of a few bytes", r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]"#, Exact),
    ("an image of another kind", r#"[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]"#, Refused(400)),
    ("an image by another type", r#"[{"type":"text","image_url":{"url":"https://127.0.0.1:9/large.png"}}]"#, Refused(400)),
    ("a recording", r#"[{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]"#, Refused(400)),
    ("a film", r#"[{"type":"video_url","video_url":{"url":"https://127.0.0.1:9/film.mp4"}}]"#, Refused(400)),
    ("a part that nobody knows", r#"[{"type":"hologram"}]"#, Refused(400)),
    ("a part without a type", r#"[{"text":"hi"}]"#, Refused(400)),
    ("a document of the account's", r#"[{"type":"document","document_id":"x"}]"#, Refused(400)),
];

const PATHS: &[Row] = &[
    ("the version twice", "/v2/v2/chat", Refused(404)),
    ("another version", "/v1/chat", Refused(404)),
    ("a path that begins alike", "/v2/chatx", Refused(404)),
    ("a slash behind it", "/v2/chat/", Refused(404)),
    ("capitals", "/v2/Chat", Refused(404)),
    ("jobs of embedding", "/v2/embed-jobs", Refused(404)),
    ("a set of data", "/v2/datasets", Refused(404)),
    ("a batch", "/v2/batches", Refused(404)),
    ("a model by the query", "/v2/chat?model=command-r7b-12-2024&max_tokens=5000", Exact),
];

fn body(content: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"command-a-03-2025","messages":[{{"role":"user","content":{content}}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let limit = r#""max_tokens":20"#;
    let long = "word ".repeat(400);
    let mut attempts = Vec::new();
    for (name, members, expect) in FIELDS {
        attempts.push(Attempt::post(format!("cohere: {name}"), CHAT, body(r#""hi""#, members), *expect));
    }
    for (name, content, expect) in CONTENTS {
        attempts.push(Attempt::post(format!("cohere: {name}"), CHAT, body(content, limit), *expect));
    }
    for (name, path, expect) in PATHS {
        attempts.push(Attempt::post(format!("cohere path: {name}"), path, body(r#""hi""#, limit), *expect));
    }
    for (name, members) in [
        ("a long definition of a tool", format!(r#""tools":[{{"type":"function","function":{{"name":"f","description":"{long}"}}}}]"#)),
        ("a long document", format!(r#""documents":["{long}"]"#)),
        ("a long document of many members", format!(r#""documents":[{{"id":"a","data":{{"title":"x","snippet":"{long}"}}}}]"#)),
        ("a long schema", format!(r#""response_format":{{"type":"json_object","json_schema":{{"description":"{long}"}}}}"#)),
    ] {
        attempts.push(Attempt::post(format!("cohere: {name}"), CHAT, body(r#""hi""#, &format!("{limit},{members}")), Exact));
    }
    for (name, member, expect) in
        [("a long plan", "tool_plan", Exact), ("long citations", "citations", Exact), ("a member of a message that nobody knows", "context", Refused(400))]
    {
        let body = format!(r#"{{"model":"command-a-03-2025","max_tokens":20,"messages":[{{"role":"assistant","content":"hi","{member}":"{long}"}}]}}"#);
        attempts.push(Attempt::post(format!("cohere: {name}"), CHAT, body, expect));
    }
    for (name, model, expect) in [
        ("a model that nobody knows", "command-404", Refused(403)),
        ("a model in capitals", "Command-A-03-2025", Refused(403)),
        ("a name that the price book knows it by", "command-a", Exact),
        ("no model", "", Expect::Turned),
    ] {
        let body = format!(r#"{{"model":"{model}","max_tokens":20,"messages":[{{"role":"user","content":"hi"}}]}}"#);
        attempts.push(Attempt::post(format!("cohere: {name}"), CHAT, body, expect));
    }
    for (name, members, expect) in [
        ("a text", r#""texts":["a text to embed"]"#.to_owned(), Exact),
        ("many texts", format!(r#""texts":[{}"x"]"#, r#""a text to embed","#.repeat(90)), Exact),
        ("no texts", r#""texts":[]"#.to_owned(), Refused(400)),
        ("texts that are no list", r#""texts":"a text""#.to_owned(), Refused(400)),
        ("an image", r#""images":["data:image/png;base64,iVBORw0KGgo="]"#.to_owned(), Exact),
        (
            "an image and a text at once",
            r#""inputs":[{"content":[{"type":"text","text":"a cat"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]"#
                .to_owned(),
            Exact,
        ),
        ("an input that nobody knows", r#""inputs":[{"content":[{"type":"video","video":"x"}]}]"#.to_owned(), Refused(400)),
        ("the texts twice", r#""texts":["a"],"texts":["a much longer one"]"#.to_owned(), Refused(400)),
        ("the texts in capitals", r#""texts":["a"],"Texts":["a much longer one"]"#.to_owned(), Refused(400)),
        ("a set of data", r#""texts":["a"],"dataset_id":"x""#.to_owned(), Refused(400)),
        ("texts that are cut", format!(r#""texts":["{long}"],"max_tokens":1,"truncate":"END""#), Exact),
    ] {
        let body = format!(r#"{{"model":"embed-v4.0","input_type":"search_document","embedding_types":["float"],{members}}}"#);
        attempts.push(Attempt::post(format!("cohere embed: {name}"), EMBED, body, expect));
    }
    for (name, members, expect) in [
        ("a document", r#""documents":["a"]"#.to_owned(), Exact),
        ("a hundred and one documents", format!(r#""documents":[{}"x"]"#, r#""a","#.repeat(100)), Exact),
        ("a document that is long", format!(r#""documents":["{}"]"#, long.repeat(20)), Exact),
        ("a document that is long, as an object", format!(r#""documents":[{{"text":"{}"}}]"#, long.repeat(20)), Exact),
        ("a document that is cut", format!(r#""documents":["{}"],"max_tokens_per_doc":10"#, long.repeat(20)), Exact),
        ("one result of many", format!(r#""documents":["{}","b"],"top_n":1"#, long.repeat(20)), Exact),
        ("a cut that is negative", r#""documents":["a"],"max_tokens_per_doc":-1"#.to_owned(), Refused(400)),
        ("no documents", r#""documents":[]"#.to_owned(), Refused(400)),
        ("a document of another form", r#""documents":[{"text":"a","body":"b"}]"#.to_owned(), Refused(400)),
        ("fields of documents", r#""documents":["a"],"rank_fields":["body"]"#.to_owned(), Refused(400)),
        ("pieces of documents", r#""documents":["a"],"max_chunks_per_doc":10000"#.to_owned(), Refused(400)),
        ("the documents twice", r#""documents":["a"],"documents":["a","b"]"#.to_owned(), Refused(400)),
        ("the documents in capitals", r#""documents":["a"],"DOCUMENTS":["a","b"]"#.to_owned(), Refused(400)),
    ] {
        let body = format!(r#"{{"model":"rerank-v3.5","query":"which one?",{members}}}"#);
        attempts.push(Attempt::post(format!("cohere rerank: {name}"), RERANK, body, expect));
    }
    let query = format!(r#"{{"model":"rerank-v3.5","query":"{}","documents":["{}"]}}"#, long, long.repeat(20));
    attempts.push(Attempt::post("cohere rerank: a query as long as a piece", RERANK, query, Exact));
    attempts
}
