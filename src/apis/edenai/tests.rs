use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::*;
use crate::apis::{AskErrorKind, Refusal, price};
use crate::prices::{PriceBook, Unit};

fn ask(path: &str, body: &Value) -> Result<Ask, AskError> {
    let body = Bytes::from(body.to_string());
    let operation = EdenAi.operation(&Method::POST, path).unwrap();
    operation.ask(&RequestView { method: &Method::POST, path, query: None, headers: &HeaderMap::new(), body: &body })
}

fn chat(more: Value) -> Value {
    let mut body = json!({"model": "anthropic/claude-haiku-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn simulated(path: &str, body: &Value) -> Simulated {
    let body = Bytes::from(body.to_string());
    let method = if body.as_ref() == b"null" { Method::GET } else { Method::POST };
    let operation = EdenAi.operation(&method, path).unwrap();
    let request = RequestView { method: &method, path, query: None, headers: &HeaderMap::new(), body: &body };
    operation.simulate(&request, &Faults::default(), &mut ["openai/gpt-4o", "own"].into_iter()).unwrap()
}

fn whole(path: &str, body: &Value) -> Value {
    serde_json::from_slice(&simulated(path, body).chunks.concat()).unwrap()
}

fn input(body: &Value) -> (u64, u64) {
    let bound = ask("chat/completions", body).unwrap().bound;
    (bound.input.get(Unit::Input), bound.input.get(Unit::CacheWrite1h))
}

#[test]
fn every_path_is_an_operation_or_says_why_not() {
    for (path, method, name) in [
        ("chat/completions", Method::POST, "chat.completions"),
        ("llm/chat/completions", Method::POST, "chat.completions"),
        ("embeddings", Method::POST, "embeddings"),
        ("moderations", Method::POST, "moderations"),
        ("responses", Method::POST, "responses"),
        ("llm/responses", Method::POST, "responses"),
        ("images/generations", Method::POST, "images.generations"),
        ("images/edits", Method::POST, "images.edits"),
        ("audio/speech", Method::POST, "audio.speech"),
        ("audio/transcriptions", Method::POST, "audio.transcriptions"),
        ("v1/messages", Method::POST, "messages"),
        ("v1/messages/count_tokens", Method::POST, "messages.count_tokens"),
        ("universal-ai", Method::POST, "universal_ai"),
        ("universal-ai/async", Method::POST, "universal_ai.begin_job"),
        ("universal-ai/async/550e8400-e29b", Method::GET, "universal_ai.job"),
        ("models", Method::GET, "models.list"),
        ("llm/models", Method::GET, "models.list"),
        ("info", Method::GET, "info"),
        ("info/ocr", Method::GET, "info"),
        ("info/audio/tts/voices", Method::GET, "info"),
    ] {
        assert_eq!(EdenAi.operation(&method, path).unwrap().name(), name, "{path}");
        assert!(EdenAi.operation(&Method::DELETE, path).err().unwrap().message.contains(method.as_str()), "{path}");
    }
    for (path, what) in [
        ("responses/input_tokens", "Responses"),
        ("llm/responses/compact", "Responses"),
        ("responses/resp_1/cancel", "Responses"),
        ("llm/responses/resp_1/input_items", "Responses"),
        ("images/variations", "images"),
        ("audio/translations", "audio"),
        ("videos", "finished job"),
        ("alpha/decisions", "does not meter decisions"),
        ("llm/embeddings", "not an operation"),
        ("upload", "files"),
        ("universal-ai/asyncs", "not an operation"),
        ("universal-ai/async/a/b", "not an operation"),
        ("universal-ai/collections/1/items", "collections"),
        ("manage/keys/", "management"),
        ("v1/messages/batches", "not an operation"),
        ("infos", "not an operation"),
        ("info/", "not an operation"),
        ("info/a//b", "not an operation"),
        ("info/../models", "not an operation"),
        ("info/a/b/c/d", "not an operation"),
    ] {
        let refused = EdenAi.operation(&Method::POST, path).err().or(EdenAi.operation(&Method::GET, path).err());
        assert!(refused.unwrap().message.contains(what), "{path}");
    }
}

#[test]
fn a_path_goes_below_the_version_once() {
    let body = Bytes::new();
    let request = RequestView { method: &Method::POST, path: "v1/messages", query: None, headers: &HeaderMap::new(), body: &body };
    for api in [&EdenAi as &dyn Api, EdenAi.at("v1/messages").unwrap()] {
        assert_eq!(api.upstream_path("", &request, "/v3/v1/messages"), "/v3/v1/messages");
        assert_eq!(api.upstream_path("/v3", &request, "/v3/v1/messages"), "/v3/v1/messages");
    }
    assert!(EdenAi.at("chat/completions").is_none());
}

#[test]
fn models_have_the_price_of_their_seller() {
    let book = PriceBook::builtin().unwrap();
    let find = |model: &str| price(&EdenAi, &book, "edenai", model).map(|priced| (priced.price.provider.to_string(), priced.id));
    let is = |provider: &str, id: &str| Some((provider.to_owned(), id.to_owned()));
    assert_eq!(find("openai/gpt-4o-2024-08-06"), is("openai", "openai/gpt-4o"));
    assert_eq!(find("xai/grok-4").map(|(provider, _)| provider).as_deref(), Some("x-ai"));
    // The same at another place, a model without a seller, a seller without a price, an alias of Eden AI's own, another case.
    for unpriced in ["openai/gpt-4o@eu", "gpt-4o", "@edenai", "nobody/gpt-4o", "openai/gpt-nobody-knows", "OpenAI/gpt-4o", "openai/", "/gpt-4o", "openai"] {
        assert_eq!(find(unpriced), None, "{unpriced}");
    }
    for seller in EdenAi.sellers() {
        assert!(book.models(seller.provider).next().is_some(), "{} is not in the price book", seller.provider);
        assert_eq!(EdenAi.sellers().iter().filter(|other| other.name == seller.name).count(), 1, "{}", seller.name);
    }
    // What the operator gives the upstream's own provider comes first.
    let own = "[[models]]\nprovider = \"edenai\"\nid = \"openai/gpt-4o@eu\"\nprices = { input_mtok = \"3\", output_mtok = \"12\" }\n";
    let own = PriceBook::parse(own, "prices.toml").unwrap();
    assert_eq!(price(&EdenAi, &own, "edenai", "openai/gpt-4o@eu").unwrap().id, "openai/gpt-4o@eu");
}

#[test]
fn what_sellers_bill_beside_the_text_is_in_the_bound() {
    let (plain, hour) = input(&chat(json!({})));
    assert_eq!(hour, 0);
    let tools = json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let (with_tools, _) = input(&chat(tools));
    // Anthropic's price list: up to 804 tokens for tools.
    assert!(with_tools >= plain + 804 + 40, "{plain} {with_tools}");
    let (with_schema, _) = input(&chat(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}})));
    assert!(with_schema >= plain + 804 + 40, "{plain} {with_schema}");
    let cached = |ttl: Value| chat(json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "hello", "cache_control": {"ttl": ttl}}]}]}));
    assert_eq!(input(&cached(json!("5m"))).1, 0);
    for ttl in [json!("1h"), json!("2h")] {
        assert!(matches!(input(&cached(ttl)), (0, hour) if hour > plain));
    }
    let escaped = r#"{"model":"a/b","max_tokens":5,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","c":{"\u0074tl":"1h"}}]}"#;
    let view =
        |body: &Bytes| CHAT.ask(&RequestView { method: &Method::POST, path: "chat/completions", query: None, headers: &HeaderMap::new(), body }).unwrap();
    assert!(view(&Bytes::from_static(escaped.as_bytes())).bound.input.get(Unit::CacheWrite1h) > 0);
}

#[test]
fn images_cost_what_the_dearest_seller_may_bill() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let of = |model: &str| {
        let body = json!({"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": [image]}]});
        ask("v1/messages", &body).unwrap().bound.input.get(Unit::Input)
    };
    assert!((5_000..6_000).contains(&of("anthropic/claude-haiku-4-5")));
    assert!(of("openai/gpt-4o-mini") >= 48_169);
    assert!(of("google/gemini-2.5-flash") >= 48_169);
}

#[test]
fn fields_that_cost_are_refused_by_name() {
    for (key, value) in [
        ("fallbacks", json!(["openai/gpt-4o"])),
        ("router_candidates", json!([])),
        ("pre_hooks", json!([{}])),
        ("post_hooks", json!([{}])),
        ("image_config", json!({})),
        ("extra_body", json!({})),
        ("extra_headers", json!({})),
        ("audio", json!({})),
        ("nobody_knows", json!(1)),
    ] {
        let error = ask("chat/completions", &chat(json!({key: value}))).unwrap_err();
        assert_eq!((error.param.as_deref(), error.kind), (Some(key), AskErrorKind::Unsupported), "{key}");
        assert!(error.message.contains(key), "{}", error.message);
    }
    assert_eq!(ask("chat/completions", &chat(json!({"Fallbacks": []}))).unwrap_err().kind, AskErrorKind::Invalid);
    let free = json!({"routing": {"sort": "cost"}, "session_id": "s", "tags": {"a": "b"}, "fallbacks": null});
    ask("chat/completions", &chat(free)).unwrap();
    let mut message = chat(json!({"routing": {}, "session_id": "s", "tags": {}}));
    ask("v1/messages", &message).unwrap();
    message["fallbacks"] = json!(["openai/gpt-4o"]);
    assert_eq!(ask("v1/messages", &message).unwrap_err().param.as_deref(), Some("fallbacks"));
}

#[test]
fn universal_ai_is_known_by_its_model() {
    let body = json!({"model": "ocr/ocr/google", "input": {"file": "https://example.com/a.pdf"}, "provider_params": {}, "show_original_response": true, "fallbacks": null});
    let asked = ask("universal-ai", &body).unwrap();
    assert_eq!((asked.model.as_str(), UNIVERSAL.feature_of(&asked).as_deref()), ("ocr/ocr/google", Some("ocr__ocr")));
    let with = |more: Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask("universal-ai", &body).unwrap_err().param.unwrap_or_default()
    };
    for (more, param) in [
        (json!({"fallbacks": ["ocr/ocr/amazon"]}), "fallbacks"),
        (json!({"model": "ocr/ocr"}), "model"),
        (json!({"model": "ocr//google"}), "model"),
        (json!({"model": "OCR/ocr/google"}), "model"),
        (json!({"model": 1}), "model"),
        (json!({"input": null}), "input"),
        (json!({"Model": null}), "Model"),
        (json!({"unknown": 1}), "unknown"),
    ] {
        assert_eq!(with(more), param);
    }
    assert!(ask("universal-ai", &json!([])).is_err());
}

#[test]
fn simulated_answers_tell_their_cost() {
    let body = chat(json!({}));
    let answer = whole("chat/completions", &body);
    let tokens = |usage: &Value, name: &str| usage[name].as_f64().unwrap();
    let cost = (tokens(&answer["usage"], "prompt_tokens") + 2.0 * tokens(&answer["usage"], "completion_tokens")) / 1e6;
    assert!((answer["cost"].as_f64().unwrap() - cost).abs() < 1e-12 && answer["provider"] == "anthropic", "{answer}");
    // On a stream beside the usage, and nowhere else.
    let stream = simulated("chat/completions", &chat(json!({"stream": true, "stream_options": {"include_usage": true}})));
    let told: Vec<&Bytes> = stream.chunks.iter().filter(|chunk| String::from_utf8_lossy(chunk).contains("\"cost\"")).collect();
    let event: Value = serde_json::from_slice(told[0].strip_prefix(b"data: ").unwrap()).unwrap();
    assert_eq!((told.len(), &event["cost"], &event["usage"]), (1, &answer["cost"], &answer["usage"]));
    assert!(told[0].ends_with(b"}\n\n") && stream.chunks.last().unwrap().as_ref() == b"data: [DONE]\n\n");
    let silent = simulated("chat/completions", &chat(json!({"stream": true})));
    assert!(!String::from_utf8_lossy(&silent.chunks.concat()).contains("\"cost\""));
    let message = whole("v1/messages", &body);
    assert!(message["cost"].is_f64() && message["type"] == "message", "{message}");
    let stream = simulated("v1/messages", &chat(json!({"stream": true})));
    assert!(!String::from_utf8_lossy(&stream.chunks.concat()).contains("\"cost\""), "a stream of messages tells none");
    let embedded = whole("embeddings", &json!({"model": "openai/text-embedding-3-small", "input": ["a", "b"]}));
    assert_eq!(embedded["cost"].as_f64(), Some(embedded["usage"]["prompt_tokens"].as_f64().unwrap() / 1e6));
    let read = whole("universal-ai", &json!({"model": "ocr/ocr/google/v1/x", "input": {}}));
    assert_eq!((&read["status"], &read["cost"], &read["feature"], &read["model"]), (&json!("success"), &json!("0.001"), &json!("ocr"), &json!("v1/x")));
    let body = json!({"model": "ocr/ocr_async/google", "input": {}});
    let begun = whole("universal-ai/async", &body);
    assert_eq!((simulated("universal-ai/async", &body).status.as_u16(), &begun["status"], &begun["cost"]), (202, &json!("processing"), &json!("0.000")));
    let id = begun["public_id"].as_str().unwrap();
    let ended = whole(&format!("universal-ai/async/{id}"), &Value::Null);
    assert_eq!((&ended["public_id"], &ended["status"], &ended["cost"]), (&begun["public_id"], &json!("success"), &json!("0.001")));
    assert_eq!(whole("models", &Value::Null)["data"][0]["id"], "openai/gpt-4o");
    assert_eq!(whole("info/ocr", &Value::Null)["feature"], "ocr");
}

#[test]
fn errors_have_the_shape_of_the_path() {
    let refusal = Refusal::route_not_found("no");
    let shape = |api: &dyn Api| serde_json::from_slice::<Value>(&api.envelope().refusal_body(&refusal, None)).unwrap();
    assert_eq!(shape(EdenAi.at("v1/anything").unwrap())["type"], "error");
    assert_eq!(shape(&EdenAi)["error"]["code"], "route_not_found");
}
