use super::*;
use crate::apis::Meter;

const ROLE: &str = r#"{"id":"cmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mistral-small-2603","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#;
const HELLO: &str = r#"{"id":"cmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mistral-small-2603","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}"#;
const THINKS: &str = r#"{"id":"cmpl-1","created":1700000000,"model":"m","choices":[{"index":1,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]},"finish_reason":null}]}"#;
const END: &str = r#"{"id":"cmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"mistral-small-2603","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"service_tier":"priority"}}"#;

fn events(data: &[&str]) -> String {
    data.iter().map(|data| format!("data: {data}\n\n")).collect()
}

fn meter(data: &[&str]) -> (StreamMeter, Vec<Bytes>) {
    let mut meter = StreamMeter::begin();
    let mut pass = Vec::new();
    meter.chunk(Bytes::from(events(data)), &mut pass);
    (meter, pass)
}

#[test]
fn every_byte_passes_and_the_usage_comes_with_the_last_content() {
    let (mut meter, mut pass) = meter(&[ROLE, HELLO, END, "[DONE]"]);
    assert!(meter.terminal());
    pass.extend(meter.take_held());
    assert_eq!(pass.concat(), events(&[ROLE, HELLO, END, "[DONE]"]).as_bytes());
    let measured = meter.measured();
    assert_eq!(measured.usage, Some(Usage::default().with(Unit::Input, 9).with(Unit::Output, 3)));
    assert_eq!((measured.service_tier.as_deref(), measured.complete), (Some("priority"), true));
}

#[test]
fn a_limit_ends_the_stream_as_the_api_does() {
    let ended = |data: &[&str]| {
        let end = meter(data).0.end_at_limit(&Usage::default().with(Unit::Input, 5).with(Unit::Output, 2).with(Unit::OutputReasoning, 1))?;
        let text = String::from_utf8(end.to_vec()).unwrap();
        let mut events: Vec<String> = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect();
        assert_eq!(events.pop().unwrap(), "[DONE]");
        Some(events.iter().map(|event| serde_json::from_str::<Value>(event).unwrap()).collect::<Vec<Value>>())
    };
    let usage = json!({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8});
    let one = ended(&[ROLE, HELLO]).unwrap();
    assert_eq!(one.len(), 1);
    assert_eq!((&one[0]["id"], &one[0]["created"], &one[0]["model"]), (&json!("cmpl-1"), &json!(1_700_000_000), &json!("mistral-small-2603")));
    assert_eq!((&one[0]["choices"], &one[0]["usage"]), (&json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "length"}]), &usage));
    let two = ended(&[ROLE, THINKS]).unwrap();
    assert_eq!((two.len(), &two[0]["usage"], &two[1]["choices"][0]["index"], &two[1]["usage"]), (2, &Value::Null, &json!(1), &usage));
    assert_eq!(ended(&[ROLE, END]).unwrap()[0]["choices"], json!([]), "all had ended: the usage alone");
    assert!(ended(&[]).is_none() && ended(&[ROLE, END, "[DONE]"]).is_none());
}
