use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::apis::AskErrorKind;

fn ask(more: Value) -> Result<Ask, AskError> {
    let mut body = json!({"model": "rerank-v3.5", "query": "what is it?"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    read(body.to_string().as_bytes())
}

fn units(more: Value) -> u64 {
    let ask = ask(more).unwrap();
    assert!(!ask.bound.has_output && !ask.clampable());
    ask.bound.input.get(Unit::SearchUnits)
}

#[test]
fn a_hundred_short_documents_are_one_search_unit() {
    for (count, expected) in [(1, 1), (100, 1), (101, 2), (200, 2), (1_000, 10)] {
        assert_eq!(units(json!({"documents": vec!["short"; count]})), expected);
    }
    assert_eq!(units(json!({"documents": [{"text": "short"}], "top_n": 3, "relevant_spans": {"mode": "enabled"}})), 1);
}

#[test]
fn long_documents_count_by_their_pieces() {
    // 11 tokens of query at most, 4 marks: 485 tokens of a document in each piece.
    let document = |bytes: usize| json!({"documents": vec!["x".repeat(bytes); 100]});
    assert_eq!(units(document(485)), 1);
    assert_eq!(units(document(486)), 2);
    assert_eq!(units(document(4_850)), 10);
    let mut cut = document(4_850);
    cut["max_tokens_per_doc"] = json!(970);
    assert_eq!(units(cut), 2);
    // However long the query, it takes no more than half of a piece.
    let mut asked = document(240);
    asked["query"] = json!("y".repeat(5_000));
    assert_eq!(units(asked), 1);
}

#[test]
fn refuses_what_is_odd() {
    let kind = |more: Value| ask(more.clone()).expect_err(&more.to_string()).kind;
    for more in [
        json!({}),
        json!({"documents": []}),
        json!({"documents": "x"}),
        json!({"documents": [3]}),
        json!({"documents": ["x"], "query": 3}),
        json!({"documents": ["x"], "query": null}),
        json!({"documents": ["x"], "max_tokens_per_doc": -1}),
        json!({"documents": ["x"], "TOP_N": 1}),
    ] {
        assert_eq!(kind(more), AskErrorKind::Invalid);
    }
    for more in [json!({"documents": [{"text": "x", "image": "y"}]}), json!({"documents": ["x"], "rank_fields": ["x"]})] {
        assert_eq!(kind(more), AskErrorKind::Unsupported);
    }
}

proptest! {
    /// Never below what pieces of any length from 500 tokens on would make of it, at one token for four bytes or fewer.
    #[test]
    fn no_split_makes_more_units(query in 0..2_000_u64, documents in prop::collection::vec(0..9_000_u64, 1..300), piece in 500..4_096_u64, per_token in 1..4_u64) {
        let tokens = |bytes: u64| bytes.div_ceil(per_token);
        let room = piece - tokens(query).min(256) - 4;
        let made: u64 = documents.iter().map(|document| tokens(*document).div_ceil(room).max(1)).sum();
        let bounded = pieces(query, documents.iter().copied(), None);
        prop_assert!(bounded.div_ceil(PIECES_PER_UNIT) >= made.div_ceil(100));
    }
}
