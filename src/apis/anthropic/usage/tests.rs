use super::*;

fn read(texts: &[&str]) -> Option<Reported> {
    let mut reported = Reported::default();
    texts.iter().all(|text| reported.read(text.as_bytes())).then_some(reported)
}

fn usage(texts: &[&str]) -> Option<Usage> {
    read(texts)?.usage(false)
}

const WHOLE: &str = r#"{"input_tokens":10,"cache_creation_input_tokens":30,"cache_read_input_tokens":5,
 "cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":10},"output_tokens":9,"output_tokens_details":{"thinking_tokens":4},
 "server_tool_use":{"web_search_requests":2,"web_fetch_requests":1},"service_tier":"standard","inference_geo":"not_available","speed":null}"#;

#[test]
fn the_classes_are_disjoint() {
    let expected = Usage::default()
        .with(Unit::Input, 10)
        .with(Unit::CacheRead, 5)
        .with(Unit::CacheWrite, 20)
        .with(Unit::CacheWrite1h, 10)
        .with(Unit::Output, 5)
        .with(Unit::OutputReasoning, 4)
        .with(Unit::WebSearches, 2);
    assert_eq!(usage(&[WHOLE]), Some(expected));
    assert_eq!(expected.input_tokens(), 45);
    assert_eq!(read(&[WHOLE]).unwrap().served().as_deref(), Some("standard"));
}

#[test]
fn later_counts_stand_for_earlier_ones_and_what_is_left_out_stays() {
    let first = WHOLE.replace("\"output_tokens\":9", "\"output_tokens\":1").replace("\"thinking_tokens\":4", "\"thinking_tokens\":0");
    let last = r#"{"output_tokens":9,"output_tokens_details":{"thinking_tokens":4},"cache_read_input_tokens":null}"#;
    assert_eq!(usage(&[&first, last]), usage(&[WHOLE]));
    // What was written has doubled since its split was told: it is shared out alike.
    let grown = usage(&[WHOLE, r#"{"input_tokens":11,"cache_creation_input_tokens":61,"output_tokens":9}"#]).unwrap();
    assert_eq!((grown.get(Unit::Input), grown.get(Unit::CacheWrite), grown.get(Unit::CacheWrite1h)), (11, 40, 21));
}

#[test]
fn what_is_written_without_a_split_is_as_dear_as_it_was_asked_for() {
    let written = |hour| {
        let usage = read(&[r#"{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":7}"#]).unwrap().usage(hour).unwrap();
        (usage.get(Unit::CacheWrite), usage.get(Unit::CacheWrite1h))
    };
    assert_eq!((written(false), written(true)), ((7, 0), (0, 7)));
    let split = r#"{"input_tokens":1,"output_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3}}"#;
    assert_eq!(usage(&[split]).unwrap().get(Unit::CacheWrite1h), 3);
}

#[test]
fn runs_that_are_not_in_the_counts_are_added_up() {
    let told = r#"{"input_tokens":10,"output_tokens":5,"iterations":[
        {"type":"compaction","input_tokens":900,"output_tokens":70,"cache_creation_input_tokens":8},{"type":"message","input_tokens":10,"output_tokens":5}]}"#;
    let usage = usage(&[told]).unwrap();
    assert_eq!((usage.get(Unit::Input), usage.get(Unit::Output), usage.get(Unit::CacheWrite)), (910, 75, 8));
}

#[test]
fn how_it_was_served_is_one_name() {
    let served = |more: &str| read(&[&format!(r#"{{"input_tokens":1,"output_tokens":1,{more}}}"#)]).unwrap().served();
    assert_eq!(served(r#""service_tier":"priority","speed":"standard","inference_geo":"global""#).as_deref(), Some("priority"));
    assert_eq!(served(r#""service_tier":"standard","speed":"fast","inference_geo":"us""#).as_deref(), Some("fast"));
    assert_eq!(served(r#""service_tier":"standard","inference_geo":"us""#).as_deref(), Some("us"));
    assert_eq!(served(r#""service_tier":null"#), None);
}

#[test]
fn what_cannot_be_is_not_believed() {
    for bad in ["-1", "1.5", "1e3", "\"9\"", "1099511627777", "true", "{}"] {
        for name in ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] {
            assert!(read(&[&format!(r#"{{"input_tokens":1,"output_tokens":1,"{name}":{bad}}}"#)]).is_none(), "{name} {bad}");
        }
    }
    assert!(read(&["[]"]).is_none() && read(&["{"]).is_none());
    assert_eq!(usage(&[r#"{"input_tokens":1}"#]), None);
    assert_eq!(usage(&[r#"{"output_tokens":1}"#]), None);
    // A part that is larger than its whole does not make the whole larger.
    assert_eq!(usage(&[r#"{"input_tokens":1,"output_tokens":3,"output_tokens_details":{"thinking_tokens":9}}"#]).unwrap().get(Unit::OutputReasoning), 3);
}
