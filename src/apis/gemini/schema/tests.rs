use super::*;

/// What a schema counts beside its bytes, and whether it may be as long as the window.
fn counted(schema: &str) -> (u64, bool) {
    let mut scan = Scan::default();
    let mut scanner = Scanner::strict(schema.as_bytes());
    count(&mut scanner, schema.as_bytes(), &mut scan).unwrap();
    scanner.finish().unwrap();
    (scan.special_tokens, scan.unseen)
}

#[test]
fn a_schema_without_references_is_its_bytes() {
    assert_eq!(counted(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#), (0, false));
}

#[test]
fn references_are_counted_written_out() {
    // Twenty definitions, each of which uses the next one twice: a million of the last.
    let mut definitions: Vec<String> =
        (0..20).map(|n| format!(r##""d{n}":{{"anyOf":[{{"$ref":"#/$defs/d{}"}},{{"\u0024ref":"#/$defs/d{}"}}]}}"##, n + 1, n + 1)).collect();
    definitions.push(r#""d20":{"type":"string"}"#.to_owned());
    let (tokens, unseen) = counted(&format!(r##"{{"$defs":{{{}}},"$ref":"#/$defs/d0"}}"##, definitions.join(",")));
    assert!(tokens > 1_000_000 * 12 && !unseen, "{tokens}");
    let (tokens, unseen) = counted(r##"{"defs":{"a":{"type":"STRING"}},"properties":{"x":{"ref":"#/defs/a"}}}"##);
    assert!((20..500).contains(&tokens) && !unseen);
}

#[test]
fn what_never_ends_counts_as_the_window() {
    for schema in [
        r##"{"$ref":"#"}"##,
        r##"{"$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"items":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
        r##"{"$ref":"#/$defs/none"}"##,
        r#"{"$ref":"https://example.com/schema"}"#,
    ] {
        assert_eq!(counted(schema), (0, true), "{schema}");
    }
    let chain: Vec<String> = (0..60).map(|n| format!(r##""d{n}":{{"$ref":"#/$defs/d{}"}}"##, n + 1)).collect();
    assert!(counted(&format!(r##"{{"$defs":{{{},"d60":true}},"$ref":"#/$defs/d0"}}"##, chain.join(","))).1);
}
