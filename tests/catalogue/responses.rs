//! Fields and paths of OpenAI's Responses API, and of OpenAI's API as Azure serves it, that cost money or could hide what costs money.

use super::attempt::Expect::{Exact, Fair, Refused, Turned, Unbilled};
use super::attempt::{Attempt, Expect};

const PATH: &str = "/v1/responses";

/// What it tries, the members beside `model` and `input`, what the provider does, and what must come of it.
pub(super) type Row = (&'static str, &'static str, &'static str, Expect);

pub(super) const FIELDS: &[Row] = &[
    ("no limit", "", "tokens=16000", Exact),
    ("a limit of null", r#""max_output_tokens":null"#, "tokens=16000", Exact),
    ("a limit of nothing", r#""max_output_tokens":0"#, "", Fair),
    ("a negative limit", r#""max_output_tokens":-1"#, "", Refused(400)),
    ("a fraction as limit", r#""max_output_tokens":20.5"#, "", Refused(400)),
    ("a limit as text", r#""max_output_tokens":"20""#, "", Refused(400)),
    ("a limit with an exponent", r#""max_output_tokens":2e1"#, "", Refused(400)),
    ("a limit beyond 32 bits", r#""max_output_tokens":4294967316"#, "", Refused(400)),
    ("the limit twice", r#""max_output_tokens":20,"max_output_tokens":5000"#, "", Refused(400)),
    ("the limit twice, escaped", r#""max_output_tokens":20,"max_output_token\u0073":5000"#, "", Refused(400)),
    ("the limit twice, in capitals", r#""max_output_tokens":20,"Max_Output_Tokens":5000"#, "", Refused(400)),
    ("a limit under another API's name", r#""max_tokens":20"#, "", Refused(400)),
    ("many answers", r#""max_output_tokens":20,"n":50"#, "", Refused(400)),
    ("a stream as text", r#""max_output_tokens":20,"stream":"true""#, "", Refused(400)),
    ("an answer in the background", r#""max_output_tokens":20,"background":true"#, "", Refused(400)),
    ("an answer in the background, streamed", r#""max_output_tokens":20,"background":true,"stream":true"#, "", Refused(400)),
    ("a background as text", r#""max_output_tokens":20,"background":"true""#, "", Refused(400)),
    ("a background that is none", r#""max_output_tokens":20,"background":false"#, "", Exact),
    ("an answer of somebody else", r#""max_output_tokens":20,"previous_response_id":"resp_1""#, "", Turned),
    ("an answer with a seal that is made up", r#""max_output_tokens":20,"previous_response_id":"resp_1_sg00000000000000000000000000000000""#, "", Turned),
    ("an answer whose id is escaped", r#""max_output_tokens":20,"previous_response_id":"resp\u005f1""#, "", Turned),
    ("a conversation", r#""max_output_tokens":20,"conversation":"conv_1""#, "", Refused(400)),
    ("a stored prompt", r#""max_output_tokens":20,"prompt":{"id":"pmpt_1"}"#, "", Refused(400)),
    ("a summary beside the answer", r#""max_output_tokens":20,"context_management":[{"type":"compaction"}]"#, "", Refused(400)),
    ("several minds at once", r#""max_output_tokens":20,"reasoning":{"mode":"pro"}"#, "", Refused(400)),
    ("the most effort", r#""max_output_tokens":20,"reasoning":{"effort":"xhigh"}"#, "", Exact),
    ("a cache for half a day", r#""max_output_tokens":20,"prompt_cache_options":{"ttl":"12h"}"#, "", Refused(400)),
    ("a dearer service tier", r#""max_output_tokens":20,"service_tier":"priority""#, "", Exact),
    ("a cheap service tier that the model does not have", r#""max_output_tokens":20,"service_tier":"flex""#, "", Refused(403)),
    ("a service tier that nobody knows", r#""max_output_tokens":20,"service_tier":"gratis""#, "", Refused(400)),
    ("a field that nobody knows", r#""max_output_tokens":20,"turbo":true"#, "", Refused(400)),
    ("one search", r#""max_output_tokens":20,"max_tool_calls":1,"tools":[{"type":"web_search"}]"#, "searches=4 prompt=383000", Exact),
    ("searches without end", r#""max_output_tokens":20,"tools":[{"type":"web_search"}]"#, "searches=20 prompt=895000", Exact),
    ("searches of null", r#""max_output_tokens":20,"max_tool_calls":null,"tools":[{"type":"web_search"}]"#, "searches=20 prompt=895000", Exact),
    ("a million searches", r#""max_output_tokens":20,"max_tool_calls":1000000,"tools":[{"type":"web_search"}]"#, "", Refused(400)),
    ("a negative number of searches", r#""max_output_tokens":20,"max_tool_calls":-1,"tools":[{"type":"web_search"}]"#, "", Refused(400)),
    (
        "a search within a namespace",
        r#""max_output_tokens":20,"tools":[{"type":"namespace","name":"n","tools":[{"type":"web_search"}]}]"#,
        "searches=20 prompt=895000",
        Exact,
    ),
    ("code within a namespace", r#""max_output_tokens":20,"tools":[{"type":"namespace","name":"n","tools":[{"type":"code_interpreter"}]}]"#, "", Refused(400)),
    ("an old search at another price", r#""max_output_tokens":20,"tools":[{"type":"web_search_preview"}]"#, "", Refused(400)),
    ("a search in files", r#""max_output_tokens":20,"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#, "", Refused(400)),
    ("a code interpreter", r#""max_output_tokens":20,"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#, "", Refused(400)),
    ("a shell at the provider", r#""max_output_tokens":20,"tools":[{"type":"shell"}]"#, "", Refused(400)),
    ("a tool that paints", r#""max_output_tokens":20,"tools":[{"type":"image_generation"}]"#, "", Refused(400)),
    ("the tools of a server elsewhere", r#""max_output_tokens":20,"tools":[{"type":"mcp","server_url":"http://127.0.0.1:9"}]"#, "", Refused(400)),
    ("a search for tools", r#""max_output_tokens":20,"tools":[{"type":"tool_search"}]"#, "", Refused(400)),
    ("a tool without a type", r#""max_output_tokens":20,"tools":[{"name":"f"}]"#, "", Refused(400)),
];

/// The input, what the provider does, and what must come of it.
const INPUTS: &[Row] = &[
    ("a file by its id", r#"[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]"#, "", Refused(400)),
    ("an image by its id", r#"[{"role":"user","content":[{"type":"input_image","file_id":"file-1"}]}]"#, "", Refused(400)),
    ("a document at an address", r#"[{"role":"user","content":[{"type":"input_file","file_url":"https://127.0.0.1:9/long.pdf"}]}]"#, "prompt=127900", Exact),
    (
        "a document of a few bytes that is long",
        r#"[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}]}]"#,
        "prompt=127900",
        Exact,
    ),
    ("an image at an address", r#"[{"role":"user","content":[{"type":"input_image","image_url":"https://127.0.0.1:9/large.png"}]}]"#, "prompt=48250", Exact),
    (
        "an image that only looks coarse",
        r#"[{"role":"user","content":[{"type":"input_image","image_url":"https://x/y.png","detail":"LOW"}]}]"#,
        "prompt=48250",
        Exact,
    ),
    (
        "an image in the result of a tool",
        r#"[{"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"https://x/y.png"}]}]"#,
        "prompt=48250",
        Exact,
    ),
    ("a recording", r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]"#, "", Refused(400)),
    ("an item of somebody else", r#"[{"type":"item_reference","id":"msg_1"}]"#, "", Turned),
    ("an item that is only an id", r#"[{"id":"msg_1"}]"#, "", Turned),
    ("reasoning of somebody else", r#"[{"type":"reasoning","id":"rs_1","summary":[]}]"#, "", Turned),
    ("a summary of somebody else", r#"[{"type":"compaction","id":"cmp_1"}]"#, "", Refused(400)),
    ("an item of a type that nobody knows", r#"[{"type":"hologram"}]"#, "", Refused(400)),
    ("an item's field that nobody knows", r#"[{"role":"user","content":"hi","turbo":true}]"#, "", Refused(400)),
    ("tools in an item", r#"[{"type":"additional_tools","tools":[{"type":"code_interpreter"}]}]"#, "", Refused(400)),
    ("a number", "7", "", Refused(400)),
];

const BODY: &str = r#"{"model":"gpt-4o-mini","max_output_tokens":20,"input":"hi"}"#;

/// A line without its version, and what must come of it.
const LINES: &[(&str, &str, Expect)] = &[
    ("tokens counted instead", "POST /v1/responses/input_tokens", Unbilled),
    ("somebody's answer is read", "GET /v1/responses/resp_1", Turned),
    ("somebody's answer is read with a seal that is made up", "GET /v1/responses/resp_1_sg00000000000000000000000000000000", Turned),
    ("somebody's answer is deleted", "DELETE /v1/responses/resp_1", Turned),
    ("somebody's answer is cancelled", "POST /v1/responses/resp_1/cancel", Turned),
    ("somebody's items are read", "GET /v1/responses/resp_1/input_items", Turned),
    ("a summary", "POST /v1/responses/compact", Turned),
    ("a slash behind it", "POST /v1/responses/", Turned),
    ("conversations", "POST /v1/conversations", Turned),
];

const CHAT: &str = r#"{"model":"MODEL","max_tokens":20,"messages":[{"role":"user","content":"hi"}]}"#;

/// Azure: what it tries, the path, the model in the body, and what must come of it.
const AZURE: &[(&str, &str, &str, Expect)] = &[
    ("a cheaper model in the body", "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21", "gpt-4.1-nano", Exact),
    ("a dearer model in the body", "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-10-21", "gpt-4", Exact),
    ("a deployment that nobody knows", "/openai/deployments/mine/chat/completions?api-version=2024-10-21", "gpt-4o-mini", Refused(403)),
    ("a deployment in capitals", "/openai/deployments/GPT-4O-MINI/chat/completions?api-version=2024-10-21", "gpt-4o-mini", Refused(403)),
    ("a deployment that is coded", "/openai/deployments/gpt-4o%2Dmini/chat/completions?api-version=2024-10-21", "gpt-4o-mini", Fair),
    ("a deployment behind another one", "/openai/deployments/gpt-4o-mini/../gpt-4/chat/completions?api-version=2024-10-21", "gpt-4o-mini", Refused(404)),
    ("data of one's own", "/openai/deployments/gpt-4o-mini/extensions/chat/completions?api-version=2024-10-21", "gpt-4o-mini", Refused(404)),
];

pub(super) fn body(input: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"gpt-4o-mini","input":{input}{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (name, members, script, expect) in FIELDS {
        attempts.push(Attempt::post(format!("responses: {name}"), PATH, body(r#""hi""#, members), *expect).told(script));
    }
    for (name, input, script, expect) in INPUTS {
        attempts.push(Attempt::post(format!("responses: {name}"), PATH, body(input, r#""max_output_tokens":20"#), *expect).told(script));
    }
    let long = "word ".repeat(400);
    for (name, members) in [
        ("long instructions", format!(r#""max_output_tokens":20,"instructions":"{long}""#)),
        ("a long tool", format!(r#""max_output_tokens":20,"tools":[{{"type":"function","name":"f","description":"{long}","parameters":{{}}}}]"#)),
        ("a long schema", format!(r#""max_output_tokens":20,"text":{{"format":{{"type":"json_schema","name":"s","schema":{{"description":"{long}"}}}}}}"#)),
    ] {
        attempts.push(Attempt::post(format!("responses: {name}"), PATH, body(r#""hi""#, &members), Exact));
    }
    for (name, line, expect) in LINES {
        attempts.push(Attempt::lined(format!("responses: {name}"), line, BODY, *expect));
    }
    for (name, path, model, expect) in AZURE {
        attempts.push(Attempt::post(format!("azure: {name}"), path, CHAT.replace("MODEL", model), *expect));
    }
    attempts
}
