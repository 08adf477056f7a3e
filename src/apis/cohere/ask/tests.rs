use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;

fn ask(body: &str) -> Result<Ask, AskError> {
    read(body.as_bytes())
}

fn with(more: Value) -> Value {
    let mut body = json!({"model": "command-a-03-2025", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn asked(more: Value) -> Ask {
    ask(&with(more).to_string()).unwrap()
}

fn input(ask: &Ask) -> u64 {
    ask.bound.input.get(Unit::Input)
}

#[test]
fn refuses_hostile_bodies() {
    let ok = r#""model":"m","messages":[]"#;
    let deep = format!(r#"{{{ok},"response_format":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    for body in [
        "",
        "[]",
        "null",
        &format!("\u{feff}{{{ok}}}"),
        &format!("{{{ok}}} x"),
        &format!("{{{ok},\"temperature\":NaN}}"),
        &format!("{{{ok},\"model\":\"other\"}}"),
        &format!("{{{ok},\"max_tokens\":1,\"max\\u005ftokens\":2}}"),
        &format!("{{{ok},\"Max_Tokens\":1}}"),
        &format!("{{{ok},\"TOOLS\":null}}"),
        &deep,
        r#"{"messages":[]}"#,
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":{}}"#,
        r#"{"model":"m","messages":["x"]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"text":"no type"}]}]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
        r#"{"model":"m","messages":[],"thinking":7}"#,
        r#"{"model":"m","messages":[],"stream":"yes"}"#,
    ] {
        assert_eq!(ask(body).expect_err(body).kind, AskErrorKind::Invalid, "{body}");
    }
    for limit in ["-1", "1.5", "16.0", "1e3", "\"16\"", "true", "[]", "99999999999999999999", "2147483648", "-0"] {
        let error = ask(&format!(r#"{{{ok},"max_tokens":{limit}}}"#)).expect_err(limit);
        assert_eq!((error.kind, error.param.as_deref()), (AskErrorKind::Invalid, Some("max_tokens")), "{limit}");
        assert_eq!(ask(&format!(r#"{{{ok},"thinking":{{"token_budget":{limit}}}}}"#)).expect_err(limit).kind, AskErrorKind::Invalid);
    }
}

#[test]
fn refuses_what_cannot_be_bounded() {
    for more in [
        json!({"connectors": [{"id": "web-search"}]}),
        json!({"search_queries_only": true}),
        json!({"n": 4}),
        json!({"thinking": {"type": "enabled", "depth": 3}}),
        json!({"tools": [{"type": "web_search"}]}),
        json!({"tools": [{"type": "function", "function": {}, "price": 1}]}),
        json!({"messages": [{"role": "user", "content": "hi", "cost": 3}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "audio", "text": "x"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "video": "x"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png", "frames": 9}}]}]}),
    ] {
        assert_eq!(ask(&with(more.clone()).to_string()).expect_err(&more.to_string()).kind, AskErrorKind::Unsupported, "{more}");
    }
    asked(json!({"documents": null, "tools": null, "thinking": null, "k": null, "logprobs": true, "priority": 3, "safety_mode": "STRICT",
        "citation_options": {"mode": "FAST"}, "strict_tools": true, "tool_choice": "NONE", "seed": 1, "p": 0.5}));
}

#[test]
fn what_becomes_input_is_bounded_by_its_bytes() {
    let empty = input(&asked(json!({})));
    let long = "x".repeat(1_000);
    for (more, least) in [
        (json!({"messages": [{"role": "user", "content": long}]}), 1_000),
        (json!({"messages": [{"role": "user", "content": [{"type": "text", "text": long}]}]}), 1_000),
        (json!({"messages": [{"role": "assistant", "tool_plan": long, "content": [{"type": "thinking", "thinking": long}]}]}), 2_000),
        (json!({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": long}}]}]}), 1_000),
        (json!({"messages": [{"role": "tool", "tool_call_id": "1", "content": [{"type": "document", "document": {"data": {"a": long}}}]}]}), 1_000),
        (json!({"documents": [long, {"id": "1", "data": {"title": "t", "snippet": long}}]}), 2_000),
        (json!({"response_format": {"type": "json_object", "json_schema": {"type": "object", "description": long}}}), 1_000),
        // Told twice: as it is declared and as it is described.
        (json!({"tools": [{"type": "function", "function": {"name": "f", "description": long, "parameters": {}}}]}), 2_000),
    ] {
        let bounded = input(&asked(more.clone()));
        assert!((empty - 20 + least..empty + least + 1_000).contains(&bounded), "{more}: {bounded} for {least}");
    }
}

#[test]
fn images_count_by_their_number() {
    let data = format!("data:image/png;base64,{}", "A".repeat(100_000));
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "high"}});
    let ask =
        asked(json!({"messages": [{"role": "user", "content": [image(&data), image("https://example.com/a.png"), {"type": "image_url", "image_url": data}]}]}));
    // Twelve tiles and a preview of 256 tokens each.
    assert!(ask.bound.input.get(Unit::InputImage) >= 3 * 13 * 256);
    assert!(input(&ask) < 1_000, "the pictures are no text");
}

#[test]
fn the_output_is_bounded_by_its_limit_and_set_where_it_stands() {
    let upstream = |more: Value, limit| {
        let body = Bytes::from(with(more).to_string());
        serde_json::from_slice::<Value>(&ask(std::str::from_utf8(&body).unwrap()).unwrap().upstream_body(&body, limit)).unwrap()
    };
    assert_eq!(asked(json!({"max_tokens": 7})).bound.output_tokens, Some(7));
    assert_eq!(asked(json!({"max_tokens": null})).bound.output_tokens, None);
    for more in [json!({}), json!({"max_tokens": null}), json!({"max_tokens": 900, "stream": true})] {
        assert_eq!(
            upstream(more.clone(), Some(16)),
            with({
                let mut more = more.clone();
                more["max_tokens"] = json!(16);
                more
            })
        );
        assert_eq!(upstream(more.clone(), None), with(more), "unchanged but for a clamp");
    }
    let thinking = |budget: Value| asked(json!({"max_tokens": 9_000, "thinking": {"type": "enabled", "token_budget": budget}})).bound.least_output;
    assert_eq!((thinking(json!(500)), thinking(Value::Null)), (501, 0));
    assert_eq!(asked(json!({"thinking": {"type": "disabled", "token_budget": 500}})).bound.least_output, 0);
}

proptest! {
    /// A token is at least a byte: the bound is never below the bytes of what the model is told.
    #[test]
    fn no_text_escapes_the_bound(texts in prop::collection::vec("\\PC{0,60}", 1..6), documents in prop::collection::vec("\\PC{0,60}", 0..4)) {
        let messages: Vec<Value> = texts.iter().map(|text| json!({"role": "user", "content": text})).collect();
        let bytes: usize = texts.iter().chain(&documents).map(String::len).sum();
        let bounded = input(&asked(json!({"messages": messages, "documents": documents})));
        prop_assert!(bounded >= bytes as u64);
    }

    #[test]
    fn no_body_breaks_it(body in "[\\[\\]{}\",:a-z0-9 \\\\]{0,200}") {
        let _ = ask(&body);
    }
}
