use proptest::prelude::*;

use super::*;

const PIECE: &str = r#"{"candidates": [{"content": {"parts": [{"text": "He said \"]}\" and {\"usageMetadata\":{\"promptTokenCount\":1}}"}], "role": "model"},
    "finishReason": "STOP", "index": 1, "groundingMetadata": {"webSearchQueries": ["a", "b", "a", ""], "searchEntryPoint": {"renderedContent": "<div>"}},
    "safetyRatings": [{"category": "X", "blocked": false}]}],
  "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 14, "serviceTier": "FLEX"},
  "modelVersion": "gemini-3.8-flash-001", "responseId": "r1", "candidatesTokenCount": 77}"#;

fn skim(chunks: &[&[u8]]) -> (Skim, Vec<Mark>) {
    let mut skim = Skim::new();
    let mut marks = Vec::new();
    let mut offset = 0;
    for chunk in chunks {
        let mut here = Vec::new();
        skim.feed(chunk, &mut here);
        marks.extend(here.into_iter().map(|mark| match mark {
            Mark::Begin(at) => Mark::Begin(at + offset),
            Mark::End(at) => Mark::End(at + offset),
            Mark::ListEnd(at) => Mark::ListEnd(at + offset),
        }));
        offset += chunk.len();
    }
    (skim, marks)
}

fn known(skim: &Skim) -> String {
    let answer = &skim.answer;
    format!(
        "{:?} {:?} {:?} {:?} {} {} {} {} {}",
        answer.reported.usage(),
        answer.model,
        answer.response_id,
        answer.service_tier,
        answer.queries.billed("gemini-3.8-flash"),
        answer.served_output(),
        answer.ended(),
        answer.failed,
        skim.closed()
    )
}

#[test]
fn an_answer_is_read_wherever_it_is_cut() {
    let list = format!("[{PIECE}\n,\r\n{PIECE}\n]\n");
    for body in [PIECE, list.as_str()] {
        let (whole, marks) = skim(&[body.as_bytes()]);
        assert_eq!(whole.answer.model.as_deref(), Some("gemini-3.8-flash-001"));
        assert_eq!((whole.answer.response_id.as_deref(), whole.answer.service_tier.as_deref()), (Some("r1"), Some("flex")));
        assert_eq!(whole.answer.queries.billed("gemini-3.8-flash"), 2);
        assert!(whole.answer.ended() && whole.closed());
        assert_eq!(whole.answer.complete(2), false);
        for cut in 0..=body.len() {
            let (front, back) = body.as_bytes().split_at(cut);
            let (again, where_else) = skim(&[front, back]);
            assert_eq!((known(&again), where_else.as_slice()), (known(&whole), marks.as_slice()), "cut at {cut}");
        }
    }
    let (_, marks) = skim(&[list.as_bytes()]);
    let text: Vec<&str> = marks
        .chunks(2)
        .take(2)
        .map(|pair| match pair {
            [Mark::Begin(from), Mark::End(to)] => &list[*from..=*to],
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(text, [PIECE, PIECE]);
    assert_eq!(marks.last(), Some(&Mark::ListEnd(list.len() - 2)));
}

#[test]
fn what_the_model_wrote_is_counted_and_nothing_else() {
    let served = |body: &str| skim(&[body.as_bytes()]).0.answer.served_output();
    let empty = served(r#"{"candidates":[{"content":{"parts":[]}}],"modelVersion":"a long name that is not generated"}"#);
    assert!(empty <= 2, "{empty}");
    let call = r#"{"functionCall":{"name":"f","args":{"some_key":[1,2,3.5,true,"x\"y"]}}}"#;
    let counted = served(&format!(r#"{{"candidates":[{{"content":{{"parts":[{call}]}}}}]}}"#));
    assert!((call.len() as u64 - 2..=call.len() as u64 + 3).contains(&counted), "{counted} for {}", call.len());
    assert_eq!(served(r#"{"candidates":[{"content":{"parts":[{"text":"one"}]}}],"usageMetadata":{"thoughtsTokenCount":500}}"#) / 100, 5);
}

#[test]
fn the_end_is_told_by_every_candidate_or_by_a_blocked_prompt() {
    let ended = |body: &str| skim(&[body.as_bytes()]).0.answer.ended();
    assert!(!ended(r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#));
    assert!(ended(r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#));
    assert!(!ended(r#"{"candidates":[{"finishReason":"STOP"},{"index":1}]}"#));
    assert!(!ended(r#"[{"candidates":[{"index":1}]},{"candidates":[{"finishReason":"STOP"}]}]"#));
    assert!(ended(r#"[{"candidates":[{"index":1}]},{"candidates":[{"finishReason":"STOP"}]},{"candidates":[{"finishReason":"STOP","index":1}]}]"#));
    assert!(ended(r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#));
    for open in [r#"{"candidates":[{"finishReason":null}]}"#, r#"{"candidates":[{"finishReason":"FINISH_REASON_UNSPECIFIED"}]}"#, "{}", "[]"] {
        assert!(!ended(open), "{open}");
    }
    assert!(skim(&[br#"[{"error":{"code":503}}]"#]).0.answer.failed);
}

#[test]
fn nonsense_is_counted_and_not_believed() {
    for body in ["<html>", "{]", "}{", "{\"a\" 1}", "[1 2]", "\"", &"[".repeat(1_000), "{\"candidates\":{}}x", "\u{0}"] {
        let (skim, _) = skim(&[body.as_bytes()]);
        assert!(!skim.answer.ended(), "{body}");
        let _ = (skim.answer.served_output(), skim.answer.reported.usage());
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b','), Just(b':'), any::<u8>()], 0..200)) {
        let (whole, _) = skim(&[&bytes]);
        let (front, back) = bytes.split_at(bytes.len() / 2);
        prop_assert_eq!(known(&skim(&[front, back]).0), known(&whole));
    }
}
