use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;

fn read(shape: Shape, body: &[u8]) -> Result<Ask, AskError> {
    super::read(shape, body, None)
}

fn chat(body: &str) -> Result<Ask, AskError> {
    read(Shape::Chat, body.as_bytes())
}

fn chat_with(members: &str) -> Result<Ask, AskError> {
    chat(&format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":"hi"}}],{members}}}"#))
}

fn completion(members: &str) -> Result<Ask, AskError> {
    read(Shape::Completion, format!(r#"{{"model":"gpt-3.5-turbo-instruct",{members}}}"#).as_bytes())
}

fn embedding(input: &str) -> Result<Ask, AskError> {
    read(Shape::Embedding, format!(r#"{{"model":"text-embedding-3-small","input":{input}}}"#).as_bytes())
}

fn input(ask: &Ask) -> u64 {
    ask.bound.input.get(Unit::Input)
}

fn upstream(body: &str, limit: Option<u64>) -> String {
    let ask = chat(body).unwrap();
    String::from_utf8(ask.upstream_body(&Bytes::copy_from_slice(body.as_bytes()), limit).to_vec()).unwrap()
}

#[test]
fn refuses_hostile_bodies() {
    let ok = r#""model":"gpt-4o","messages":[]"#;
    let deep = format!(r#"{{{ok},"metadata":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    let bodies = [
        "",
        "[]",
        "null",
        "not json",
        &format!("\u{feff}{{{ok}}}"),
        &format!("{{{ok}}} x"),
        &format!("{{{ok}}}{{}}"),
        &format!("{{{ok},\"temperature\":NaN}}"),
        &format!("{{{ok},\"temperature\":Infinity}}"),
        &format!("{{{ok},}}"),
        &format!("{{{ok},\"model\":\"gpt-4o-mini\"}}"),
        &format!("{{{ok},\"mod\\u0065l\":\"gpt-4o-mini\"}}"),
        &format!("{{{ok},\"max_tokens\":1,\"max_tokens\":2}}"),
        &format!("{{{ok},\"max_tokens\":1,\"max\\u005ftokens\":2}}"),
        &format!("{{{ok},\"stream_options\":{{\"include_usage\":true,\"include_usage\":false}}}}"),
        &format!("{{{ok},\"metadata\":{{\"a\":1,\"a\":1}}}}"),
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":"a","content":"b"}]}"#,
        &deep,
        "{\"model\":\"gpt-4o\"}",
        "{\"messages\":[]}",
        r#"{"model":1,"messages":[]}"#,
        r#"{"model":"","messages":[]}"#,
        r#"{"model":null,"messages":[]}"#,
        r#"{"model":"a\nb","messages":[]}"#,
        r#"{"model":"\ud800","messages":[]}"#,
        r#"{"model":"gpt-4o","messages":{}}"#,
        r#"{"model":"gpt-4o","messages":["x"]}"#,
        r#"{"model":"gpt-4o","messages":null}"#,
        r#"{"model":"gpt-4o","messages":[{"role":"user","content":7}]}"#,
    ];
    for body in bodies {
        let error = chat(body).expect_err(body);
        assert_eq!(error.kind, AskErrorKind::Invalid, "{body}: {error}");
    }
    assert!(read(Shape::Chat, b"{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}").is_err());
    let long = format!(r#"{{"model":"{}","messages":[]}}"#, "m".repeat(257));
    assert!(chat(&long).is_err());
}

#[test]
fn refuses_bad_limits() {
    for name in ["max_tokens", "max_completion_tokens", "n", "best_of"] {
        for value in ["-1", "1.5", "1.0", "1e3", "\"16\"", "true", "[]", "{}", "99999999999999999999", "2147483648", "-0", "0x10"] {
            let error = chat_with(&format!("\"{name}\":{value}")).expect_err(value);
            assert!(error.kind == AskErrorKind::Invalid && (error.param.as_deref() == Some(name) || value == "0x10"), "{name} {value}");
        }
    }
    assert!(chat_with(r#""n":0"#).is_err());
    assert!(chat_with(r#""n":1025"#).is_err());
    for member in [
        r#""stream":1"#,
        r#""stream":"true""#,
        r#""stream_options":true"#,
        r#""stream":true,"stream_options":{"include_usage":1}"#,
        r#""service_tier":"batch""#,
        r#""service_tier":3"#,
    ] {
        assert!(chat_with(member).is_err(), "{member}");
    }
}

#[test]
fn refuses_case_variants_and_unknown_members_by_name() {
    for (variant, right) in [("Max_tokens", "max_tokens"), ("N", "n"), ("MODEL", "model"), ("Stream", "stream"), ("Service_Tier", "service_tier")] {
        for value in ["1", "null"] {
            let error = chat_with(&format!("\"{variant}\":{value}")).unwrap_err();
            assert_eq!(error.param.as_deref(), Some(variant));
            assert!(error.message.contains(&format!("'{right}'")), "{error}");
        }
    }
    for member in [
        "plugins",
        "models",
        "search_parameters",
        "background",
        "previous_response_id",
        "extra_body",
        "audio",
        "chat_template",
        "provider",
        "max_output_tokens",
    ] {
        let error = chat_with(&format!("\"{member}\":{{}}")).unwrap_err();
        assert_eq!((error.kind, error.param.as_deref()), (AskErrorKind::Unsupported, Some(member)));
    }
    assert!(chat_with(r#""whatever":null,"audio":null,"modalities":null,"n":null,"stream":null"#).is_ok());
}

#[test]
fn takes_what_sdks_send() {
    let body = r#"{"messages":[{"role":"system","content":"s"},{"role":"user","name":"u","content":[{"type":"text","text":"t"}]},
        {"role":"assistant","content":null,"refusal":null,"annotations":[],"audio":null,"function_call":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"1","content":"42"}],"model":"gpt-5-mini","temperature":0.2,"top_p":1,"stop":["a"],"seed":1,"logit_bias":{"1":-100},"logprobs":true,"top_logprobs":2,"user":"u",
        "metadata":{"a":"b"},"store":true,"parallel_tool_calls":false,"presence_penalty":0,"frequency_penalty":0,"reasoning_effort":"low","verbosity":"low","prompt_cache_key":"k","safety_identifier":"s",
        "prompt_cache_retention":"24h","prompt_cache_options":{"mode":"auto"},"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"tool_choice":"auto",
        "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}},"n":2,"service_tier":"flex","modalities":["text"],"stream":false,"max_completion_tokens":100}"#;
    let ask = chat(body).unwrap();
    assert_eq!(ask.model, "gpt-5-mini");
    assert_eq!((ask.bound.output_tokens, ask.bound.choices, ask.bound.has_output), (Some(100), 2, true));
    assert_eq!(ask.service_tier.as_deref(), Some("flex"));
    let vllm = r#""top_k":5,"min_p":0.1,"repetition_penalty":1.1,"chat_template_kwargs":{"enable_thinking":false},"guided_json":{},"ignore_eos":false,"stop_token_ids":[1]"#;
    assert!(chat_with(vllm).is_ok());
}

#[test]
fn the_bound_multiplies_what_is_made() {
    let choices = |ask: Result<Ask, AskError>| ask.unwrap().bound.choices;
    assert_eq!(choices(chat_with("\"n\":3")), 3);
    assert_eq!(choices(chat_with("\"n\":2,\"best_of\":5")), 5);
    assert_eq!(choices(completion(r#""prompt":"a""#)), 1);
    assert_eq!(choices(completion(r#""prompt":["a","b","c"],"n":2,"best_of":4"#)), 12);
    assert_eq!(choices(completion(r#""prompt":[1,2,3]"#)), 1);
    assert_eq!(choices(completion(r#""prompt":[[1,2],[3]]"#)), 2);
    assert_eq!(choices(completion(r#""prompt":null"#)), 1);
    for prompt in ["[]", "{}", "3", "[1,\"a\"]", "[[1],2]", "[[\"a\"]]", "[1.5]", "[-1]", "[[[1]]]", "[null]"] {
        assert!(completion(&format!("\"prompt\":{prompt}")).is_err(), "{prompt}");
        assert!(embedding(prompt).is_err(), "{prompt}");
    }
    assert_eq!(input(&embedding("[1,2,3,4,5,6,7,8,9,10]").unwrap()), 10 + 4 + 4);
    assert_eq!(input(&embedding("\"0123456789\"").unwrap()), 10 + 4 + 4);
    assert!(!embedding("\"a\"").unwrap().bound.has_output && !embedding("\"a\"").unwrap().clampable());
}

#[test]
fn the_limit_for_completion_tokens_wins() {
    let limit = |members: &str| chat_with(members).unwrap().bound.output_tokens;
    assert_eq!(limit(r#""max_tokens":5"#), Some(5));
    assert_eq!(limit(r#""max_tokens":5,"max_completion_tokens":7"#), Some(7));
    assert_eq!(limit(r#""max_completion_tokens":7,"max_tokens":500"#), Some(7));
    assert_eq!(limit(r#""max_tokens":5,"max_completion_tokens":null"#), Some(5));
    assert_eq!(limit(r#""max_tokens":null"#), None);
    assert_eq!(limit(r#""max_tokens":0"#), Some(0));
}

#[test]
fn images_cost_by_their_own_rule() {
    let with_image = |model: &str, url: &str, detail: &str| {
        chat(&format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":[{{"type":"text","text":"what?"}},{{"image_url":{{"url":"{url}","detail":"{detail}"}},"type":"image_url"}}]}}]}}"#
        ))
    };
    let data = format!("data:image/png;base64,{}", "A".repeat(1_000_000));
    let ask = with_image("gpt-4o", &data, "auto").unwrap();
    assert!(input(&ask) < 400, "{}", input(&ask));
    let tokens = |model: &str, detail: &str| with_image(model, "https://x/y.png", detail).unwrap().bound.input.get(Unit::InputImage);
    assert_eq!(ask.bound.input.get(Unit::InputImage), 1_536);
    assert_eq!(tokens("gpt-4o", "low"), 256);
    assert_eq!(tokens("openai/gpt-4o-2024-08-06", "high"), 1_536);
    assert_eq!(tokens("gpt-4o-mini", "high"), 48_169);
    assert_eq!(tokens("gpt-4.1-nano", "high"), 3_779);
    assert_eq!(tokens("gpt-5.4", "original"), 24_600);
    assert_eq!(tokens("gpt-6-astra", "auto"), 73_800);
    assert_eq!(tokens("some-model", "low"), 73_800);
    for url in ["ftp://x", "data:application/pdf;base64,AAAA", "", "file-123"] {
        assert!(with_image("gpt-4o", url, "auto").is_err(), "{url}");
    }
}

#[test]
fn moderations_take_texts_and_images_and_need_no_model() {
    let moderation = |members: &str| read(Shape::Moderation, format!("{{{members}}}").as_bytes());
    let ask = moderation(r#""input":["one",{"type":"image_url","image_url":{"url":"https://x/y.png"}}]"#).unwrap();
    assert_eq!((ask.model.as_str(), ask.bound.has_output, ask.clampable()), ("omni-moderation-latest", false, false));
    assert!(input(&ask) > 3 && ask.bound.input.get(Unit::InputImage) > 0);
    assert_eq!(moderation(r#""model":"text-moderation-stable","input":"x""#).unwrap().model, "text-moderation-stable");
    for members in ["", r#""input":7"#, r#""input":"x","max_tokens":5"#, r#""input":[{"type":"file"}]"#] {
        assert!(moderation(members).is_err(), "{members}");
    }
}

#[test]
fn refuses_content_that_cannot_be_bounded() {
    let part = |part: &str| chat(&format!(r#"{{"model":"gpt-4o","messages":[{{"role":"user","content":[{part}]}}]}}"#));
    for bad in [
        r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#,
        r#"{"type":"file","file":{"file_id":"f"}}"#,
        r#"{"type":"video_url","video_url":{"url":"https://x"}}"#,
        r#"{"text":"no type"}"#,
        r#"{"type":"text","text":"x","image_url":{"url":"https://x"}}"#,
        r#"{"type":"text","text":"x","video":"https://x"}"#,
        r#"{"type":"image_url"}"#,
        r#"{"type":"image_url","image_url":{"file_id":"f"}}"#,
        r#"{"image":"AAAA"}"#,
        "3",
    ] {
        assert!(part(bad).is_err(), "{bad}");
    }
    let message = |members: &str| chat(&format!(r#"{{"model":"gpt-4o","messages":[{{"role":"assistant","content":"x",{members}}}]}}"#));
    assert!(message(r#""audio":{"id":"a"}"#).is_err());
    assert!(message(r#""images":["https://x"]"#).is_err());
    assert!(message(r#""reasoning_content":"hm","unheard_of":null"#).is_ok());
    assert!(part(r#""just text",{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}"#).is_ok());
}

#[test]
fn refuses_tools_that_the_provider_runs() {
    for bad in [r#"[{"type":"web_search"}]"#, r#"[{"google_search":{}}]"#, r#"[{"type":"code_interpreter","container":{}}]"#, "{}", "[3]"] {
        assert!(chat_with(&format!("\"tools\":{bad}")).is_err(), "{bad}");
    }
    assert!(chat_with(r#""web_search_options":{}"#).is_err());
    let search = chat(r#"{"model":"gpt-4o-search-preview","messages":[],"web_search_options":{}}"#).unwrap();
    assert_eq!(search.bound.max_searches, 1);
    assert!(chat_with(r#""modalities":["text","audio"]"#).is_err());
    assert_eq!(chat_with(r#""n":2,"prediction":{"type":"content","content":"0123456789"}"#).unwrap().bound.input.get(Unit::Output), 82);
}

#[test]
fn nothing_to_change_is_no_copy() {
    let body = Bytes::from_static(br#"{"model":"gpt-4o","messages":[],"max_tokens":5,"stream":true,"stream_options":{"include_usage":true}}"#);
    let ask = read(Shape::Chat, &body).unwrap();
    for limit in [None, Some(5)] {
        assert_eq!(ask.upstream_body(&body, limit).as_ptr(), body.as_ptr());
    }
    assert_eq!(ask.upstream_body(&body, Some(4)), body.as_ref().to_vec().iter().map(|&byte| if byte == b'5' { b'4' } else { byte }).collect::<Vec<_>>());
}

#[test]
fn splices_the_limit() {
    assert_eq!(upstream(r#" { "model":"gpt-4o","messages":[]}"#, Some(9)), r#" {"max_completion_tokens":9, "model":"gpt-4o","messages":[]}"#);
    assert_eq!(upstream(r#"{"model":"deepseek-chat","messages":[]}"#, Some(9)), r#"{"max_tokens":9,"model":"deepseek-chat","messages":[]}"#);
    assert_eq!(upstream(r#"{"model":"o3","messages":[],"max_tokens": 70 }"#, Some(9)), r#"{"model":"o3","messages":[],"max_tokens": 9 }"#);
    assert_eq!(
        upstream(r#"{"max_tokens":70,"model":"o3","messages":[],"max_completion_tokens":8}"#, Some(6)),
        r#"{"max_tokens":6,"model":"o3","messages":[],"max_completion_tokens":6}"#
    );
    // Two limits that disagree: the one that is priced is the one that goes upstream.
    assert_eq!(
        upstream(r#"{"max_tokens":70,"model":"o3","messages":[],"max_completion_tokens":8}"#, None),
        r#"{"max_tokens":8,"model":"o3","messages":[],"max_completion_tokens":8}"#
    );
    assert_eq!(
        upstream(r#"{"model":"gpt-4o","messages":[],"max_completion_tokens":null}"#, Some(6)),
        r#"{"model":"gpt-4o","messages":[],"max_completion_tokens":6}"#
    );
    assert_eq!(
        upstream(r#"{"model":"gpt-4o","messages":[],"max_tokens":null}"#, Some(6)),
        r#"{"max_completion_tokens":6,"model":"gpt-4o","messages":[],"max_tokens":null}"#
    );
    assert_eq!(upstream(r#"{"model":"gpt-4o","messages":[],"prediction":{}}"#, Some(6)), r#"{"max_tokens":6,"model":"gpt-4o","messages":[],"prediction":{}}"#);
}

#[test]
fn splices_the_usage() {
    let base = r#""model":"m","messages":[],"stream":true"#;
    assert_eq!(upstream(&format!("{{{base}}}"), None), format!(r#"{{"stream_options":{{"include_usage":true}},{base}}}"#));
    for (options, asked) in [
        ("null", r#"{"include_usage":true}"#),
        ("{}", r#"{"include_usage":true}"#),
        ("{ }", r#"{"include_usage":true }"#),
        (r#"{"include_usage":false}"#, r#"{"include_usage":true}"#),
        (r#"{"include_usage": null }"#, r#"{"include_usage": true }"#),
        (r#"{"include_obfuscation":false}"#, r#"{"include_usage":true,"include_obfuscation":false}"#),
        (r#"{"include_usage":true}"#, r#"{"include_usage":true}"#),
    ] {
        assert_eq!(upstream(&format!(r#"{{{base},"stream_options":{options}}}"#), None), format!(r#"{{{base},"stream_options":{asked}}}"#));
    }
    let quiet = r#"{"model":"m","messages":[],"stream":false}"#;
    assert_eq!(upstream(quiet, None), quiet);
}

fn any_body() -> impl Strategy<Value = Value> {
    let limit = || prop::option::of(prop_oneof![Just(Value::Null), (0..5_000u64).prop_map(Value::from)]);
    let options = prop::option::of(prop_oneof![
        Just(Value::Null),
        Just(json!({})),
        Just(json!({"include_usage": false})),
        Just(json!({"include_usage": true})),
        Just(json!({"x": {"include_usage": 7}}))
    ]);
    let model = prop::sample::select(vec!["gpt-4o", "o4-mini", "mistral-large", "openai/gpt-5", "gpt-oss-120b"]);
    (limit(), limit(), options, prop::option::of(any::<bool>()), prop::collection::vec(".{0,30}", 0..4), model, any::<bool>()).prop_map(
        |(max, completion, options, stream, texts, model, last)| {
            let mut body = serde_json::Map::new();
            let messages: Vec<Value> = texts.into_iter().map(|text| json!({"role": "user", "content": text})).collect();
            let mut put = |name: &str, value: Option<Value>| value.map(|value| body.insert(name.to_owned(), value));
            put(if last { "messages" } else { "model" }, Some(if last { messages.clone().into() } else { model.into() }));
            put("max_tokens", max);
            put("stream_options", options);
            put("max_completion_tokens", completion);
            put("stream", stream.map(Value::from));
            put("model", Some(model.into()));
            put("messages", Some(messages.into()));
            Value::Object(body)
        },
    )
}

proptest! {
    #[test]
    fn splicing_changes_what_it_must_and_nothing_else(body in any_body(), limit in prop::option::of(1..9_999u64), pretty in any::<bool>()) {
        let text = Bytes::from(if pretty { serde_json::to_vec_pretty(&body).unwrap() } else { serde_json::to_vec(&body).unwrap() });
        let ask = read(Shape::Chat, &text).unwrap();
        let spliced = ask.upstream_body(&text, limit);
        // Still one body that means one thing, and it asks for what was priced.
        let again = read(Shape::Chat, &spliced).unwrap();
        prop_assert_eq!(again.bound.output_tokens, limit.or(ask.bound.output_tokens));
        let mut expected = body.clone();
        let set: Vec<&str> = ["max_completion_tokens", "max_tokens"].into_iter().filter(|name| body[*name].is_u64()).collect();
        if let Some(tokens) = limit.or(ask.bound.output_tokens) {
            for name in &set {
                expected[*name] = tokens.into();
            }
            if set.is_empty() {
                let name = if wants_max_completion_tokens(&ask.model) { "max_completion_tokens" } else { "max_tokens" };
                expected[name] = tokens.into();
            }
        }
        if body["stream"] == true {
            if !body["stream_options"].is_object() {
                expected["stream_options"] = json!({});
            }
            expected["stream_options"]["include_usage"] = true.into();
            prop_assert!(again.asked_usage);
        }
        prop_assert_eq!(serde_json::from_slice::<Value>(&spliced).unwrap(), expected);
    }

    #[test]
    fn the_bound_is_at_least_a_token_a_byte(texts in prop::collection::vec("\\PC{0,60}", 1..6), escape in any::<bool>()) {
        let messages: Vec<Value> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let mut text = serde_json::to_string(&json!({"model": "gpt-4o", "messages": messages, "tools": [{"type": "function", "function": {"name": texts[0]}}]})).unwrap();
        if escape {
            let mut escaped = String::new();
            for unit in text.encode_utf16() {
                if unit < 128 { escaped.push(char::from(unit as u8)) } else { escaped += &format!("\\u{unit:04x}") }
            }
            text = escaped;
        }
        let bytes: usize = texts.iter().map(|text| text.len() + "user".len() + 4).sum::<usize>() + texts[0].len();
        let bound = input(&chat(&text).unwrap());
        prop_assert!(bound >= bytes as u64);
        prop_assert!(bound <= text.len() as u64 + 8 * texts.len() as u64 + 64 + 192);
        let embedded = serde_json::to_string(&texts).unwrap();
        prop_assert!(input(&embedding(&embedded).unwrap()) >= texts.iter().map(|text| text.len() as u64).sum());
    }

    #[test]
    fn no_bytes_make_it_fail(body in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _ = read(Shape::Chat, &body);
        let good = br#"{"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}],"stream":true,"stream_options":{},"n":2}"#;
        let mut changed = good.to_vec();
        let at = at.index(changed.len());
        changed[at] = body.first().copied().unwrap_or_default();
        if let Ok(ask) = read(Shape::Chat, &changed) {
            let spliced = ask.upstream_body(&Bytes::from(changed), Some(3));
            prop_assert!(serde_json::from_slice::<Value>(&spliced).is_ok());
        }
    }
}

#[test]
fn texts_are_counted_and_nothing_else_is() {
    let counter = Counter::of("gpt-4o").unwrap();
    let counted = |messages: Value| {
        let body = json!({"model": "gpt-4o", "messages": messages}).to_string();
        let by_bytes = input(&chat(&body).unwrap());
        let counted = input(&super::read_counted(Shape::Chat, body.as_bytes(), "gpt-4o", Some(&counter)).unwrap());
        assert!(counted <= by_bytes, "{body}");
        (by_bytes, counted)
    };
    let format = |messages: u64| content::REQUEST_TOKENS + messages * content::MESSAGE_TOKENS;
    // "hello world" has two tokens; of a plain message nothing else counts.
    assert_eq!(counted(json!([{"role": "user", "content": "hello world"}])).1, format(1) + 2);
    assert_eq!(counted(json!([{"content": "hello world", "role": "user"}, {"role": "assistant", "content": ""}])).1, format(2) + 2);
    // Whatever else a message has stays at its bytes, and so do texts that may hold special tokens, and roles that nobody knows.
    let (by_bytes, named) = counted(json!([{"role": "user", "name": "me", "content": "hello world"}]));
    assert_eq!(named, by_bytes - 9 - 2);
    assert_eq!(counted(json!([{"role": "user", "content": "<|endoftext|>"}])).1, format(1) + 13);
    let (by_bytes, other) = counted(json!([{"role": "poet", "content": "hello world"}]));
    assert_eq!(other, by_bytes - 2);
    // A result of a tool stands under a name that may be long.
    let long = "word ".repeat(100);
    let (by_bytes, tool) = counted(json!([{"role": "tool", "tool_call_id": "c", "content": long}]));
    assert_eq!(tool, by_bytes - 2 - (500 - 101 - content::NAME_TOKENS));
    let (by_bytes, parts) =
        counted(json!([{"role": "user", "content": [{"type": "text", "text": "hello world"}, {"type": "image_url", "image_url": {"url": "https://x/y"}}]}]));
    assert_eq!(parts, by_bytes - 2 - 9);
    // Tools and schemas are never counted.
    let body = format!(r#"{{"model":"gpt-4o","messages":[],"tools":[{{"type":"function","function":{{"name":"f","description":"{long}"}}}}]}}"#);
    let counted = super::read_counted(Shape::Chat, body.as_bytes(), "gpt-4o", Some(&counter)).unwrap();
    assert_eq!(input(&counted), input(&chat(&body).unwrap()) - 2);
}
