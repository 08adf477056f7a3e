//! Fields of OpenAI's chats that cost money, or that could hide what costs money.

use super::attempt::Expect::{Exact, Fair, Refused};
use super::attempt::{Attempt, Expect};
use crate::support::asks::CHAT;

/// What it tries, the members beside `model` and `messages`, and what must come of it.
type Row = (&'static str, &'static str, Expect);

const ANSWERS: &[Row] = &[
    ("fifty answers at once", r#""n":50,"max_tokens":20"#, Exact),
    ("eight answers, streamed", r#""n":8,"max_tokens":20,"stream":true"#, Exact),
    ("a hundred thousand answers", r#""n":100000,"max_tokens":20"#, Refused(400)),
    ("no answers", r#""n":0,"max_tokens":20"#, Refused(400)),
    ("a negative number of answers", r#""n":-1,"max_tokens":20"#, Refused(400)),
    ("one answer and a half", r#""n":1.5,"max_tokens":20"#, Refused(400)),
    ("a number of answers as text", r#""n":"9","max_tokens":20"#, Refused(400)),
    ("a number of answers with an exponent", r#""n":1e2,"max_tokens":20"#, Refused(400)),
    ("a number of answers in a list", r#""n":[9],"max_tokens":20"#, Refused(400)),
    ("answers of null", r#""n":null,"max_tokens":20"#, Exact),
    ("the best of twenty", r#""best_of":20,"max_tokens":20"#, Exact),
    ("two of the best nine", r#""n":2,"best_of":9,"max_tokens":20"#, Exact),
];

const LIMITS: &[Row] = &[
    ("no limit of the output", "", Exact),
    ("a limit of null", r#""max_tokens":null"#, Exact),
    ("a limit of nothing", r#""max_tokens":0"#, Exact),
    ("a negative limit", r#""max_tokens":-1"#, Refused(400)),
    ("a negative zero as limit", r#""max_tokens":-0"#, Refused(400)),
    ("a fraction as limit", r#""max_tokens":10.5"#, Refused(400)),
    ("a whole number with a point as limit", r#""max_tokens":10.0"#, Refused(400)),
    ("a limit as text", r#""max_tokens":"10""#, Refused(400)),
    ("a limit with an exponent", r#""max_tokens":1e1"#, Refused(400)),
    ("a limit of true", r#""max_tokens":true"#, Refused(400)),
    ("a limit in a list", r#""max_tokens":[10]"#, Refused(400)),
    ("a limit beyond 64 bits", r#""max_tokens":18446744073709551626"#, Refused(400)),
    ("a limit beyond 32 bits", r#""max_tokens":4294967306"#, Refused(400)),
    ("the largest limit", r#""max_tokens":2147483647"#, Exact),
    ("a small limit in the old name, a large one in the new", r#""max_tokens":10,"max_completion_tokens":5000"#, Exact),
    ("a large limit in the old name, a small one in the new", r#""max_tokens":5000,"max_completion_tokens":10"#, Exact),
    ("a limit of null in the new name", r#""max_tokens":10,"max_completion_tokens":null"#, Exact),
    ("a negative limit in the new name", r#""max_completion_tokens":-5,"max_tokens":10"#, Refused(400)),
    ("a limit under another API's name", r#""max_output_tokens":10"#, Refused(400)),
    ("a limit in another spelling", r#""maxTokens":10"#, Refused(400)),
    ("a limit with a blank in its name", r#""max_tokens ":10"#, Refused(400)),
    ("a limit whose name is escaped", r#""max\u005ftokens":10"#, Exact),
    ("a least that is above the limit", r#""max_tokens":10,"min_tokens":5000,"ignore_eos":true"#, Exact),
];

const STREAMS: &[Row] = &[
    ("a stream as text", r#""max_tokens":20,"stream":"true""#, Refused(400)),
    ("a stream as number", r#""max_tokens":20,"stream":1"#, Refused(400)),
    ("a stream of null", r#""max_tokens":20,"stream":null"#, Exact),
    ("a stream without usage", r#""max_tokens":20,"stream":true"#, Exact),
    ("a stream that declines its usage", r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":false}"#, Exact),
    ("a stream whose usage is null", r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":null}"#, Exact),
    ("a stream with no options", r#""max_tokens":20,"stream":true,"stream_options":{}"#, Exact),
    ("a stream with options of null", r#""max_tokens":20,"stream":true,"stream_options":null"#, Exact),
    ("a stream with a list of options", r#""max_tokens":20,"stream":true,"stream_options":[]"#, Refused(400)),
    ("a stream whose usage is text", r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":"no"}"#, Refused(400)),
    (
        "a stream that asks for its usage and declines it",
        r#""max_tokens":20,"stream":true,"stream_options":{"include_usage":true,"include_usage":false}"#,
        Refused(400),
    ),
    ("a stream that declines its usage under an escaped name", r#""max_tokens":20,"stream":true,"stream_options":{"include\u005fusage":false}"#, Exact),
    ("options of a stream without a stream", r#""max_tokens":20,"stream_options":{"include_usage":false}"#, Exact),
];

const TIERS: &[Row] = &[
    ("a dearer service tier", r#""max_tokens":20,"service_tier":"priority""#, Exact),
    ("a dearer service tier, streamed", r#""max_tokens":20,"service_tier":"priority","stream":true"#, Exact),
    ("a cheap service tier that the model does not have", r#""max_tokens":20,"service_tier":"flex""#, Refused(403)),
    ("a service tier in capitals", r#""max_tokens":20,"service_tier":"Flex""#, Refused(400)),
    ("a service tier that nobody knows", r#""max_tokens":20,"service_tier":"gratis""#, Refused(400)),
    ("the price of a batch", r#""max_tokens":20,"service_tier":"batch""#, Refused(400)),
    ("a list of service tiers", r#""max_tokens":20,"service_tier":["flex"]"#, Refused(400)),
    ("a service tier of null", r#""max_tokens":20,"service_tier":null"#, Exact),
];

const TOOLS: &[Row] = &[
    ("a web search", r#""max_tokens":20,"tools":[{"type":"web_search"}]"#, Refused(400)),
    ("a web search beside a function", r#""max_tokens":20,"tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search_preview"}]"#, Refused(400)),
    ("a code interpreter", r#""max_tokens":20,"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]"#, Refused(400)),
    ("a search in files", r#""max_tokens":20,"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]"#, Refused(400)),
    ("the tools of a server elsewhere", r#""max_tokens":20,"tools":[{"type":"mcp","server_url":"http://127.0.0.1:9"}]"#, Refused(400)),
    ("a tool that paints", r#""max_tokens":20,"tools":[{"type":"image_generation"}]"#, Refused(400)),
    ("a computer", r#""max_tokens":20,"tools":[{"type":"computer_use_preview"}]"#, Refused(400)),
    ("a tool without a type", r#""max_tokens":20,"tools":[{"function":{"name":"f"}}]"#, Refused(400)),
    ("a tool whose type is in capitals", r#""max_tokens":20,"tools":[{"type":"Web_Search"}]"#, Refused(400)),
    ("a tool whose type is escaped", r#""max_tokens":20,"tools":[{"type":"web\u005fsearch"}]"#, Refused(400)),
    ("tools that are no list", r#""max_tokens":20,"tools":{"type":"web_search"}"#, Refused(400)),
    ("options of a web search", r#""max_tokens":20,"web_search_options":{}"#, Refused(400)),
    ("a plugin of a router", r#""max_tokens":20,"plugins":[{"id":"web"}]"#, Refused(400)),
];

const FIELDS: &[Row] = &[
    ("an answer in the background", r#""max_tokens":20,"background":true"#, Refused(400)),
    ("what an earlier answer holds", r#""max_tokens":20,"previous_response_id":"resp_1""#, Refused(400)),
    ("what a conversation holds", r#""max_tokens":20,"conversation":"conv_1""#, Refused(400)),
    ("a stored prompt", r#""max_tokens":20,"prompt":{"id":"pmpt_1"}"#, Refused(400)),
    ("an answer that is kept", r#""max_tokens":20,"store":true,"metadata":{"a":"b"}"#, Exact),
    ("likelihoods of twenty tokens each", r#""max_tokens":20,"logprobs":true,"top_logprobs":20"#, Exact),
    ("a bias of tokens", r#""max_tokens":20,"logit_bias":{"50256":-100}"#, Exact),
    ("the most effort", r#""max_tokens":20,"reasoning_effort":"max""#, Exact),
    ("an answer that speaks", r#""max_tokens":20,"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}"#, Refused(400)),
    ("a voice alone", r#""max_tokens":20,"audio":{"voice":"alloy","format":"wav"}"#, Refused(400)),
    ("speech whose name is escaped", r#""max_tokens":20,"modalities":["te\u0078t","\u0061udio"]"#, Refused(400)),
    ("a chat template", r#""max_tokens":20,"chat_template":"{% for i in range(9) %}{{ messages }}{% endfor %}""#, Refused(400)),
    ("a field that nobody knows", r#""max_tokens":20,"turbo":true"#, Refused(400)),
    ("a field of an SDK that has leaked", r#""max_tokens":20,"extra_body":{"n":50}"#, Refused(400)),
    ("other models to fall back to", r#""max_tokens":20,"models":["gpt-4o","gpt-4"]"#, Refused(400)),
    ("a fallback", r#""max_tokens":20,"fallbacks":["gpt-4"],"num_retries":9"#, Refused(400)),
    ("a provider of one's choice", r#""max_tokens":20,"provider":{"order":["dear"]}"#, Refused(400)),
    ("an upstream of one's choice", r#""max_tokens":20,"api_base":"http://127.0.0.1:9""#, Refused(400)),
    ("another base address", r#""max_tokens":20,"base_url":"http://127.0.0.1:9""#, Refused(400)),
    ("a key of one's own", r#""max_tokens":20,"api_key":"sk-other""#, Refused(400)),
    ("an answer for nothing", r#""max_tokens":20,"mock_response":"free""#, Refused(400)),
    ("a price of one's choice", r#""max_tokens":20,"input_cost_per_token":0,"output_cost_per_token":0"#, Refused(400)),
    ("usage of one's own", r#""max_tokens":20,"usage":{"prompt_tokens":0,"completion_tokens":0}"#, Fair),
];

/// The message's `content`, the provider's script, and what must come of it.
const CONTENTS: &[(&str, &str, &str, Expect)] = &[
    ("a file by its id", r#"[{"type":"file","file":{"file_id":"file-1"}}]"#, "", Refused(400)),
    ("a file in the body", r#"[{"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0="}}]"#, "", Refused(400)),
    ("a recording", r#"[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]"#, "", Refused(400)),
    ("a film", r#"[{"type":"video_url","video_url":{"url":"http://127.0.0.1:9/film.mp4"}}]"#, "", Refused(400)),
    ("an image at an address", r#"[{"type":"image_url","image_url":{"url":"https://127.0.0.1:9/large.png","detail":"high"}}]"#, "prompt=48250", Exact),
    ("an image at an address of bare text", r#"[{"type":"image_url","image_url":"https://127.0.0.1:9/large.png"}]"#, "prompt=48250", Exact),
    ("an image of a few bytes that is large", r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]"#, "prompt=48250", Exact),
    ("a coarse image", r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"low"}}]"#, "prompt=2900", Exact),
    (
        "an image that only looks coarse",
        r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo=","detail":"LOW"}}]"#,
        "prompt=48250",
        Exact,
    ),
    ("an image that is coarse and fine", r#"[{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low","detail":"high"}}]"#, "", Refused(400)),
    ("an image of the provider's disk", r#"[{"type":"image_url","image_url":{"url":"file:///etc/passwd"}}]"#, "", Refused(400)),
    ("an image by its id", r#"[{"type":"image_url","image_url":{"file_id":"file-1"}}]"#, "", Refused(400)),
    ("an image in a part of text", r#"[{"type":"text","text":"hi","image_url":{"url":"https://x/y.png"}}]"#, "", Refused(400)),
    ("a part without a type", r#"[{"text":"hi"}]"#, "", Refused(400)),
    ("a part of a type that nobody knows", r#"[{"type":"hologram","text":"hi"}]"#, "", Refused(400)),
    ("a number as content", "7", "", Refused(400)),
    ("an object as content", r#"{"type":"text","text":"hi"}"#, "", Refused(400)),
    ("content of null", "null", "", Exact),
];

/// Members of a message beside its role and content.
const IN_MESSAGES: &[(&str, &str, Expect)] = &[
    ("a long name", r#""name":"#, Exact),
    ("long arguments of a tool", r#""tool_calls":"#, Exact),
    ("speech of an earlier answer", r#""audio":{"id":"audio_1"},"name":"#, Refused(400)),
    ("attachments", r#""attachments":[{"file_id":"file-1"}],"name":"#, Refused(400)),
    ("a message's field that nobody knows", r#""files":"#, Refused(400)),
];

fn body(content: &str, members: &str) -> String {
    let members = if members.is_empty() { String::new() } else { format!(",{members}") };
    format!(r#"{{"model":"gpt-4o-mini","messages":[{{"role":"user","content":{content}}}]{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (name, members, expect) in [ANSWERS, LIMITS, STREAMS, TIERS, TOOLS, FIELDS].concat() {
        attempts.push(Attempt::post(format!("chat: {name}"), CHAT, body(r#""hi""#, members), expect));
    }
    for (name, content, script, expect) in CONTENTS {
        attempts.push(Attempt::post(format!("chat: {name}"), CHAT, body(content, r#""max_tokens":20"#), *expect).told(script));
    }
    let long = format!("\"{}\"", "long ".repeat(400));
    for (name, member, expect) in IN_MESSAGES {
        let body = format!(r#"{{"model":"gpt-4o-mini","max_tokens":20,"messages":[{{"role":"assistant","content":"hi",{member}{long}}}]}}"#);
        attempts.push(Attempt::post(format!("chat: {name}"), CHAT, body, *expect));
    }
    for (name, members) in [
        ("a long definition of a tool", format!(r#""tools":[{{"type":"function","function":{{"name":"f","description":{long}}}}}]"#)),
        ("a long definition of an old function", format!(r#""functions":[{{"name":"f","description":{long}}}]"#)),
        ("a long schema", format!(r#""response_format":{{"type":"json_schema","json_schema":{{"name":"s","schema":{{"description":{long}}}}}}}"#)),
        ("a prediction that is wrong", format!(r#""prediction":{{"type":"content","content":{long}}}"#)),
        ("a prediction that is wrong in five answers", format!(r#""n":5,"prediction":{{"type":"content","content":{long}}}"#)),
        ("a prediction in parts", format!(r#""prediction":{{"type":"content","content":[{{"type":"text","text":{long}}}]}}"#)),
    ] {
        attempts.push(Attempt::post(format!("chat: {name}"), CHAT, body(r#""hi""#, &format!(r#""max_tokens":20,{members}"#)), Exact));
    }
    let image = r#"{"type":"image_url","image_url":{"url":"https://127.0.0.1:9/large.png"}}"#;
    attempts.push(Attempt::post("chat: two images", CHAT, body(&format!("[{image},{image}]"), r#""max_tokens":20"#), Exact).told("prompt=96450"));
    let tiered = |name: &str, tier: &str, served: &str| {
        let body = format!(r#"{{"model":"gpt-5-mini","max_completion_tokens":50,"service_tier":"{tier}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        Attempt::post(format!("chat: {name}"), CHAT, body, Exact).told(&format!("tier={served}"))
    };
    attempts.push(tiered("a cheap tier that is served at the usual one", "flex", "default"));
    attempts.push(tiered("a cheap tier", "flex", "flex"));
    attempts.push(tiered("a dear tier that is served at the usual one", "priority", "default"));
    attempts.push(tiered("whatever tier there is", "auto", "default"));
    // What the operator has chosen in the provider's settings, no client can: it is charged, and the hold was made for the usual tier.
    attempts.push(tiered("whatever tier there is, and the operator's project has a dear one", "auto", "priority").once());
    attempts
}
