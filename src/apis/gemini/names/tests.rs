use super::*;

#[test]
fn both_spellings_are_one_name_and_mixtures_are_none() {
    for (key, name) in [
        ("max_output_tokens", "maxOutputTokens"),
        ("maxOutputTokens", "maxOutputTokens"),
        ("text", "text"),
        ("top_k", "topK"),
        ("max_outputTokens", "max_outputTokens"),
        ("_max_output_tokens", "_max_output_tokens"),
        ("max__output", "max__output"),
        ("text_", "text_"),
        ("Text", "Text"),
        ("é_ü", "éü"),
        ("", ""),
        ("_", "_"),
    ] {
        assert_eq!(camel(key), name, "{key}");
    }
}

#[test]
fn a_member_in_both_spellings_is_refused() {
    let walk = |json: &str| {
        let mut names = Vec::new();
        let walked = members(&mut Scanner::strict(json.as_bytes()), "place", |scanner, name, _| {
            names.push(name.to_owned());
            scanner.skip().map_err(AskError::from)
        });
        walked.map(|()| names).map_err(|error| error.message)
    };
    assert_eq!(walk(r#"{"a_b":1,"aC":2}"#).unwrap(), ["aB", "aC"]);
    for twice in [r#"{"a_b":1,"aB":2}"#, r#"{"aB":1,"x":0,"\u0061_b":null}"#, r#"{"a":1,"a":2}"#] {
        assert!(walk(twice).unwrap_err().contains("send it once"), "{twice}");
    }
    assert!(walk("[]").unwrap_err().contains("must be an object"));
    let many: Vec<String> = (0..65).map(|number| format!("\"a{number}\":0")).collect();
    assert!(walk(&format!("{{{}}}", many.join(","))).unwrap_err().contains("more members"));
}

#[test]
fn a_lone_element_stands_for_a_list() {
    let count = |json: &str| {
        let mut count = 0;
        let mut scanner = Scanner::strict(json.as_bytes());
        elements(&mut scanner, |scanner| {
            count += 1;
            scanner.skip().map_err(AskError::from)
        })
        .unwrap();
        scanner.finish().unwrap();
        count
    };
    assert_eq!((count("[]"), count("{}"), count(r#"[{},"x"]"#)), (0, 1, 2));
}
