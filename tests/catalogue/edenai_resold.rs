//! Fields and paths of what Eden AI serves in OpenAI's shapes: responses, images, speech, recordings. What is tried at OpenAI's own Responses API is tried
//! here, too: the same request reaches the same models, at the cost that the answer tells.

use super::attempt::Attempt;
use super::attempt::Expect::{AtLeast, Exact, Refused, Unbilled};
use super::{media, responses};

const RESPONSES: &str = "/v3/responses";
const IMAGES: &str = "/v3/images/generations";
const SPEECH: &str = "/v3/audio/speech";
const RECORDINGS: &str = "/v3/audio/transcriptions";
const MODEL: &str = "openai/gpt-4o-mini";
const CLAUDE: &str = "anthropic/claude-haiku-4-5";

fn response(model: &str, members: &str) -> String {
    format!(r#"{{"model":"{model}","input":"hi","max_output_tokens":20{members}}}"#)
}

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (name, members, script, expect) in responses::FIELDS {
        let body = responses::body(r#""hi""#, members).replace("\"gpt-4o-mini\"", &format!("\"{MODEL}\""));
        attempts.push(Attempt::post(format!("edenai response: {name}"), RESPONSES, body, *expect).told(script));
    }
    for (name, members, script, expect) in [
        ("a stream", r#","stream":true"#, "", Exact),
        ("dearer than the book", "", "cost=0.9", Exact),
        ("dearer than the book, on a stream", r#","stream":true"#, "cost=0.9", Exact),
        ("of nothing", "", "cost=0", Unbilled),
        ("not told", "", "no-cost", Exact),
        ("not told on a stream that is cut", r#","stream":true"#, "no-cost cut=9", AtLeast),
        ("another model where the first fails", r#","fallbacks":["openai/gpt-4o"]"#, "", Refused(400)),
        ("another model where the first fails, in capitals", r#","Fallbacks":["openai/gpt-4o"]"#, "", Refused(400)),
        ("models to choose from", r#","router_candidates":["openai/gpt-4o"]"#, "", Refused(400)),
        ("another body inside", r#","extra_body":{"n":8}"#, "", Refused(400)),
        ("what decides who serves", r#","routing":{"sort":"cost"},"session_id":"x","tags":{"a":"b"}"#, "", Exact),
        ("the routing twice", r#","routing":{},"routing":{"sort":"cost"}"#, "", Refused(400)),
    ] {
        attempts.push(Attempt::post(format!("edenai response: a cost or a field: {name}"), RESPONSES, response(MODEL, members), expect).told(script).once());
    }
    for (name, model, members, expect) in [
        ("without a seller", "gpt-4o-mini", "", Refused(403)),
        ("of the router", "@edenai", "", Refused(403)),
        ("in a region", "openai/gpt-4o-mini@eu", "", Refused(403)),
        ("that nobody knows", "openai/gpt-404", "", Refused(403)),
        ("of another seller, searching", CLAUDE, r#","tools":[{"type":"web_search"}]"#, Refused(400)),
        ("of another seller, thinking of what another kept", CLAUDE, r#","previous_response_id":"resp_1""#, Refused(400)),
        ("of another seller", CLAUDE, r#","tools":[{"type":"function","name":"f"}]"#, Exact),
    ] {
        attempts.push(Attempt::post(format!("edenai response: a model {name}"), RESPONSES, response(model, members), expect));
    }
    for (name, path, expect) in [
        ("the older path", "/v3/llm/responses", Exact),
        ("the older path twice", "/v3/llm/llm/responses", Refused(404)),
        ("tokens counted instead", "/v3/responses/input_tokens", Refused(404)),
        ("a summary", "/v3/responses/compact", Refused(404)),
        ("the end of somebody's", "/v3/responses/resp_1/cancel", Refused(404)),
        ("capitals", "/v3/Responses", Refused(404)),
    ] {
        attempts.push(Attempt::post(format!("edenai response path: {name}"), path, response(MODEL, ""), expect));
    }
    for (name, line) in [
        ("an answer that another got", "GET /v3/responses/resp_stand_in"),
        ("an answer that another got, at the older path", "GET /v3/llm/responses/resp_stand_in"),
        ("an answer with a seal of nobody's", "GET /v3/llm/responses/resp_stand_in_sg00112233445566778899aabbccddeeff"),
        ("the deletion of another's", "DELETE /v3/llm/responses/resp_stand_in"),
        ("what another said", "GET /v3/responses/resp_stand_in/input_items"),
    ] {
        attempts.push(Attempt::lined(format!("edenai response: {name}"), line, "", Refused(404)));
    }
    attempts.extend(pictures());
    attempts.extend(sound());
    attempts
}

fn pictures() -> Vec<Attempt> {
    let rows = [
        ("one", "openai/gpt-image-1", "", "tokens=6240 prompt=20", Exact),
        ("ten", "openai/gpt-image-1", r#","n":10"#, "tokens=6240 prompt=20", Exact),
        ("two numbers of them", "openai/gpt-image-1", r#","n":1,"n":10"#, "", Refused(400)),
        ("one whose cost is not told", "openai/gpt-image-1", "", "tokens=6240 prompt=20 no-cost", Exact),
        ("one without cost and usage", "openai/gpt-image-1", "", "tokens=6240 prompt=20 no-cost usage=none", AtLeast),
        ("by the piece", "openai/dall-e-3", r#","size":"1024x1024""#, "", Exact),
        ("by the piece, in a dearer quality", "openai/dall-e-3", r#","size":"1024x1024","quality":"hd""#, "", Exact),
        ("another model where the first fails", "openai/gpt-image-1", r#","fallbacks":["openai/dall-e-3"]"#, "", Refused(400)),
        ("a field that nobody knows", "openai/gpt-image-1", r#","turbo":true"#, "", Refused(400)),
        ("tags", "openai/gpt-image-1", r#","tags":{"a":"b"}"#, "tokens=272 prompt=20", Exact),
        ("of no seller", "gpt-image-1", "", "", Refused(403)),
        ("of a region", "openai/gpt-image-1@eu", "", "", Refused(403)),
    ];
    rows.into_iter()
        .map(|(name, model, members, script, expect)| {
            let body = format!(r#"{{"model":"{model}","prompt":"a cat"{members}}}"#);
            Attempt::post(format!("edenai images: {name}"), IMAGES, body, expect).told(script)
        })
        .collect()
}

fn sound() -> Vec<Attempt> {
    let spoken = [
        ("by the character", "openai/tts-1", "", "", Exact),
        ("by the character, whose cost is not told", "openai/tts-1", "", "no-cost", Exact),
        ("by the token", "openai/gpt-4o-mini-tts", "", "tokens=40 prompt=6", Exact),
        ("by the token, whose cost is not told", "openai/gpt-4o-mini-tts", "", "tokens=40 prompt=6 no-cost", AtLeast),
        ("by the token, cut", "openai/gpt-4o-mini-tts", "", "tokens=40 prompt=6 cut=2", Exact),
        ("another model where the first fails", "openai/tts-1", r#","fallbacks":["openai/tts-1-hd"]"#, "", Refused(400)),
        ("the text twice", "openai/tts-1", r#","input":"a much longer one""#, "", Refused(400)),
        ("of no seller", "tts-1", "", "", Refused(403)),
    ];
    let spoken = spoken.into_iter().map(|(name, model, members, script, expect)| {
        let body = format!(r#"{{"model":"{model}","voice":"alloy","response_format":"pcm","input":"a text"{members}}}"#);
        Attempt::post(format!("edenai speech: {name}"), SPEECH, body, expect).told(script)
    });
    let (short, long) = (|| media::file("a.wav", &media::wav(3, None)), || media::file("b.wav", &media::wav(60, None)));
    let model = || media::field("model", "openai/whisper-1");
    let heard = [
        ("as it is", vec![short(), model()], "", Exact),
        ("whose cost is not told", vec![short(), model()], "no-cost", Exact),
        ("as text, which tells nothing", vec![short(), model(), media::field("response_format", "text")], "", AtLeast),
        ("longer than its head says", vec![media::file("a.wav", &media::wav(60, Some(32))), model()], "no-cost", Exact),
        ("by the token", vec![short(), media::field("model", "openai/gpt-4o-transcribe")], "tokens=500", Exact),
        ("two files", vec![short(), long(), model()], "", Refused(400)),
        ("two models", vec![short(), model(), media::field("model", "openai/gpt-4o-transcribe")], "", Refused(400)),
        ("at an address", vec![media::field("file_url", "https://127.0.0.1:9/long.wav"), model()], "", Refused(400)),
        ("by the id of a file that all share", vec![media::field("file_id", "file-1"), model()], "", Refused(400)),
        ("other models where the first fails", vec![short(), model(), media::field("fallbacks", "[]")], "", Refused(400)),
        ("a routing that is a file", vec![short(), model(), media::named_file("routing", "b.wav", &media::wav(60, None))], "", Refused(400)),
        ("of no seller", vec![short(), media::field("model", "whisper-1")], "", Refused(403)),
    ];
    let kind = "multipart/form-data; boundary=x";
    let heard =
        heard.into_iter().map(|(name, parts, script, expect)| media::form(&format!("edenai recording: {name}"), RECORDINGS, kind, &parts, expect).told(script));
    let address = r#"{"model":"openai/whisper-1","file_url":"https://127.0.0.1:9/long.wav"}"#;
    let address = Attempt::post("edenai recording: at an address, as JSON", RECORDINGS, address, Refused(400));
    let judged = Attempt::post("edenai: what is judged", "/v3/moderations", r#"{"model":"openai/omni-moderation-latest","input":"hi"}"#, Unbilled);
    spoken.chain(heard).chain([address, judged]).collect()
}
