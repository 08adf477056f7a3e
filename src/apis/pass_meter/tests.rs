use http::HeaderValue;

use super::*;
use crate::apis::http::reported_cost_header;

fn nanos(body: &str, pointer: &str) -> Option<i64> {
    cost_at(body.as_bytes(), pointer).map(Usd::nanos)
}

#[test]
fn reads_costs_exactly() {
    assert_eq!(nanos(r#"{"cost":0.05}"#, "/cost"), Some(50_000_000));
    assert_eq!(nanos(r#"{"cost":"0.05"}"#, "/cost"), Some(50_000_000));
    assert_eq!(nanos(r#"{"a":[{"b/c":{"~":1}}]}"#, "/a/0/b~1c/~0"), Some(1_000_000_000));
    assert_eq!(nanos(r#"{"cost":0.1000000001}"#, "/cost"), Some(100_000_001));
    assert_eq!(nanos(r#"{"cost":1.5e-05}"#, "/cost"), Some(15_000));
    assert_eq!(nanos(r#"{"cost":0}"#, "/cost"), Some(0));
    assert_eq!(nanos("2", ""), Some(2_000_000_000));
}

#[test]
fn refuses_what_is_no_amount() {
    for cost in ["-1", "\"-0.1\"", "\"\"", "\"abc\"", "null", "true", "[1]", "{}", "1e300", "1e99", "99999999999", "\"1 000\"", "\"0x1\"", "\"NaN\"", "-1e-3"] {
        assert_eq!(nanos(&format!("{{\"cost\":{cost}}}"), "/cost"), None, "{cost}");
    }
    assert_eq!(nanos("{}", "/cost"), None);
    assert_eq!(nanos("not json", "/cost"), None);
    assert_eq!(nanos("[1]", "/7"), None);
    assert_eq!(nanos("{\"cost\":1}", "cost"), None);
}

#[test]
fn reads_headers() {
    let read = |text: &'static str| reported_cost_header(&HeaderValue::from_static(text)).map(Usd::nanos);
    assert_eq!(read("0.012"), Some(12_000_000));
    assert_eq!(read(" 1 "), Some(1_000_000_000));
    assert_eq!(read("-1"), None);
    assert_eq!(read("free"), None);
}

#[test]
fn keeps_back_the_last_chunk_until_the_charge_is_durable() {
    let mut meter = PassMeter::new(false, Some("/cost".to_owned()));
    let mut pass = Vec::new();
    meter.chunk(Bytes::from_static(b"{\"cost\":"), &mut pass);
    assert!(pass.is_empty() && !meter.terminal());
    meter.chunk(Bytes::from_static(b"0.5}"), &mut pass);
    assert_eq!(pass, [&b"{\"cost\":"[..]]);
    meter.end(&mut pass);
    assert!(meter.terminal() && meter.measured().complete);
    assert_eq!(meter.measured().reported_cost.map(Usd::nanos), Some(500_000_000));
    assert_eq!(meter.take_held(), [&b"0.5}"[..]]);
}

#[test]
fn streams_do_not_wait() {
    let mut meter = PassMeter::new(true, None);
    let mut pass = Vec::new();
    meter.chunk(Bytes::from_static(b"data: 1\n\n"), &mut pass);
    assert_eq!(pass.len(), 1);
    meter.end(&mut pass);
    assert!(meter.take_held().is_empty());
}

#[test]
fn a_cost_at_the_top_is_found_in_an_answer_of_any_size_and_others_in_small_ones() {
    let told = |pointer: &str, body: &str| {
        let mut meter = PassMeter::new(false, Some(pointer.to_owned()));
        let mut pass = Vec::new();
        for chunk in body.as_bytes().chunks(65_536) {
            meter.chunk(Bytes::copy_from_slice(chunk), &mut pass);
        }
        meter.end(&mut pass);
        meter.measured().reported_cost.map(Usd::nanos)
    };
    let filler = "x".repeat(2 << 20);
    assert_eq!(told("/cost", &format!("{{\"x\":{{\"cost\":7,\"y\":\"{filler}\"}},\"cost\":\"0.5\"}}")), Some(500_000_000));
    assert_eq!(told("/cost", "{\"x\":{\"cost\":7},\"cost\":1"), None, "it broke off");
    assert_eq!(told("/a/cost", &format!("{{\"a\":{{\"cost\":1}},\"x\":\"{filler}\"}}")), None);
    assert_eq!(told("/a/cost", "{\"a\":{\"cost\":1}}"), Some(1_000_000_000));
}
