use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::apis::anthropic::Messages;
use crate::apis::{Ask, Operation};
use crate::prices::{Margin, Unit};

/// A request with more members: what it asks for, and how it is counted.
fn counted(more: Value) -> (Ask, Option<CountCall>) {
    let mut body = json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (headers, body) = (HeaderMap::new(), Bytes::from(body.to_string()));
    let request = RequestView { method: &Method::POST, path: "v1/messages", query: Some("beta=true"), headers: &headers, body: &body };
    (Messages.ask(&request).unwrap(), Messages.count_call(&request))
}

fn said(blocks: Value) -> Value {
    json!({"messages": [{"role": "user", "content": blocks}]})
}

#[test]
fn asks_for_what_becomes_input_as_it_stands() {
    let (_, call) =
        counted(json!({"system": "s", "tools": [], "temperature": 0.5, "thinking": null, "output_config": {"effort": "low"}, "service_tier": "auto"}));
    let call = call.unwrap();
    assert_eq!((call.path.as_str(), call.query.as_deref()), ("v1/messages/count_tokens", Some("beta=true")));
    let expected =
        json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}], "system": "s", "tools": [], "output_config": {"effort": "low"}});
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);
    let body = br#"{ "mod\u0065l" :"m\u0041", "max_tokens":1 ,"messages" : [ ] }"#;
    let (headers, body) = (HeaderMap::new(), Bytes::from_static(body));
    let call = Messages.count_call(&RequestView { method: &Method::POST, path: "messages", query: None, headers: &headers, body: &body }).unwrap();
    assert_eq!((call.path.as_str(), &call.body[..]), ("messages/count_tokens", &br#"{"mod\u0065l" :"m\u0041","messages" : [ ]}"#[..]));
}

#[test]
fn what_no_count_tells_is_not_counted() {
    let by_address = |kind: &str| json!([{"type": kind, "source": {"type": "url", "url": "https://example.com/x"}}]);
    let nested = json!([{"type": "tool_result", "tool_use_id": "t", "content": by_address("image")}]);
    let in_document = json!([{"type": "document", "source": {"type": "content", "content": by_address("image")}}]);
    for blocks in [by_address("image"), by_address("document"), nested, in_document] {
        assert_eq!(counted(said(blocks.clone())).1, None, "{blocks}");
    }
    for kind in ["web_search_20250305", "web_fetch_20250910", "tool_search_tool_regex", "web_search_20260209"] {
        assert_eq!(counted(json!({"tools": [{"type": kind, "name": "x"}]})).1, None, "{kind}");
    }
}

#[test]
fn what_a_count_may_leave_out_keeps_its_bound() {
    let beside = |more: Value| counted(more).1.unwrap().beside;
    let bytes = |value: &Value| value.to_string().len() as u64;
    assert_eq!(beside(json!({"tools": [{"name": "f", "input_schema": {}}]})), 0);
    let blocks = json!([{"type": "text", "text": "x"}, {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}, {"type": "tool_result", "tool_use_id": "t", "content": "y"}]);
    let image = json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]);
    let pdf = json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}]);
    for counted in [&blocks, &image, &pdf] {
        assert_eq!(beside(said(counted.clone())), 0, "{counted}");
    }
    for block in [
        json!({"type": "thinking", "thinking": "so", "signature": "c2lnbmVk"}),
        json!({"type": "redacted_thinking", "data": "c2lnbmVk"}),
        json!({"type": "search_result", "source": "s", "title": "t", "content": []}),
        json!({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}),
    ] {
        assert_eq!(beside(said(json!([block]))), bytes(&block), "{block}");
    }
    let cited = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A sentence."}, "citations": {"enabled": true}});
    assert_eq!(beside(said(json!([cited]))), 16 * bytes(&cited));
    let tools = json!([{"name": "f", "input_schema": {}}]);
    let reference = json!({"type": "tool_reference", "tool_name": "f"});
    let mut referring = said(json!([{"type": "tool_result", "tool_use_id": "t", "content": [reference]}]));
    referring["tools"] = tools.clone();
    assert_eq!(beside(referring), bytes(&tools) + bytes(&reference));
    assert_eq!(beside(json!({"thinking": {"type": "enabled", "budget_tokens": 50}})), 128);
    assert_eq!(beside(json!({"output_config": {"format": {"type": "json_schema", "schema": {}}}})), 128 + 1_024);
    assert_eq!(beside(json!({"tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "computer_toolset_20260101", "name": "c"}]})), 2_048 + 8_192);
}

#[test]
fn a_count_bounds_the_input_in_its_class() {
    let margin: Margin = "1.02".parse().unwrap();
    let input = |ask: &Ask, unit| ask.bound.input.get(unit);
    let long = "word ".repeat(2_000);
    let (ask, call) = counted(said(json!(long)));
    let call = call.unwrap();
    assert_eq!(input(&call.ask_counted(&ask, 2_000, margin), Unit::Input), 2_064);
    assert_eq!(input(&call.ask_counted(&ask, 5_000, margin), Unit::Input), 5_100);
    assert_eq!(input(&call.ask_at_least(&ask), Unit::Input), 64 + 10_000 / 128);
    // Never more than the bytes.
    assert_eq!(call.ask_counted(&ask, 10_050, margin).bound, ask.bound);
    let (ask, call) = counted(json!({"messages": [{"role": "user", "content": long}], "cache_control": {"type": "ephemeral", "ttl": "1h"}}));
    let hour = call.unwrap().ask_counted(&ask, 2_000, margin);
    assert_eq!((input(&hour, Unit::CacheWrite1h), input(&hour, Unit::Input)), (2_064, 0));
    // A PDF is no longer as long as the window.
    let (ask, call) = counted(said(json!([{"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}])));
    let pdf = call.unwrap().ask_counted(&ask, 30_000, margin);
    assert_eq!((ask.bound.windows, pdf.bound.windows, input(&pdf, Unit::Input)), (1, 0, 30_600));
}

#[test]
fn only_what_can_be_a_count_is_one() {
    let (ask, call) = counted(json!({}));
    let read = |answer: &str| call.as_ref().unwrap().read(answer.as_bytes(), &ask);
    assert_eq!(read(r#"{"input_tokens": 9, "context_management": {"original_input_tokens": 12}}"#), Some(9));
    let most = ask.bound.input.input_tokens();
    assert_eq!(read(&format!(r#"{{"input_tokens":{most}}}"#)), Some(most));
    for absurd in [
        &format!(r#"{{"input_tokens":{}}}"#, most + 1),
        r#"{"input_tokens":0}"#,
        r#"{"input_tokens":-9}"#,
        r#"{"input_tokens":9.0}"#,
        r#"{"input_tokens":9e0}"#,
        r#"{"input_tokens":"9"}"#,
        r#"{"input_tokens":null}"#,
        r#"{"input_tokens":9,"input_tokens":8}"#,
        r#"{"usage":{"input_tokens":9}}"#,
        r#"{"input_tokens":9"#,
        r#"{"input_tokens":9} x"#,
        "[9]",
        "9",
        "",
    ] {
        assert_eq!(read(absurd), None, "{absurd}");
    }
}
