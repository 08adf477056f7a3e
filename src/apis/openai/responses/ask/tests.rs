use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::Seal;

const SEALED: &str = "resp_1_sg00112233445566778899aabbccddeeff";

fn body(more: &Value) -> Value {
    let mut body = json!({"model": "gpt-5.4", "input": "What is the weather?"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn ask(more: &Value) -> Result<Ask, AskError> {
    read_as(body(more).to_string().as_bytes(), None, None)
}

fn input(ask: &Ask) -> u64 {
    ask.bound.input.get(Unit::Input)
}

/// The body as the provider gets it.
fn upstream(more: &Value, limit: Option<u64>) -> Value {
    let text = Bytes::from(body(more).to_string());
    serde_json::from_slice(&read_as(&text, None, None).unwrap().upstream_body(&text, limit)).unwrap()
}

fn ids(more: &Value) -> Vec<String> {
    kept_ids(body(more).to_string().as_bytes()).into_iter().map(|kept| format!("{}{}", kept.id, kept.seal.unwrap_or_default())).collect()
}

fn refused(more: &Value, said: &str) {
    let error = ask(more).unwrap_err();
    assert!(error.message.contains(said), "{more}: {}", error.message);
}

#[test]
fn reads_what_is_asked_for() {
    let ask = ask(&json!({"stream": true, "max_output_tokens": 500, "service_tier": "flex", "instructions": "be brief"})).unwrap();
    assert_eq!((ask.model.as_str(), ask.stream, ask.service_tier.as_deref()), ("gpt-5.4", true, Some("flex")));
    assert_eq!((ask.bound.output_tokens, ask.bound.choices, ask.bound.windows, ask.bound.max_searches), (Some(500), 1, 0, 0));
    assert!((28..300).contains(&input(&ask)));
    assert_eq!((ask.bound.least_output, ask.unseen), (16, UnseenOutput::Any));
    for model in ["gpt-4o", "openai/gpt-4o"] {
        assert_eq!(read_as(format!(r#"{{"model":"{model}","input":"x"}}"#).as_bytes(), None, None).unwrap().unseen, UnseenOutput::UpTo(0), "{model}");
    }
    assert_eq!(read_as(br#"{"input":"x"}"#, None, Some("o3")).unwrap().model, "o3");
    for param in ["temperature", "top_p", "store", "metadata", "include", "user", "truncation", "text", "parallel_tool_calls", "prompt_cache_key", "moderation"]
    {
        assert!(super::tests::ask(&json!({ param: null })).is_ok(), "{param}");
    }
}

#[test]
fn the_limit_is_set_where_it_is_lowered() {
    for more in [json!({}), json!({"max_output_tokens": null}), json!({"max_output_tokens": 5000})] {
        assert_eq!(upstream(&more, Some(77))["max_output_tokens"], 77);
    }
    let text = Bytes::from(body(&json!({"max_output_tokens": 5})).to_string());
    assert_eq!(read_as(&text, None, None).unwrap().upstream_body(&text, None), text, "not a byte changes");
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    refused(&json!({"surprise": 1}), "'surprise' is not known");
    refused(&json!({"Max_Output_Tokens": 1}), "must be written 'max_output_tokens'");
    refused(&json!({"background": true}), "billed after the call has ended");
    refused(&json!({"background_options": {}}), "billed after the call has ended");
    refused(&json!({"conversation": "conv_1"}), "all tokens share");
    refused(&json!({"prompt": {"id": "pmpt_1"}}), "stored prompt");
    refused(&json!({"context_management": []}), "compaction");
    refused(&json!({"reasoning": {"mode": "pro"}}), "several times over");
    refused(&json!({"reasoning": {"budget": 7}}), "'budget' in 'reasoning'");
    refused(&json!({"prompt_cache_options": {"ttl": "12h"}}), "'ttl'");
    refused(&json!({"service_tier": "gold"}), "one of auto");
    refused(&json!({"max_tool_calls": 1000}), "max_tool_calls");
    for limit in [json!(-1), json!(1.5), json!(1e3), json!("5"), json!(1_u64 << 40)] {
        refused(&json!({"max_output_tokens": limit}), "max_output_tokens");
    }
    assert!(
        ask(&json!({"background": false, "reasoning": {"effort": "high", "summary": "auto", "mode": "standard"}, "prompt_cache_options": {"ttl": "30m"}}))
            .is_ok()
    );
    for text in ["", "[]", "{\"model\":\"gpt-5\",\"model\":\"gpt-5\",\"input\":\"\"}", "{\"model\":\"gpt-5\",\"input\":7}", "{\"input\":\"x\"}"] {
        assert!(read_as(text.as_bytes(), None, None).is_err(), "{text}");
    }
}

#[test]
fn input_that_is_not_seen_is_bounded_by_the_window() {
    for more in [
        json!({"previous_response_id": SEALED}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
        json!({"input": [{"id": "msg_1"}]}),
        json!({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}),
        json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/y.pdf"}]}]}),
        json!({"input": [{"role": "user", "content": [{"type": "input_file", "filename": "y.pdf", "file_data": "data:application/pdf;base64,AAAA"}]}]}),
    ] {
        assert_eq!(ask(&more).unwrap().bound.windows, 1, "{more}");
    }
    let encrypted = json!({"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA".repeat(200)}]});
    let ask = ask(&encrypted).unwrap();
    assert!(ask.bound.windows == 0 && input(&ask) > 1_000);
}

#[test]
fn ids_must_be_sealed_where_they_stand_for_something() {
    assert_eq!(ids(&json!({"previous_response_id": SEALED})), [SEALED]);
    assert_eq!(upstream(&json!({"previous_response_id": SEALED}), None)["previous_response_id"], "resp_1");
    let comparison = json!({"prompt_cache_options": {"comparison_response_id": SEALED}});
    assert_eq!((ids(&comparison), &upstream(&comparison, None)["prompt_cache_options"]["comparison_response_id"]), (vec![SEALED.to_owned()], &json!("resp_1")));
    // An id without a seal is told all the same: it is nobody's.
    assert_eq!(ids(&json!({"previous_response_id": "resp_2"})), ["resp_2"]);
    assert_eq!(ids(&json!({"input": [{"type": "item_reference", "id": "msg_2"}, {"type": "reasoning", "id": "rs_2", "summary": []}]})), ["msg_2", "rs_2"]);
    let own = Seal::new(b"key", "me").unwrap();
    assert!(kept_ids(body(&json!({"previous_response_id": "resp_2"})).to_string().as_bytes()).iter().all(|kept| !own.owns(kept)));
    // One whose letters are escaped could be two things.
    assert!(read_as(br#"{"model":"gpt-5","input":"x","previous_response_id":"resp\u005f1"}"#, None, None).is_err());
    assert!(ask(&json!({"previous_response_id": 7})).is_err());
}

#[test]
fn items_that_bring_their_content_lose_their_ids() {
    let seal = "_sg00112233445566778899aabbccddeeff";
    let sealed = |id: &str| format!("{id}{seal}");
    let items = json!([
        {"id": sealed("msg_1"), "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1", "id": sealed("fco_1")},
        {"type": "reasoning", "id": sealed("rs_1"), "summary": [], "encrypted_content": "gAAAA"},
        {"id": null, "role": "user", "content": "and now?"},
    ]);
    let more = json!({"input": items});
    assert_eq!(ids(&more), Vec::<String>::new());
    let sent = upstream(&more, None);
    assert!(sent["input"].as_array().unwrap().iter().all(|item| item.get("id").is_none_or(Value::is_null)), "{sent}");
    assert_eq!((&sent["input"][1]["call_id"], &sent["input"][0]["content"][0]["text"]), (&json!("c"), &json!("hi")));
    // Beside something that stands for what is kept, their own ids count: they are kept where they bear a seal.
    let more = json!({"input": [items[0], items[1], {"type": "reasoning", "id": sealed("rs_2"), "summary": []}]});
    assert_eq!(ids(&more), [sealed("rs_2"), sealed("msg_1")]);
    let sent = upstream(&more, None);
    assert_eq!((&sent["input"][0]["id"], sent["input"][1].get("id"), &sent["input"][2]["id"]), (&json!("msg_1"), None, &json!("rs_2")));
    assert_eq!(upstream(&json!({"input": [{"type": "web_search_call", "id": "ws_1"}]}), None)["input"][0], json!({"type": "web_search_call"}));
}

#[test]
fn pictures_cost_by_their_own_rule_and_not_by_their_bytes() {
    let data = format!("data:image/png;base64,{}", "A".repeat(1_000_000));
    let parts = |part: Value| json!({"input": [{"role": "user", "content": [{"type": "input_text", "text": "what?"}, part]}]});
    let high = ask(&parts(json!({"type": "input_image", "image_url": data, "detail": "auto"}))).unwrap();
    assert!(input(&high) < 400);
    assert_eq!(high.bound.input.get(Unit::InputImage), 24_600);
    let low = ask(&parts(json!({"type": "input_image", "image_url": "https://x/y.png", "detail": "low"}))).unwrap();
    assert_eq!(low.bound.input.get(Unit::InputImage), 3_779);
    let shot = json!({"input": [{"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": data}}]});
    assert_eq!(ask(&shot).unwrap().bound.input.get(Unit::InputImage), 24_600);
    let shown = json!({"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": data}]}]});
    assert!(input(&ask(&shown).unwrap()) < 400);
    for (part, said) in [
        (json!({"type": "input_image", "file_id": "file-1"}), "files by their id"),
        (json!({"type": "input_file", "file_id": "file-1"}), "files by their id"),
        (json!({"type": "input_image"}), "must have an 'image_url'"),
        (json!({"type": "input_image", "image_url": "ftp://x"}), "http(s)"),
        (json!({"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}}), "audio"),
        (json!({"type": "input_text", "text": "x", "image_url": "https://x/y.png"}), "must be of type"),
        (json!({"type": "input_text", "text": "x", "video": "y"}), "'video'"),
        (json!({"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}), "'ttl'"),
        (json!({"type": "hologram"}), "'hologram'"),
    ] {
        refused(&parts(part), said);
    }
    refused(&json!({"input": [{"type": "image_generation_call", "id": "ig_1", "result": null}]}), "image_generation_call");
    refused(&json!({"input": [{"role": "user", "content": "x", "weird": 1}]}), "'weird' in 'input'");
}

#[test]
fn tools_that_the_client_runs_are_text_and_those_of_the_provider_are_refused() {
    for tool in [
        json!({"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": true}),
        json!({"type": "custom", "name": "f"}),
        json!({"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "f"}]}),
        json!({"type": "apply_patch"}),
        json!({"type": "local_shell"}),
        json!({"type": "shell", "environment": {"type": "local"}}),
        json!({"type": "computer"}),
        json!({"type": "tool_search", "execution": "client"}),
    ] {
        let ask = ask(&json!({"tools": [tool]})).unwrap();
        assert_eq!((ask.bound.windows, ask.bound.max_searches), (0, 0), "{tool}");
        assert!(input(&ask) > tool.to_string().len() as u64);
    }
    for (tool, said) in [
        (json!({"type": "file_search", "vector_store_ids": ["vs_1"]}), "all tokens share"),
        (json!({"type": "code_interpreter", "container": {"type": "auto"}}), "containers"),
        (json!({"type": "image_generation"}), "images/generations"),
        (json!({"type": "mcp", "server_label": "x", "server_url": "https://x"}), "another server"),
        (json!({"type": "shell"}), "containers"),
        (json!({"type": "shell", "environment": {"type": "container_auto"}}), "containers"),
        (json!({"type": "tool_search"}), "'execution'"),
        (json!({"type": "programmatic_tool_calling"}), "containers"),
        (json!({"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}), "'mcp'"),
        (json!({"type": "quantum"}), "'quantum'"),
        (json!({"name": "f"}), "must have a 'type'"),
    ] {
        refused(&json!({"tools": [tool]}), said);
        refused(&json!({"input": [{"type": "additional_tools", "role": "developer", "tools": [tool]}]}), said);
    }
}

#[test]
fn searches_are_bounded_by_the_calls_of_tools() {
    let tools = json!([{"type": "web_search", "search_context_size": "low"}]);
    let ask = ask(&json!({"tools": tools, "max_tool_calls": 2})).unwrap();
    assert_eq!((ask.bound.windows, ask.bound.max_searches), (4, 8));
    assert_eq!(upstream(&json!({"tools": tools, "max_tool_calls": 2}), None)["max_tool_calls"], 2);
    for more in [json!({"tools": tools}), json!({"tools": tools, "max_tool_calls": null})] {
        assert_eq!(super::tests::ask(&more).unwrap().bound.windows, 7);
        assert_eq!(upstream(&more, Some(50))["max_tool_calls"], 5);
    }
    assert!(super::tests::ask(&json!({"tools": [{"type": "web_search_preview"}]})).is_ok());
    refused(&json!({"model": "gpt-4o", "tools": [{"type": "web_search_preview"}]}), "use 'web_search'");
}

#[test]
fn counting_takes_whatever_costs_nothing_there() {
    let counted = |more: &Value| read_counted(body(more).to_string().as_bytes());
    for more in [json!({"background": true}), json!({"surprise": 1}), json!({"tools": [{"type": "mcp"}]}), json!({"personality": "friendly"})] {
        assert!(counted(&more).is_ok(), "{more}");
    }
    assert!(counted(&json!({"conversation": "conv_1"})).is_err());
    let text = Bytes::from(body(&json!({"previous_response_id": SEALED})).to_string());
    let sent: Value = serde_json::from_slice(&read_counted(&text).unwrap().upstream_body(&text, None)).unwrap();
    assert_eq!(sent["previous_response_id"], "resp_1");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z_0-9]{0,12}".prop_map(Value::from),
        prop_oneof![Just("message"), Just("reasoning"), Just("item_reference"), Just("input_text"), Just("function_call"), Just(SEALED)].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let key = prop_oneof![
            Just("id"),
            Just("type"),
            Just("role"),
            Just("content"),
            Just("output"),
            Just("summary"),
            Just("encrypted_content"),
            Just("text"),
            Just("call_id")
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.prop_map(str::to_owned), inner, 0..5).prop_map(|map| Value::from(serde_json::Map::from_iter(map))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is taken: what goes upstream is JSON, and has no id that was not checked.
    #[test]
    fn no_id_passes_unchecked(items in proptest::collection::vec(values(), 0..5), previous in proptest::option::of(Just(SEALED))) {
        let more = json!({"input": items, "previous_response_id": previous});
        let text = Bytes::from(body(&more).to_string());
        if let Ok(ask) = read_as(&text, None, None) {
            let sent: Value = serde_json::from_slice(&ask.upstream_body(&text, Some(16))).unwrap();
            let checked: Vec<String> = kept_ids(&text).into_iter().map(|kept| kept.id).collect();
            for item in sent["input"].as_array().unwrap() {
                if let Some(Value::String(id)) = item.get("id") {
                    prop_assert!(checked.contains(id), "{id} in {sent}");
                }
            }
            prop_assert!(ask.bound.windows == 1 || checked.is_empty());
        }
    }

    #[test]
    fn no_body_breaks_it(name in "input|tools|reasoning|text|max_output_tokens|max_tool_calls|previous_response_id|prompt_cache_options|stream|model", value in values()) {
        let more = json!({ name: value });
        let _ = ask(&more);
        let _ = read_counted(body(&more).to_string().as_bytes());
        let _ = ids(&more);
    }
}

#[test]
fn texts_are_counted_and_nothing_else_is() {
    let counter = Counter::of("gpt-4o").unwrap();
    let counted = |more: Value| {
        let mut body = json!({"model": "gpt-4o"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = body.to_string();
        let tokens = |counter| read_with(body.as_bytes(), None, counter).unwrap().bound.input.get(Unit::Input);
        (tokens(None), tokens(Some(&counter)))
    };
    assert_eq!(counted(json!({"input": "hello world"})).1, REQUEST_TOKENS + 8 + 2);
    assert_eq!(
        counted(json!({"input": [{"role": "user", "content": "hello world"}, {"type": "message", "role": "assistant", "content": "hello"}]})).1,
        REQUEST_TOKENS + 16 + 3
    );
    let (by_bytes, told) = counted(json!({"input": [], "instructions": "hello world"}));
    assert_eq!(told, by_bytes - 2 - 9);
    let long = "word ".repeat(100);
    let (by_bytes, output) = counted(json!({"input": [{"type": "function_call_output", "call_id": "c", "output": long}]}));
    assert_eq!(output, by_bytes - 2 - (500 - 101 - 64));
    let (by_bytes, rest) =
        counted(json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": long}], "text": {"format": {"type": "text"}}}));
    assert_eq!(rest, by_bytes - 2);
}
