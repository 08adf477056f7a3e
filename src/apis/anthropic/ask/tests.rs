use std::sync::LazyLock;

use bytes::Bytes;
use http::HeaderValue;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::prices::{PriceBook, QuoteLimits, Variant, quote};

/// Read once: it takes a while.
static BOOK: LazyLock<PriceBook> = LazyLock::new(|| PriceBook::builtin().unwrap());

fn ask(body: &str) -> Result<Ask, AskError> {
    read(body.as_bytes(), &HeaderMap::new())
}

/// A request with more members.
fn with(more: Value) -> Value {
    let mut body = json!({"model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn asked(more: Value) -> Ask {
    ask(&with(more).to_string()).unwrap()
}

/// What a request with one message of these blocks asks for.
fn said(blocks: Value) -> Result<Ask, AskError> {
    ask(&with(json!({"messages": [{"role": "user", "content": blocks}]})).to_string())
}

fn input(ask: &Ask) -> u64 {
    ask.bound.input.get(Unit::Input)
}

#[test]
fn refuses_hostile_bodies() {
    let ok = r#""model":"m","max_tokens":9,"messages":[]"#;
    let deep = format!(r#"{{{ok},"metadata":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    for body in [
        "",
        "[]",
        "null",
        &format!("\u{feff}{{{ok}}}"),
        &format!("{{{ok}}} x"),
        &format!("{{{ok},\"temperature\":NaN}}"),
        &format!("{{{ok},\"model\":\"other\"}}"),
        &format!("{{{ok},\"max\\u005ftokens\":1}}"),
        &format!("{{{ok},\"Tools\":[]}}"),
        &deep,
        r#"{"max_tokens":9,"messages":[]}"#,
        r#"{"model":"m","max_tokens":9}"#,
        r#"{"model":"m","messages":[]}"#,
        r#"{"model":"m","max_tokens":null,"messages":[]}"#,
        r#"{"model":"m","max_tokens":9,"messages":{}}"#,
        r#"{"model":"m","max_tokens":9,"messages":["x"]}"#,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":7}]}"#,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"text":"no type"}]}]}"#,
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"image"}]}]}"#,
    ] {
        assert_eq!(ask(body).expect_err(body).kind, AskErrorKind::Invalid, "{body}");
    }
    for limit in ["-1", "1.5", "1e3", "\"16\"", "true", "[]", "99999999999999999999", "2147483648", "-0"] {
        let error = ask(&format!(r#"{{"model":"m","max_tokens":{limit},"messages":[]}}"#)).expect_err(limit);
        assert_eq!((error.kind, error.param.as_deref()), (AskErrorKind::Invalid, Some("max_tokens")), "{limit}");
    }
    assert_eq!(ask(r#"{"model":"m","messages":[]}"#).unwrap_err().message, "max_tokens: Field required");
}

#[test]
fn refuses_what_cannot_be_bounded() {
    let file = json!({"type": "file", "file_id": "file_1"});
    for more in [
        json!({"container": "container_1"}),
        json!({"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]}),
        json!({"compaction": {"type": "summarize"}}),
        json!({"fallbacks": []}),
        json!({"fallbacks": "default"}),
        json!({"thread": {}}),
        json!({"new_and_costly": true}),
        json!({"context_management": {"edits": [{"type": "compact_20260112"}]}}),
        json!({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}], "more": 1}}),
        json!({"output_config": {"pages": 3}}),
        json!({"speed": "fast", "inference_geo": "us"}),
        json!({"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}),
        json!({"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5"}]}),
        json!({"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}]}),
        json!({"tools": [{"type": "web_search", "name": "web_search"}]}),
        json!({"tools": [{"name": "x", "input_schema": {}, "price": 7}]}),
        json!({"messages": [{"role": "user", "content": "hi", "cost": 3}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "image", "source": file}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "document", "source": file}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "media_type": "video/mp4", "data": "AA"}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "hologram", "text": "x"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "video": "x"}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": file}]}]}]}),
        json!({"system": [{"type": "hologram"}]}),
    ] {
        let error = ask(&with(more.clone()).to_string()).expect_err(&more.to_string());
        assert_eq!(error.kind, AskErrorKind::Unsupported, "{more}: {error}");
    }
    assert!(asked(json!({"container": null, "mcp_servers": null, "speed": null, "inference_geo": "global", "speed": "standard"})).service_tier.is_none());
}

#[test]
fn the_text_of_every_part_is_bounded_by_its_bytes() {
    let base = input(&asked(json!({})));
    let text = "é".repeat(500);
    let bytes = text.len() as u64;
    for more in [
        json!({"system": text}),
        json!({"system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]}),
        json!({"messages": [{"role": "user", "content": text}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}]}]}),
        json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": [text]}}]}]}),
        json!({"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": text}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": text}]}}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": text}]}]}]}),
        json!({"tools": [{"name": "n", "description": text, "input_schema": {"type": "object"}}]}),
        json!({"tool_choice": {"type": "tool", "name": text}}),
        json!({"output_config": {"format": {"type": "json_schema", "schema": {"const": text}}}}),
        json!({"output_format": {"type": "json_schema", "schema": {"const": text}}}),
    ] {
        let found = input(&asked(more.clone()));
        assert!(found >= base - 40 + bytes && found <= base + bytes + 3_000, "{more}: {found}");
    }
    // Escapes only ever make a text longer.
    let escaped = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\u0041\u0041"}]}"#;
    assert!(input(&ask(escaped).unwrap()) >= 12);
}

#[test]
fn pictures_are_bounded_by_their_number() {
    let small = input(&said(json!([])).unwrap());
    let data = "A".repeat(1 << 20);
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}});
    let linked = json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "transformations": {"oversized_image": "error"}});
    for (blocks, images) in [
        (json!([image]), 1),
        (json!([image, linked]), 2),
        (json!([{"type": "tool_result", "tool_use_id": "t", "content": [image, image, linked]}]), 3),
        (json!([{"type": "document", "source": {"type": "content", "content": [image]}}]), 1),
    ] {
        let found = input(&said(blocks).unwrap());
        assert!((small + images * content::IMAGE_TOKENS..small + images * content::IMAGE_TOKENS + 1_000).contains(&found), "{images}: {found}");
    }
    // What only looks like a picture is text to the model, and counts as text.
    for blocks in [
        json!([{"type": "tool_use", "id": "t", "name": "n", "input": image}]),
        json!([{"type": "tool_use", "id": "t", "name": "n", "input": {"source": image["source"]}}]),
        json!([{"type": "text", "text": data}]),
    ] {
        assert!(input(&said(blocks).unwrap()) > 1 << 20);
    }
    assert!(said(json!([{"type": "text", "text": "x", "source": image["source"]}])).is_err());
}

#[test]
fn documents_that_are_not_text_are_bounded_by_the_window() {
    let pdf = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}});
    let linked = json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}});
    let fetched = json!({"type": "web_fetch_tool_result", "tool_use_id": "t", "content": {"type": "web_fetch_result", "url": "u", "content": pdf}});
    for blocks in [json!([pdf]), json!([linked, linked]), json!([{"type": "tool_result", "tool_use_id": "t", "content": [pdf]}]), json!([fetched])] {
        let ask = said(blocks).unwrap();
        assert_eq!((ask.bound.windows, ask.bound.choices), (1, 1));
        assert_eq!(input_within(&ask, 200_000), 200_000);
    }
    let mut headers = HeaderMap::new();
    headers.append(headers::BETA, HeaderValue::from_static("files-api-2025-04-14"));
    headers.append(headers::BETA, HeaderValue::from_static("a, context-1m-2025-08-07"));
    let wide = read(with(json!({"messages": [{"role": "user", "content": [pdf]}]})).to_string().as_bytes(), &headers).unwrap();
    assert_eq!(input_within(&wide, 200_000), 1_000_000);
    assert!(wide.bound.with_window(None).is_err());
    assert_eq!(asked(json!({})).bound.with_window(None), Ok(asked(json!({})).bound));
}

fn input_within(ask: &Ask, window: u64) -> u64 {
    ask.bound.with_window(Some(window)).unwrap().input.get(Unit::Input)
}

#[test]
fn citations_and_references_multiply_what_they_repeat() {
    let text = "A. ".repeat(1_000);
    let document = |citations: Value| {
        input(&said(json!([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, "citations": citations}])).unwrap())
    };
    assert!(document(json!({"enabled": true})) > 15 * document(json!({"enabled": false})));
    let description = "x".repeat(1_000);
    let references = |count: usize| {
        let blocks = vec![json!({"type": "tool_reference", "tool_name": "n"}); count];
        input(&asked(json!({
            "messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": blocks}]}],
            "tools": [{"name": "n", "description": description, "input_schema": {}, "defer_loading": true}],
        })))
    };
    assert!(references(50) - references(0) >= 50_000);
}

#[test]
fn hour_long_caching_is_seen_wherever_it_stands() {
    let hour = json!({"type": "ephemeral", "ttl": "1h"});
    let cached = |control: &Value| json!({"type": "text", "text": "x", "cache_control": control});
    for more in [
        json!({"cache_control": hour}),
        json!({"system": [cached(&hour)]}),
        json!({"messages": [{"role": "user", "content": [cached(&hour)]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [cached(&hour)]}]}]}),
        json!({"tools": [{"name": "n", "input_schema": {}, "cache_control": hour}]}),
        json!({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1, "cache_control": hour}]}),
    ] {
        let ask = asked(more.clone());
        assert!(ask.bound.input.get(Unit::CacheWrite1h) > 0 && input(&ask) == 0, "{more}");
    }
    let escaped = with(json!({"cache_control": hour})).to_string().replace("\"ttl\":\"1h\"", "\"tt\\u006c\":\"\\u0031h\"");
    assert!(ask(&escaped).unwrap().bound.input.get(Unit::CacheWrite1h) > 0);
    assert!(input(&asked(json!({"cache_control": {"type": "ephemeral", "ttl": "5m"}}))) > 0);
}

#[test]
fn tools_at_the_provider_run_the_model_again() {
    let search = |kind: &str, uses: Value| asked(json!({"tools": [{"type": kind, "name": "web_search", "max_uses": uses}]}));
    let bound = search("web_search_20250305", json!(2)).bound;
    assert_eq!((bound.windows, bound.choices, bound.max_searches), (3, 3, 2));
    let bound = search("web_search_20250305", json!(100)).bound;
    assert_eq!((bound.windows, bound.choices, bound.max_searches), (10, 10, 100));
    // Later ones run code in between.
    let bound = search("web_search_20260318", json!(2)).bound;
    assert_eq!((bound.windows, bound.choices, bound.max_searches), (10, 10, 2));
    let both = asked(json!({"tools": [
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}, {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 3},
    ]}));
    assert_eq!((both.bound.windows, both.bound.choices, both.bound.max_searches), (5, 5, 1));
    let found = asked(json!({"tools": [{"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}, {"name": "n", "input_schema": {}}]}));
    assert_eq!((found.bound.windows, found.bound.max_searches), (10, 0));
    for client in ["bash_20250124", "text_editor_20250728", "computer_20251124", "memory_20250818", "computer_toolset_20260801"] {
        let ask = asked(json!({"tools": [{"type": client, "name": "n"}]}));
        assert!(ask.bound.windows == 0 && ask.bound.choices == 1 && input(&ask) > 3_000, "{client}");
    }
}

#[test]
fn a_search_without_a_limit_gets_one() {
    let upstream = |tool: &str| {
        let body = format!(r#"{{"model":"m","max_tokens":9,"messages":[],"tools":[{tool},{{"name":"n","input_schema":{{}}}}]}}"#);
        let ask = ask(&body).unwrap();
        assert_eq!(ask.bound.max_searches, 5);
        let sent = ask.upstream_body(&Bytes::from(body), Some(7));
        serde_json::from_slice::<Value>(&sent).unwrap()
    };
    for tool in [
        r#"{"type":"web_search_20250305","name":"web_search"}"#,
        r#"{ "name":"web_search", "type" : "web_search_20250305" }"#,
        r#"{"type":"web_search_20250305","name":"web_search","max_uses":null}"#,
    ] {
        let sent = upstream(tool);
        assert_eq!(sent["tools"][0], json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 5}));
        assert_eq!((&sent["max_tokens"], &sent["tools"][1]), (&json!(7), &json!({"name": "n", "input_schema": {}})));
    }
}

#[test]
fn tiers_speeds_and_places_are_priced_under_their_names() {
    let tier = |more: Value| asked(more).service_tier;
    assert_eq!(tier(json!({})), None);
    assert_eq!(tier(json!({"service_tier": "standard_only"})).as_deref(), Some("standard_only"));
    assert_eq!(tier(json!({"service_tier": "auto", "speed": "fast"})).as_deref(), Some("fast"));
    assert_eq!(tier(json!({"inference_geo": "us"})).as_deref(), Some("us"));
    for more in [json!({"service_tier": "priority"}), json!({"speed": "warp"}), json!({"inference_geo": 7}), json!({"stream": "yes"})] {
        assert!(ask(&with(more).to_string()).is_err());
    }
}

#[test]
fn the_limit_is_set_where_it_stands_and_nothing_else_changes() {
    let body = Bytes::from_static(b"{ \"messages\" : [], \"max_tokens\" : 100 ,\"model\":\"m\"}");
    let ask = read(&body, &HeaderMap::new()).unwrap();
    assert_eq!(ask.upstream_body(&body, Some(42)), &b"{ \"messages\" : [], \"max_tokens\" : 42 ,\"model\":\"m\"}"[..]);
    let same = ask.upstream_body(&body, None);
    assert_eq!(same.as_ptr(), body.as_ptr());
}

#[test]
fn a_clamp_leaves_room_for_thinking() {
    let model = BOOK.find("anthropic", "claude-sonnet-4-5").unwrap();
    let rates = model.rates(Timestamp::now(), &Variant::Default).unwrap();
    let limits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
    let least = |thinking: Value| {
        let ask = asked(json!({"max_tokens": 8_000, "thinking": thinking}));
        let quote = quote(&[rates], &model.limits, &ask.bound, &limits).unwrap();
        quote.output_limit_for(quote.least)
    };
    assert_eq!(least(json!({"type": "enabled", "budget_tokens": 4_000})), 4_001);
    assert_eq!(least(json!({"type": "adaptive"})), 16);
    assert_eq!(least(json!({"type": "disabled"})), 16);
    // With interleaved thinking the budget may be larger than the limit: then there is nothing to lower.
    assert_eq!(least(json!({"type": "enabled", "budget_tokens": 9_000})), 8_000);
}

/// A request of any shape that is priced.
fn requests() -> impl Strategy<Value = Value> {
    let optional = |name: &'static str, value: Value| prop_oneof![2 => Just(None), 1 => Just(Some((name.to_owned(), value)))];
    let block = prop_oneof![
        "\\PC{0,60}".prop_map(|text| json!({"type": "text", "text": text})),
        Just(json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}})),
        Just(json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}})),
        Just(json!({"type": "text", "text": "kept", "cache_control": {"type": "ephemeral", "ttl": "1h"}})),
    ];
    (
        prop::collection::vec(block, 0..4),
        0..5_000_u64,
        optional("system", json!("be brief")),
        optional("tools", json!([{"name": "look", "input_schema": {"type": "object"}}])),
        optional("thinking", json!({"type": "adaptive"})),
        optional("speed", json!("fast")),
        prop::option::of((0..12_u64, any::<bool>())),
    )
        .prop_map(|(blocks, limit, system, tools, thinking, speed, search)| {
            let mut body = json!({"model": "claude-opus-5", "max_tokens": limit, "messages": [{"role": "user", "content": blocks}]});
            body.as_object_mut().unwrap().extend([system, tools, thinking, speed].into_iter().flatten());
            if let Some((uses, first)) = search {
                let kind = if first { "web_search_20250305" } else { "web_search_20260209" };
                body["tools"] = json!([{"type": kind, "name": "web_search", "max_uses": uses}]);
            }
            body
        })
}

proptest! {
    /// Whatever mix of classes the provider reports within the bound's counts, at whatever speed: it costs no more than was asked for.
    #[test]
    fn no_report_within_the_bound_costs_more_than_it(body in requests(), shares in prop::collection::vec(0..=100_u64, 6)) {
        let model = BOOK.find("anthropic", "claude-opus-5").unwrap();
        let ask = ask(&body.to_string()).unwrap();
        let bound = ask.bound.with_window(model.limits.context).unwrap();
        let limits = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
        let now = Timestamp::now();
        let served: Vec<_> = [Variant::Default, Variant::Speed("fast")].iter().take(1 + usize::from(ask.service_tier.is_some()))
            .map(|variant| model.rates(now, variant).unwrap()).collect();
        let want = quote(&served, &model.limits, &bound, &limits).unwrap().want;
        let hour = bound.input.get(Unit::CacheWrite1h) > 0;
        let tokens = bound.input.input_tokens();
        let (read, written, kept) = (tokens * shares[0] / 100, tokens * shares[1] / 200, tokens * shares[2] / 200);
        let read = read.min(tokens - written - kept);
        let output = ask.bound.output_tokens.unwrap() * bound.choices * shares[3] / 100;
        let usage = Usage::default()
            .with(Unit::CacheRead, read)
            .with(Unit::CacheWrite, written)
            .with(if hour { Unit::CacheWrite1h } else { Unit::CacheWrite }, if hour { kept } else { written + kept })
            .with(Unit::Output, output - output * shares[4] / 100)
            .with(Unit::OutputReasoning, output * shares[4] / 100)
            .with(Unit::WebSearches, bound.max_searches * shares[5] / 100);
        let usage = usage.with(Unit::Input, tokens - usage.input_tokens());
        prop_assert_eq!(usage.input_tokens(), tokens);
        for rates in served {
            prop_assert!(rates.cost(&usage).unwrap() <= want, "{:?} {:?}", usage, bound);
        }
    }

    #[test]
    fn no_body_breaks_it(body in "[{}\\[\\]\",:a-z0-9_ ]{0,80}") {
        let _ = ask(&body);
    }

    /// Members of the right names with values of any kind.
    #[test]
    fn no_value_breaks_it(name in "messages|model|max_tokens|system|tools|tool_choice|thinking|output_config|context_management|speed|stream|metadata",
                          value in crate::apis::json::tests::any_json()) {
        let mut body = with(json!({}));
        body[name] = value;
        let _ = ask(&body.to_string());
    }
}
