use serde_json::{Value, json};

use super::*;
use crate::apis::KeptId;
use crate::prices::Usage;

fn seal() -> Seal {
    Seal::new(b"sk-provider", "me").unwrap()
}

fn response() -> Value {
    json!({"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-5.4", "service_tier": "flex", "previous_response_id": "resp_0",
        "instructions": "the \"id\": \"x\" stays", "conversation": null, "metadata": {"id": "stays"},
        "output": [{"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "hello", "annotations": [{"id": "stays"}]}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}}],
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12}})
}

fn run(searches: bool, seal: Option<Seal>, chunks: &[&[u8]]) -> (Vec<u8>, Measured) {
    let mut meter = WholeMeter::new(searches, seal);
    let mut pass = Vec::new();
    for chunk in chunks {
        meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        assert!(!meter.terminal());
    }
    meter.end(&mut pass);
    assert!(meter.terminal() && pass.is_empty(), "nothing passes before the charge is durable");
    (meter.take_held().concat(), meter.measured())
}

#[test]
fn the_usage_is_read_and_the_bytes_pass() {
    let body = response().to_string();
    for cut in [0, 1, 50, body.len() - 1] {
        let (passed, measured) = run(true, None, &[&body.as_bytes()[..cut], &body.as_bytes()[cut..]]);
        assert_eq!(passed, body.as_bytes());
        let told =
            Usage::default().with(Unit::Input, 5).with(Unit::CacheRead, 4).with(Unit::Output, 2).with(Unit::OutputReasoning, 1).with(Unit::WebSearches, 1);
        assert_eq!((measured.usage, measured.complete, measured.absurd), (Some(told), true, false));
        assert_eq!((measured.model.as_deref(), measured.service_tier.as_deref()), (Some("gpt-5.4"), Some("flex")));
    }
}

#[test]
fn ids_of_what_is_kept_get_the_seal() {
    let (passed, _) = run(false, Some(seal()), &[response().to_string().as_bytes()]);
    let mut sealed: Value = serde_json::from_slice(&passed).unwrap();
    let mut unseal = |pointer: &str| {
        let place = sealed.pointer_mut(pointer).unwrap();
        let kept = KeptId::read(place.as_str().unwrap(), None);
        assert!(seal().owns(&kept), "{pointer}");
        *place = json!(kept.id);
    };
    for pointer in ["/id", "/previous_response_id", "/output/0/id", "/output/1/id"] {
        unseal(pointer);
    }
    assert_eq!(sealed, response());
    let (passed, _) = run(false, Some(seal()), &[br#"{"id":"resp_1","object":"response","deleted":true}"#]);
    assert!(passed.starts_with(b"{\"id\":\"resp_1_sg"));
}

#[test]
fn what_is_no_response_passes_as_it_is() {
    for body in ["", "not json", "[1]", "{\"error\":{\"message\":\"no\"}}", "{\"id\":\"resp_1\""] {
        let (passed, measured) = run(true, Some(seal()), &[body.as_bytes()]);
        assert_eq!((passed.as_slice(), measured.usage), (body.as_bytes(), None));
    }
    let mut odd = response();
    odd["usage"]["output_tokens"] = json!(-3);
    let (_, measured) = run(true, None, &[odd.to_string().as_bytes()]);
    assert!(measured.absurd && measured.usage.is_none());
    odd["usage"] = Value::Null;
    let (_, measured) = run(true, None, &[odd.to_string().as_bytes()]);
    assert!(!measured.absurd && measured.usage.is_none() && measured.served_output >= 5);
}

#[test]
fn an_answer_that_breaks_off_is_metered_by_its_bytes() {
    let body = response().to_string();
    let mut meter = WholeMeter::new(false, Some(seal()));
    meter.chunk(Bytes::copy_from_slice(&body.as_bytes()[..300]), &mut Vec::new());
    assert_eq!((meter.measured().served_output, meter.measured().complete), (300, false));
}

#[test]
fn a_giant_passes_in_pieces() {
    let mut meter = WholeMeter::new(false, Some(seal()));
    let mut pass = Vec::new();
    let piece = Bytes::from(vec![b' '; MAX_BODY / 4]);
    for _ in 0..6 {
        meter.chunk(piece.clone(), &mut pass);
    }
    meter.end(&mut pass);
    assert_eq!((pass.len(), meter.take_held().len()), (5, 1));
    assert_eq!(meter.measured().served_output, 6 * (MAX_BODY as u64 / 4));
}
