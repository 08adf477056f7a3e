use super::*;

fn embed(body: &str, batch: bool) -> Result<Ask, String> {
    read("gemini-embedding-2", body.as_bytes(), batch).map_err(|error| error.message)
}

#[test]
fn texts_are_bounded_by_their_bytes() {
    let text = "x".repeat(1_000);
    let one = embed(&format!(r#"{{"content":{{"parts":[{{"text":"{text}"}}]}},"taskType":"RETRIEVAL_QUERY","output_dimensionality":256}}"#), false).unwrap();
    assert!((1_000..1_300).contains(&one.bound.input.get(Unit::Input)));
    assert!(!one.bound.has_output && one.bound.windows == 0 && !one.clampable() && !one.stream);
    let request = format!(r#"{{"model":"models/gemini-embedding-2","content":{{"parts":{{"text":"{text}"}}}},"title":"t"}}"#);
    let many = embed(&format!(r#"{{"requests":[{request},{request},{request}]}}"#), true).unwrap();
    assert!((3_000..4_000).contains(&many.bound.input.get(Unit::Input)), "{:?}", many.bound);
}

#[test]
fn media_fill_a_window_each() {
    let film = r#"{"content":{"parts":[{"inlineData":{"mimeType":"video/mp4","data":"AAAA"}}]}}"#;
    let many = embed(&format!(r#"{{"requests":[{film},{film}]}}"#), true).unwrap();
    let bound = many.bound.with_window(Some(8_192)).unwrap();
    assert_eq!(bound.input.get(Unit::InputVideo), 2 * 8_192);
}

#[test]
fn what_is_not_understood_is_refused() {
    for (body, batch, said) in [
        ("{}", false, "'content' is missing"),
        (r#"{"requests":[]}"#, true, "'requests' is missing"),
        (r#"{"requests":[{}]}"#, true, "'content' is missing"),
        (r#"{"content":{"parts":[]},"model":"models/other"}"#, false, "in the path"),
        (r#"{"requests":[{"content":{"parts":[]},"model":"models/gemini-4-argon"}]}"#, true, "in the path"),
        (r#"{"content":{"parts":[]},"serviceTier":"priority"}"#, false, "'serviceTier'"),
        (r#"{"content":{"parts":[]},"surprise":1}"#, false, "'surprise'"),
        (r#"{"content":{"parts":[]},"taskType":"a","task_type":"b"}"#, false, "both of its spellings"),
        ("[]", false, "object"),
        ("", true, "JSON"),
    ] {
        let message = embed(body, batch).unwrap_err();
        assert!(message.contains(said), "{body}: {message}");
    }
}
