use super::*;
use crate::apis::gemini::skim::Skim;

/// What is made of a `usageMetadata`; none where it is absurd.
fn read(usage: &str) -> Option<Usage> {
    let mut skim = Skim::new();
    skim.feed(format!(r#"{{"usageMetadata":{usage}}}"#).as_bytes(), &mut Vec::new());
    assert!(skim.closed());
    assert_eq!(skim.answer.reported.absurd(), skim.answer.reported.usage().is_none());
    skim.answer.reported.usage()
}

#[test]
fn the_classes_are_disjoint() {
    let usage = r#"{
        "promptTokenCount": 2000, "cachedContentTokenCount": 700, "candidatesTokenCount": 50, "thoughtsTokenCount": 300, "toolUsePromptTokenCount": 90,
        "totalTokenCount": 2440, "trafficType": "ON_DEMAND",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 600}, {"modality": "IMAGE", "tokenCount": 500}, {"modality": "AUDIO", "tokenCount": 400},
                                {"modality": "VIDEO", "tokenCount": 250}, {"modality": "DOCUMENT", "tokenCount": 250}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 100}, {"modality": "IMAGE", "tokenCount": 50}, {"modality": "TEXT", "tokenCount": 550}],
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 80}, {"tokenCount": 10, "modality": "IMAGE"}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 30}, {"modality": "TEXT", "tokenCount": 20}]
    }"#;
    let expected = Usage::default()
        .with(Unit::Input, 2000 - 700 - 450 - 300 - 250 + 80)
        .with(Unit::CacheRead, 550)
        .with(Unit::InputImage, 450 + 10)
        .with(Unit::CacheImageRead, 50)
        .with(Unit::InputAudio, 300)
        .with(Unit::CacheAudioRead, 100)
        .with(Unit::InputVideo, 250)
        .with(Unit::Output, 20)
        .with(Unit::OutputImage, 30)
        .with(Unit::OutputReasoning, 300);
    assert_eq!(read(usage), Some(expected));
    assert_eq!(expected.input_tokens(), 2090);
}

#[test]
fn what_is_left_out_is_nothing_and_what_the_total_has_beyond_is_billed() {
    assert_eq!(read("{}"), Some(Usage::default()));
    assert_eq!(read(r#"{"promptTokenCount": 8, "totalTokenCount": 8}"#), Some(Usage::default().with(Unit::Input, 8)));
    assert_eq!(
        read(r#"{"promptTokenCount": 8, "candidatesTokenCount": 4, "totalTokenCount": 20, "thoughtsTokenCount": null}"#),
        Some(Usage::default().with(Unit::Input, 8).with(Unit::Output, 4).with(Unit::OutputReasoning, 8))
    );
    // As texts, as protobuf writes large numbers.
    assert_eq!(read(r#"{"promptTokenCount": "8"}"#), Some(Usage::default().with(Unit::Input, 8)));
}

#[test]
fn what_cannot_be_is_absurd() {
    for usage in [
        r#"{"promptTokenCount": -1}"#,
        r#"{"candidatesTokenCount": 1.5}"#,
        r#"{"thoughtsTokenCount": 1e3}"#,
        r#"{"promptTokenCount": 1125899906842624}"#,
        r#"{"promptTokenCount": 5, "cachedContentTokenCount": 6}"#,
        r#"{"promptTokenCount": 5, "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}]}"#,
        r#"{"candidatesTokenCount": 5, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 6}]}"#,
        r#"{"promptTokenCount": 5, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": -3}]}"#,
        r#"{"promptTokenCount": 99999999999999999999999999}"#,
    ] {
        assert_eq!(read(usage), None, "{usage}");
    }
}
