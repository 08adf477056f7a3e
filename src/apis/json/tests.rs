use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn check(text: &[u8]) -> Result<(), JsonError> {
    let mut scanner = Scanner::strict(text);
    scanner.value()?;
    scanner.finish()
}

#[test]
fn accepts_json() {
    for text in [
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0.5e+3",
        "1E-2",
        "\"\"",
        r#""a\"\\\/\b\f\n\r\té""#,
        "true",
        "false",
        "null",
        r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#,
        "\"\\ud800\"",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn refuses_what_is_not_json() {
    let bad = [
        "",
        "{",
        "[",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "nul",
        "tru",
        "NaN",
        "Infinity",
        "-",
        "01",
        "1.",
        ".5",
        "1e",
        "+1",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\n\"",
        "\"\u{0}\"",
        "[1 2]",
        "{} {}",
        "{}x",
        "\u{feff}{}",
        "/**/{}",
    ];
    for text in bad {
        assert!(matches!(check(text.as_bytes()), Err(JsonError::Syntax { .. })), "{text}");
    }
}

#[test]
fn refuses_members_that_appear_twice_at_any_level() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":1}"#, r#"[{"x":{"n":1,"n":2}}]"#, r#"{"é":1,"\u00e9":2}"#, r#"{"\ud83d\ude00":1,"😀":2}"#] {
        assert!(matches!(check(text.as_bytes()), Err(JsonError::DuplicateKey { .. })), "{text}");
    }
    for count in [2, 15, 16, 17, 40, 1_000] {
        for twice in [0, count / 2, count - 1] {
            let members: Vec<String> = (0..count).chain([twice]).map(|index| format!("\"k{index}\":{{\"k0\":1}}")).collect();
            let text = format!("{{{}}}", members.join(","));
            assert!(matches!(check(text.as_bytes()), Err(JsonError::DuplicateKey { .. })), "{count} {twice}");
            let text = format!("{{{}}}", members[..count].join(","));
            assert_eq!(check(text.as_bytes()), Ok(()));
        }
    }
    assert!(matches!(check(br#"{"\ud800":1}"#), Err(JsonError::Syntax { .. })));
}

#[test]
fn a_giant_object_takes_no_quadratic_time() {
    let members: Vec<String> = (0..60_000).map(|index| format!("\"key-{index:08}\":0")).collect();
    let text = format!("{{{}}}", members.join(","));
    let start = std::time::Instant::now();
    assert_eq!(check(text.as_bytes()), Ok(()));
    // Milliseconds by hash; each with each takes half a minute in a debug build.
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn refuses_deep_nesting() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(check(nested(64).as_bytes()), Ok(()));
    assert_eq!(check(nested(65).as_bytes()), Err(JsonError::TooDeep));
    assert_eq!(check("[".repeat(1_000_000).as_bytes()), Err(JsonError::TooDeep));
    assert_eq!(check("{\"a\":".repeat(100_000).as_bytes()), Err(JsonError::TooDeep));
}

#[test]
fn finds_the_end_of_strings_at_every_offset() {
    for length in 0..70 {
        for special in ["\"", "\\n\"", "\\\\\""] {
            let text = format!("\"{}{special} , 1", "x".repeat(length));
            let mut scanner = Scanner::strict(text.as_bytes());
            assert_eq!(scanner.string().unwrap().raw().len(), length + special.len() - 1);
            assert_eq!(scanner.position(), 1 + length + special.len());
        }
        let bad = format!("\"{}\u{1}\"", "x".repeat(length));
        assert!(check(bad.as_bytes()).is_err());
    }
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), ".{0,40}".prop_map(Value::from)];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..24).prop_map(|map| Value::Object(map.into_iter().collect()))
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_on_what_is_json(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(check(&text), Ok(()));
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        prop_assert_eq!(check(&pretty), Ok(()));
        // One byte changed: where serde refuses, we do (it accepts repeated members, and refuses lone surrogates).
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(text) = std::str::from_utf8(&text) {
            let serde = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
            if check(text.as_bytes()).is_ok() {
                prop_assert!(serde, "{}", text);
            } else if serde {
                prop_assert!(!matches!(check(text.as_bytes()), Err(JsonError::Syntax { .. })) || text.contains("\\u"), "{}", text);
            }
        }
    }
}
