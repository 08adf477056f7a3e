use proptest::prelude::*;
use regex::Regex;

use super::*;

fn starts(text: &str) -> Rule {
    Rule::StartsWith(text.into())
}

fn contains(text: &str) -> Rule {
    Rule::Contains(Box::new(Finder::new(text).into_owned()))
}

fn names(rules: Vec<Vec<Rule>>) -> Names {
    let mut names = Names::default();
    for (model, rules) in rules.into_iter().enumerate() {
        rules.into_iter().for_each(|rule| names.add(model, rule).unwrap());
    }
    names
}

#[test]
fn the_first_model_whose_rule_matches_wins() {
    let names = names(vec![
        vec![Rule::Equals("gpt-4o".into()), starts("ft:gpt-4o-2024-")],
        vec![contains("-small"), Rule::EndsWith("-tts".into())],
        vec![starts("gpt-4o-"), starts("gpt-")],
        vec![Rule::Regex(Regex::new("^o[0-9]+$").unwrap())],
        vec![Rule::All(vec![starts("gemini-"), Rule::Not(Box::new(contains("live")))]), Rule::Any(vec![starts("é"), Rule::Equals("x".into())])],
        vec![starts("gemini-"), starts("o1")],
    ]);
    let rows = [
        ("gpt-4o", Some(0)),
        ("ft:gpt-4o-2024-08-06:acme", Some(0)),
        ("gpt-4o-small", Some(1)),
        ("gpt-4o-tts", Some(1)),
        ("gpt-4o-audio", Some(2)),
        ("gpt-3", Some(2)),
        ("o1", Some(3)),
        ("o1-pro", Some(5)),
        ("gemini-2", Some(4)),
        ("gemini-live", Some(5)),
        ("éa", Some(4)),
        ("x", Some(4)),
        ("GPT-4o", None),
        ("gpt4", None),
        ("", None),
    ];
    for (name, model) in rows {
        assert_eq!(names.find(name), model, "{name}");
    }
    assert_eq!(names.find(&format!("gpt-{}", "x".repeat(LONGEST_NAME))), None);
}

#[test]
fn a_name_in_full_belongs_to_one_model() {
    let mut names = names(vec![vec![Rule::Equals("a".into()), Rule::Equals("a".into())]]);
    assert_eq!(names.add(1, Rule::Equals("a".into())), Err(0));
    assert_eq!(names.find("a"), Some(0));
}

proptest! {
    /// The index finds what trying every rule in the order of the models finds.
    #[test]
    fn the_index_agrees_with_a_scan(rules in prop::collection::vec(prop::collection::vec((0..4_u8, "[abé]{1,3}"), 0..4), 0..8), name in "[abé]{0,5}") {
        let build = |(kind, text): &(u8, String)| match kind {
            0 => starts(text),
            1 => contains(text),
            2 => Rule::EndsWith(text.as_str().into()),
            _ => Rule::All(vec![starts(text), Rule::Not(Box::new(contains("aa")))]),
        };
        let rules: Vec<Vec<Rule>> = rules.iter().map(|rules| rules.iter().map(build).collect()).collect();
        let scan = rules.iter().position(|rules| rules.iter().any(|rule| rule.matches(&name)));
        prop_assert_eq!(names(rules).find(&name), scan);
    }
}
