use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::seal::bare_length;
use crate::apis::{KeptId, Meter};

/// A stream as OpenAI's guide "Streaming API responses" and its reference show it: reasoning, a search, a message, a call of a function.
fn golden() -> Vec<Value> {
    let response = |status: &str, output: Value, usage: Value| {
        json!({"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-5.4-2026-03-05", "output": output, "usage": usage,
            "previous_response_id": "resp_0", "service_tier": "default", "error": null, "incomplete_details": null, "tools": [], "tool_choice": "auto", "parallel_tool_calls": true})
    };
    let reasoning = json!({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm, well"}], "encrypted_content": "gAAAA"});
    let search = json!({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "weather"}});
    let open = json!({"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "https://x"}});
    let message = json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "It \"rains\" é", "annotations": [], "logprobs": []}]});
    let call = json!({"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "umbrella", "arguments": "{\"open\":true}"});
    let usage = json!({"input_tokens": 100, "input_tokens_details": {"cached_tokens": 40, "cache_write_tokens": 10}, "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 48}, "total_tokens": 160});
    let mut done = response("completed", json!([reasoning, search, open, message, call]), usage);
    done["tool_usage"] = json!({"image_gen": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}, "web_search": {"num_requests": 3}});
    let begun = |item: &Value, more: Value| {
        let mut item = item.clone();
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let events = vec![
        json!({"type": "response.created", "response": response("in_progress", json!([]), Value::Null)}),
        json!({"type": "response.in_progress", "response": response("in_progress", json!([]), Value::Null)}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun(&reasoning, json!({"summary": []}))}),
        json!({"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "Hm, ", "obfuscation": "xxxxxxxx"}),
        json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "delta": "well", "obfuscation": "xxxxxxxx"}),
        json!({"type": "response.reasoning_summary_text.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "text": "Hm, well"}),
        json!({"type": "response.reasoning_summary_part.done", "item_id": "rs_1", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": "Hm, well"}}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning}),
        json!({"type": "response.output_item.added", "output_index": 1, "item": begun(&search, json!({"status": "in_progress"}))}),
        json!({"type": "response.web_search_call.searching", "output_index": 1, "item_id": "ws_1"}),
        json!({"type": "response.output_item.done", "output_index": 1, "item": search}),
        json!({"type": "response.output_item.added", "output_index": 2, "item": begun(&open, json!({"status": "in_progress"}))}),
        json!({"type": "response.output_item.done", "output_index": 2, "item": open}),
        json!({"type": "response.output_item.added", "output_index": 3, "item": begun(&message, json!({"status": "in_progress", "content": []}))}),
        json!({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 3, "content_index": 0, "part": {"type": "output_text", "text": "", "annotations": []}}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 3, "content_index": 0, "delta": "It \"ra", "logprobs": []}),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 3, "content_index": 0, "delta": "ins\" é", "logprobs": []}),
        json!({"type": "response.output_text.done", "item_id": "msg_1", "output_index": 3, "content_index": 0, "text": "It \"rains\" é", "logprobs": []}),
        json!({"type": "response.content_part.done", "item_id": "msg_1", "output_index": 3, "content_index": 0, "part": message["content"][0]}),
        json!({"type": "response.output_item.done", "output_index": 3, "item": message}),
        json!({"type": "response.output_item.added", "output_index": 4, "item": begun(&call, json!({"status": "in_progress", "arguments": ""}))}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 4, "delta": "{\"open\""}),
        json!({"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 4, "delta": ":true}"}),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 4, "arguments": "{\"open\":true}", "name": "umbrella"}),
        json!({"type": "response.output_item.done", "output_index": 4, "item": call}),
        json!({"type": "response.completed", "response": done}),
    ];
    events
        .into_iter()
        .enumerate()
        .map(|(number, mut event)| {
            event["sequence_number"] = json!(number);
            event
        })
        .collect()
}

fn text(events: &[Value], line_end: &str) -> String {
    events.iter().map(|event| format!("event: {}{line_end}data: {event}{line_end}{line_end}", event["type"].as_str().unwrap())).collect()
}

/// The events of a text.
fn parse(text: &str) -> Vec<Value> {
    let events = text.replace("\r\n", "\n").replace('\r', "\n");
    let data = events.split("\n\n").filter(|event| !event.is_empty()).map(|event| event.split_once("\ndata: ").unwrap());
    data.map(|(name, data)| {
        let value: Value = serde_json::from_str(data).unwrap();
        assert_eq!(name.strip_prefix("event: ").unwrap(), value["type"]);
        value
    })
    .collect()
}

fn seal() -> Seal {
    Seal::new(b"sk-provider", "me").unwrap()
}

#[derive(Debug, PartialEq)]
struct Run {
    passed: String,
    held: String,
    measured: Measured,
    terminal: bool,
}

fn run(searches: bool, seal: Option<Seal>, chunks: &[&[u8]]) -> Run {
    let mut meter = StreamMeter::of(searches, seal);
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
    }
    meter.end(&mut pass);
    let text = |pieces: &[Bytes]| String::from_utf8(pieces.concat()).unwrap();
    Run { passed: text(&pass), held: text(&meter.take_held()), measured: meter.measured(), terminal: meter.terminal() }
}

/// Takes the seals off, and checks each: all ids of what the provider keeps bear one, and no other text does.
fn unsealed(value: &Value, seal: &Seal) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let is_id = value.is_string() && matches!(name.as_str(), "id" | "item_id" | "previous_response_id");
                let text = value.as_str().filter(|_| is_id);
                if let Some(text) = text {
                    let kept = KeptId::read(text, None);
                    assert!(seal.owns(&kept), "{name} {text}");
                    return (name.clone(), json!(kept.id));
                }
                (name.clone(), unsealed(value, seal))
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| unsealed(item, seal)).collect(),
        Value::String(text) => {
            assert_eq!(bare_length(text), text.len());
            value.clone()
        }
        other => other.clone(),
    }
}

fn told() -> Usage {
    Usage::default()
        .with(Unit::Input, 50)
        .with(Unit::CacheRead, 40)
        .with(Unit::CacheWrite, 10)
        .with(Unit::Output, 12)
        .with(Unit::OutputReasoning, 48)
        .with(Unit::WebSearches, 3)
}

#[test]
fn without_a_seal_every_byte_passes_and_the_end_is_kept_back() {
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = text(&golden(), line_end);
        let run = run(true, None, &[stream.as_bytes()]);
        assert_eq!(parse(&run.held).len(), 1);
        assert_eq!(run.passed + &run.held, stream);
        assert!(run.terminal && run.measured.complete && !run.measured.absurd);
        assert_eq!(run.measured.usage, Some(told()));
        assert_eq!((run.measured.model.as_deref(), run.measured.service_tier.as_deref()), (Some("gpt-5.4-2026-03-05"), Some("default")));
    }
}

#[test]
fn ids_get_the_seal_and_nothing_else_changes() {
    for line_end in ["\n", "\r\n"] {
        let run = run(true, Some(seal()), &[text(&golden(), line_end).as_bytes()]);
        let seen: Vec<Value> = parse(&(run.passed.clone() + &run.held)).iter().map(|event| unsealed(event, &seal())).collect();
        assert_eq!(seen, golden());
        assert!(run.held.starts_with("event: response.completed") && run.terminal);
        assert_eq!(run.measured.usage, Some(told()));
    }
    // Data on several lines come on one.
    let split = "event: response.created\ndata: {\"type\":\"response.created\",\ndata: \"response\":{\"id\":\"resp_1\"}}\n\n";
    let run = run(false, Some(seal()), &[split.as_bytes()]);
    assert!(run.passed.starts_with("data: {\"type\":\"response.created\", \"response\":{\"id\":\"resp_1_sg"), "{}", run.passed);
}

#[test]
fn searches_are_counted_by_the_provider_or_else_by_what_it_shows() {
    let usage = |change: &dyn Fn(&mut Value), searches: bool| {
        let mut events = golden();
        change(&mut events.last_mut().unwrap()["response"]);
        run(searches, None, &[text(&events, "\n").as_bytes()]).measured
    };
    let count = |measured: &Measured| measured.usage.unwrap().get(Unit::WebSearches);
    let untold = |response: &mut Value| drop(response.as_object_mut().unwrap().remove("tool_usage"));
    assert_eq!(count(&usage(&|_| {}, true)), 3);
    assert_eq!(count(&usage(&untold, true)), 1, "a page that is opened is no search");
    assert_eq!(count(&usage(&untold, false)), 0);
    assert!(usage(&|response| response["tool_usage"]["web_search"]["num_requests"] = json!(-1), true).absurd);
    for odd in [json!({"input_tokens": -1, "output_tokens": 1}), json!({"input_tokens": 1}), json!({"input_tokens": 1, "output_tokens": 1_u64 << 50})] {
        let measured = usage(&|response| response["usage"] = odd.clone(), true);
        assert!(measured.absurd && measured.usage.is_none());
    }
}

#[test]
fn every_end_is_an_end() {
    for (kind, status) in [("response.incomplete", "incomplete"), ("response.failed", "failed")] {
        let mut events = golden();
        let last = events.last_mut().unwrap();
        last["type"] = json!(kind);
        last["response"]["status"] = json!(status);
        let run = run(true, None, &[text(&events, "\n").as_bytes()]);
        assert!(run.terminal && run.measured.complete && run.measured.usage == Some(told()));
    }
    let mut events = golden();
    events.last_mut().unwrap()["response"]["usage"] = Value::Null;
    let measured = run(false, None, &[text(&events, "\n").as_bytes()]).measured;
    assert!(measured.complete && measured.usage.is_none() && !measured.absurd);
    // An error event and what is no JSON pass, and end nothing.
    let stream =
        "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"x\",\"sequence_number\":3}\n\ndata: [DONE]\n\ndata: {oops\n\n";
    let run = run(false, Some(seal()), &[stream.as_bytes()]);
    assert_eq!((run.passed.as_str(), run.terminal), (stream, false));
}

#[test]
fn a_cut_stream_tells_what_passed() {
    let events = golden();
    let measured = |count: usize| run(true, None, &[text(&events[..count], "\n").as_bytes()]).measured;
    for count in 1..events.len() {
        let now = measured(count);
        assert_eq!((now.usage, now.complete), (None, false));
        assert!(now.served_output >= measured(count - 1).served_output);
    }
    // The padding of the deltas is not output; what is told again when an item is done is not counted twice.
    let shown = "Hm, well".len() + "weather".len() + "It \"rains\" é".len() + "umbrella{\"open\":true}".len();
    let served = usize::try_from(measured(events.len() - 1).served_output).unwrap();
    assert!((shown..shown + 150).contains(&served), "{served} for {shown}");
    // Some providers send a call at once.
    let call = json!({"type": "response.output_item.done", "output_index": 0, "item": {"type": "function_call", "name": "f", "arguments": "x".repeat(500)}});
    assert!(run(false, None, &[text(&[call], "\n").as_bytes()]).measured.served_output > 500);
}

/// Follows events as the SDK's helper does, and checks what it checks. Answers the response that ends them.
fn follow(events: &[Value]) -> Value {
    let mut items: BTreeMap<u64, Value> = BTreeMap::new();
    let mut done: BTreeMap<u64, Value> = BTreeMap::new();
    assert_eq!(events[0]["type"], "response.created");
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
        let index = event["output_index"].as_u64();
        let open = |items: &BTreeMap<u64, Value>| items.get(&index.unwrap()).cloned().unwrap_or_else(|| panic!("{event} before its item"));
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => assert!(items.insert(index.unwrap(), event["item"].clone()).is_none()),
            "response.output_item.done" => {
                assert_eq!((&open(&items)["id"], &open(&items)["type"]), (&event["item"]["id"], &event["item"]["type"]));
                assert!(done.insert(index.unwrap(), event["item"].clone()).is_none());
            }
            "response.output_text.done" => assert_eq!(event["item_id"], open(&items)["id"]),
            "response.completed" | "response.incomplete" => {
                assert_eq!(number, events.len() - 1);
                assert_eq!(items.keys().collect::<Vec<_>>(), done.keys().collect::<Vec<_>>(), "all are closed");
                assert_eq!(event["response"]["id"], events[0]["response"]["id"]);
                assert_eq!(event["response"]["output"].as_array().unwrap(), &done.values().cloned().collect::<Vec<_>>());
            }
            _ => {}
        }
    }
    events.last().unwrap()["response"].clone()
}

#[test]
fn the_stream_can_be_ended_after_any_event_as_the_provider_would() {
    let events = golden();
    assert_eq!(follow(&events)["status"], "completed");
    for sealed in [None, Some(seal())] {
        for count in 1..events.len() {
            let mut meter = StreamMeter::of(true, sealed.clone());
            let mut pass = Vec::new();
            meter.chunk(Bytes::from(text(&events[..count], "\n")), &mut pass);
            let end = meter.end_at_limit(&told()).unwrap();
            let seen = parse(&(String::from_utf8(pass.concat()).unwrap() + std::str::from_utf8(&end).unwrap()));
            if sealed.is_some() {
                seen.iter().for_each(|event| drop(unsealed(event, &seal())));
            }
            let response = follow(&seen);
            assert_eq!((&response["status"], &response["incomplete_details"]["reason"]), (&json!("incomplete"), &json!("max_output_tokens")));
            assert_eq!(usage::read(response["usage"].to_string().as_bytes()).unwrap().with(Unit::WebSearches, 3), told());
        }
    }
}

#[test]
fn what_was_said_is_in_the_end() {
    let events = golden();
    let end = |count: usize| {
        let mut meter = StreamMeter::of(false, None);
        meter.chunk(Bytes::from(text(&events[..count], "\n")), &mut Vec::new());
        let end = meter.end_at_limit(&told()).unwrap();
        parse(std::str::from_utf8(&end).unwrap())
    };
    let named = |events: &[Value]| events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let at = |kind: &str, nth: usize| events.iter().enumerate().filter(|(_, event)| event["type"] == kind).nth(nth).unwrap().0 + 1;
    let half = end(at("response.output_text.delta", 0));
    assert_eq!(named(&half), ["response.output_text.done", "response.content_part.done", "response.output_item.done", "response.incomplete"]);
    let message = &half[3]["response"]["output"][3];
    assert_eq!((&message["content"][0]["text"], &message["status"], &half[0]["text"]), (&json!("It \"ra"), &json!("incomplete"), &json!("It \"ra")));
    let called = end(at("response.function_call_arguments.delta", 0));
    assert_eq!(named(&called), ["response.function_call_arguments.done", "response.output_item.done", "response.incomplete"]);
    assert_eq!((&called[0]["arguments"], &called[1]["item"]["arguments"]), (&json!("{\"open\""), &json!("{\"open\"")));
    let thought = end(at("response.reasoning_summary_text.delta", 1));
    assert_eq!(
        named(&thought),
        ["response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.output_item.done", "response.incomplete"]
    );
    assert_eq!(thought[3]["response"]["output"][0]["summary"][0]["text"], "Hm, well");
    // Not before it began, not in the middle of what has passed already, and not after its end.
    assert!(StreamMeter::of(false, None).end_at_limit(&told()).is_none());
    let mut ended = StreamMeter::of(false, None);
    ended.chunk(Bytes::from(text(&events, "\n")), &mut Vec::new());
    assert!(ended.end_at_limit(&told()).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However the bytes arrive, the same passes, is kept back and is measured.
    #[test]
    fn cuts_change_nothing(cuts in proptest::collection::vec(0_usize..9_000, 0..12), sealed in any::<bool>()) {
        let stream = text(&golden(), "\n");
        let seal = sealed.then(seal);
        let whole = run(true, seal.clone(), &[stream.as_bytes()]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]).collect();
        let pieces = run(true, seal, &chunks);
        prop_assert_eq!(&pieces, &whole);
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..300), lead in "(data: )?[{\"a-z:,\\[\\]0-9 \n]{0,80}") {
        let mut meter = StreamMeter::of(true, Some(seal()));
        for chunk in [lead.as_bytes(), &bytes, b"\n\n"] {
            meter.chunk(Bytes::copy_from_slice(chunk), &mut Vec::new());
        }
        meter.end(&mut Vec::new());
        let _ = (meter.measured(), meter.end_at_limit(&told()));
    }
}
