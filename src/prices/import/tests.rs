use jiff::Timestamp;
use rust_decimal::Decimal;

use super::*;
use crate::money::Usd;
use crate::prices::{Bound, ImageKind, ModelLimits, PriceBook, QuoteLimits, Unit, Usage, Variant, quote};

mod merging;

const LITELLM: &str = include_str!("golden/litellm.json");
const GENAI: &str = include_str!("golden/genai.json");
const FACTS: &str = include_str!("golden/facts.json");
const MODELS_DEV: &str = include_str!("golden/models_dev.json");
const OPENROUTER: &str = include_str!("golden/openrouter.json");

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A list merged into a price book: the new text, and what became of each model as `provider id: change`.
fn merged(text: &str, list: &str, selection: &Selection) -> (String, Vec<String>) {
    let merged = merge(text, "p.toml", List::parse(list).unwrap().select(selection), now()).unwrap();
    let changes = merged.changes.iter().map(|(provider, id, change)| {
        let change = match change {
            Change::Added(what) => format!("added, {what}"),
            Change::Changed(what) => format!("changed, {what}"),
            Change::Same => "same".to_owned(),
            Change::LeftOut(why) => format!("left out, {why}"),
        };
        format!("{provider} {id}: {change}")
    });
    (merged.text, changes.collect())
}

#[test]
fn every_format_is_known_and_becomes_a_price_book() {
    let rows = [
        ("LiteLLM", LITELLM, include_str!("golden/litellm.toml")),
        ("genai-prices", GENAI, include_str!("golden/genai.toml")),
        ("genai-prices", FACTS, include_str!("golden/facts.toml")),
        ("models.dev", MODELS_DEV, include_str!("golden/models_dev.toml")),
        ("OpenRouter", OPENROUTER, include_str!("golden/openrouter.toml")),
    ];
    for (format, list, expected) in rows {
        assert_eq!(List::parse(list).unwrap().format, format);
        let (text, _) = merged("", list, &Selection::default());
        assert_eq!(text, expected, "{format}");
        // Once more changes nothing.
        let (again, changes) = merged(&text, list, &Selection::default());
        assert_eq!(again, text, "{format}");
        assert!(changes.iter().all(|change| change.ends_with(": same") || change.contains(": left out, ")), "{changes:?}");
    }
}

#[test]
fn what_cannot_be_taken_is_left_out_for_a_reason() {
    let left_out = |list: &str| -> Vec<String> {
        let (_, changes) = merged("", list, &Selection::default());
        changes.into_iter().filter(|change| change.contains(": left out, ")).map(|change| change.replacen(": left out, ", ": ", 1)).collect()
    };
    assert_eq!(
        left_out(LITELLM),
        [
            " nobody's: names no provider",
            "aws 50-steps/1024-x-1024/stepper: is priced by steps, which nothing counts",
            "aws by-the-hour: is billed by input_cost_per_second, which nothing counts",
            "dashscope ranges: is billed by tiered_pricing, which nothing counts",
            "openai bel\u{7}l: has a name that no model has",
            "openai gift: costs nothing on the list: --free takes it",
            "openai not-known: -1 is below zero, which lists say of what they do not know",
            "openai output-alone: input_mtok is missing",
            "openai words: on request is no amount",
            "perplexity citations: citation_cost_per_token is billed too, and nothing counts it",
        ]
    );
    assert_eq!(
        left_out(GENAI),
        [
            "anthropic claude-back: has prices that are not in the order of time",
            "anthropic claude-messages: input_text_messages_kcount is billed too, and nothing counts it",
            "anthropic claude-moderation: has no price",
        ]
    );
    assert_eq!(
        left_out(MODELS_DEV),
        [
            "github-copilot gpt-d: costs nothing on the list: --free takes it",
            "x-ai grok-new: video_second is billed too, and nothing counts it",
            "x-ai grok-none: has no price",
            "x-ai grok-rpm: has a tier that is not by the length of the context",
        ]
    );
    assert_eq!(
        left_out(OPENROUTER),
        [
            "openrouter : has no id",
            "openrouter openrouter/auto: -1 is below zero, which lists say of what they do not know",
            "openrouter vendor/evenings: has overrides other than by prompt length",
            "openrouter vendor/gift:free: costs nothing on the list: --free takes it",
            "openrouter vendor/nothing: has no price",
            "openrouter vendor/tools: tool_use is billed too, and nothing counts it",
        ]
    );
}

/// Counts of a usage, each with the amount that the list gives for one unit; and the input above which that is for.
type Counted<'a> = &'a [(Unit, u64, &'a str)];

#[test]
fn a_cost_is_what_the_lists_own_arithmetic_says() {
    let flex = Variant::ServiceTier("flex");
    let rows: [(&str, &str, &str, Variant<'_>, Counted<'_>); 22] = [
        (LITELLM, "openai", "gpt-x", Variant::Default, &[(Unit::Input, 1_234, "1.25e-06"), (Unit::CacheRead, 77, "1.25e-07"), (Unit::Output, 999, "1e-05")]),
        (LITELLM, "openai", "gpt-x", Variant::Default, &[(Unit::Input, 272_001, "2.5e-06"), (Unit::Output, 999, "1.5e-05"), (Unit::WebSearches, 3, "0.05")]),
        (LITELLM, "openai", "gpt-x", Variant::Default, &[(Unit::Input, 272_000, "1.25e-06")]),
        (LITELLM, "openai", "gpt-x", flex, &[(Unit::Input, 1_234, "6.25e-07"), (Unit::CacheRead, 77, "6.25e-08"), (Unit::Output, 999, "5e-06")]),
        (LITELLM, "openai", "gpt-x", Variant::ServiceTier("priority"), &[(Unit::Input, 3, "2.5e-06"), (Unit::Output, 7, "2e-05")]),
        (LITELLM, "openai", "gpt-x", Variant::Batch, &[(Unit::Input, 3, "6.25e-07"), (Unit::Output, 7, "5e-06")]),
        (LITELLM, "anthropic", "claude-x", Variant::Default, &[(Unit::CacheWrite, 11, "3.75e-06"), (Unit::CacheWrite1h, 13, "6e-06")]),
        (
            LITELLM,
            "anthropic",
            "claude-x",
            Variant::Default,
            &[(Unit::Input, 200_001, "6e-06"), (Unit::CacheWrite, 11, "7.5e-06"), (Unit::Output, 1, "2.25e-05")],
        ),
        (LITELLM, "google", "gemini-x", Variant::Default, &[(Unit::InputAudio, 17, "1e-06"), (Unit::OutputReasoning, 19, "2.5e-06")]),
        (LITELLM, "cohere", "rerank-x", Variant::Default, &[(Unit::SearchUnits, 3, "0.002")]),
        (LITELLM, "openai", "whisper-x", Variant::Default, &[(Unit::AudioMillis, 12_345, "1e-07")]),
        (LITELLM, "openai", "tts-x", Variant::Default, &[(Unit::Characters, 12_345, "1.5e-05")]),
        (LITELLM, "mistral", "ocr-x", Variant::Default, &[(Unit::Pages, 7, "0.003")]),
        (
            LITELLM,
            "openai",
            "token-painter",
            Variant::Default,
            &[(Unit::Input, 7, "5e-06"), (Unit::InputImage, 9, "1e-05"), (Unit::OutputImage, 1_056, "4e-05")],
        ),
        (LITELLM, "openai", "embed-x", Variant::Batch, &[(Unit::Input, 8_191, "1e-08")]),
        (
            GENAI,
            "anthropic",
            "claude-g-20260101",
            Variant::Default,
            &[(Unit::Input, 7, "0.0000008"), (Unit::CacheWrite, 9, "1e-06"), (Unit::Output, 11, "4e-06")],
        ),
        // At twelve the hours price goes before the newer date's.
        (GENAI, "anthropic", "claude-big-2", Variant::Default, &[(Unit::Input, 7, "3e-06"), (Unit::Output, 11, "12e-06")]),
        (FACTS, "groq", "some/llama-f", Variant::Speed("fast"), &[(Unit::Input, 7, "1e-06"), (Unit::Output, 11, "2e-06")]),
        (MODELS_DEV, "x-ai", "grok-d", Variant::Default, &[(Unit::Input, 128_001, "6e-06"), (Unit::OutputReasoning, 11, "15e-06")]),
        (MODELS_DEV, "x-ai", "grok-d-old", Variant::Default, &[(Unit::Input, 128_001, "3e-07"), (Unit::OutputAudio, 11, "2e-06")]),
        (
            OPENROUTER,
            "openrouter",
            "vendor/model-o",
            Variant::Default,
            &[(Unit::Input, 199_999, "0.00000125"), (Unit::CacheWrite1h, 0, "0.0000025"), (Unit::WebSearches, 1, "0.01")],
        ),
        (OPENROUTER, "openrouter", "vendor/by-the-call", Variant::Default, &[(Unit::Requests, 1, "0.005"), (Unit::Input, 3, "1e-06")]),
    ];
    for (list, provider, name, variant, counted) in rows {
        let (text, _) = merged("", list, &Selection::default());
        let book = PriceBook::parse(&text, "p").unwrap();
        let model = book.find(provider, name).unwrap_or_else(|| panic!("{name}"));
        let usage = counted.iter().fold(Usage::default(), |usage, (unit, count, _)| usage.with(*unit, *count));
        let amount = |text: &str| Decimal::from_scientific(text).or_else(|_| Decimal::from_str_exact(text)).unwrap();
        let sum: Decimal = counted.iter().map(|(_, count, each)| amount(each) * Decimal::from(*count)).sum();
        let expected = Usd::ceil_from_decimal(sum).unwrap();
        let rates = model.rates(now(), &variant).unwrap();
        assert_eq!(rates.cost(&usage), Ok(expected), "{name} {variant:?}");
        // And what is quoted for it beforehand is enough.
        let searches = usage.get(Unit::WebSearches);
        let bound = Bound { input: usage, max_searches: searches, ..Bound::default() };
        let route = QuoteLimits { min_output: 16, default_max_output: None, clamp: true };
        assert!(quote(&[rates], &ModelLimits::default(), &bound, &route).unwrap().want >= expected, "{name}");
    }
}

#[test]
fn images_cost_what_the_list_says_by_size_and_quality() {
    let (text, _) = merged("", LITELLM, &Selection::default());
    let book = PriceBook::parse(&text, "p").unwrap();
    let cost = |provider: &str, name: &str, size: &str, quality: &str| {
        let model = book.find(provider, name).unwrap();
        let usage = Usage::default().with_images(2, ImageKind::new(Some(size), Some(quality)));
        model.rates(now(), &Variant::Default).unwrap().cost(&usage).map(|cost| cost.nanos())
    };
    assert_eq!(cost("openai", "dall-e-2", "256x256", "standard"), Ok(31_999_919), "2.4414e-07 times 65536, twice, rounded up once");
    assert_eq!(cost("openai", "painter", "1024x1792", "hd"), Ok(240_000_000));
    assert_eq!(cost("openai", "painter", "auto", "standard"), Ok(80_000_000));
    assert!(cost("openai", "painter", "1024x1024", "hd").is_err());
    assert_eq!(cost("aiml", "one-price-painter", "1x1", "any"), Ok(52_000_000));
}

#[test]
fn a_part_of_a_list_can_be_taken() {
    let names = |selection: &Selection| -> Vec<String> {
        let (text, _) = merged("", LITELLM, selection);
        PriceBook::parse(&text, "p").unwrap().models("openai").map(str::to_owned).collect()
    };
    let selection = |provider: &str, only: &str| Selection { provider: Some(provider.to_owned()), only: Some(only.to_owned()), free: false };
    assert_eq!(names(&selection("openai", "*-x")), ["embed-x", "gpt-x", "tts-x", "whisper-x"]);
    assert_eq!(names(&selection("openai", "gpt-x")), ["gpt-x"]);
    assert!(names(&selection("google", "*")).is_empty());
    let (text, _) = merged("", LITELLM, &Selection { only: Some("gift".to_owned()), free: true, provider: None });
    assert_eq!(text, "\n# openai\n\n[[models]]\nprovider = \"openai\"\nid = \"gift\"\nfree = true\n");
}

#[test]
fn whatever_is_no_list_is_refused() {
    for (text, not_json) in [
        ("", true),
        ("{", true),
        ("price list", true),
        ("[[models]]\nprovider = 1", true),
        ("{}", false),
        ("[]", false),
        ("null", false),
        ("3", false),
        ("\"x\"", false),
        ("[1, 2]", false),
        ("{\"data\": []}", false),
        ("{\"data\": {\"pricing\": 1}}", false),
        ("{\"a\": {\"models\": []}}", false),
    ] {
        let error = List::parse(text).unwrap_err();
        assert_eq!(matches!(error, ListError::NotJson(_)), not_json, "{text}: {error}");
    }
    // Deep and odd, but no panic, and no model.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(List::parse(&deep).is_err());
    for odd in [
        r#"{"m": {"litellm_provider": 3}}"#,
        r#"{"m": {"litellm_provider": "p", "input_cost_per_token": {}}}"#,
        r#"{"m": {"litellm_provider": "p", "input_cost_per_token": 1e999999}}"#,
        r#"{"m": {"litellm_provider": "p", "input_cost_per_token": true, "output_cost_per_token": []}}"#,
        r#"{"m": {"litellm_provider": "p", "input_cost_per_token_above_99999999999999999999k_tokens": 1}}"#,
        r#"{"99999999999-x-9/m": {"litellm_provider": "p", "output_cost_per_image": 1}}"#,
        r#"{"data": [{"id": "m", "pricing": 3}, {"id": "n", "pricing": {"prompt": {}}}, 7]}"#,
        r#"{"p": {"models": {"m": {"cost": {"input": 1, "tiers": 5}}, "n": 3}}}"#,
        r#"[{"id": "p", "models": [{"id": "m", "prices": [{}]}, {"id": "n", "prices": {"input_mtok": {"base": 1}}}, 5]}]"#,
        r#"[{"id": "p", "models": [{"id": "m", "prices": [{"prices": {"input_mtok": 1}, "constraint": 3}]}]}]"#,
    ] {
        let (text, changes) = merged("", odd, &Selection::default());
        assert_eq!((text.as_str(), changes.iter().any(|change| !change.contains("left out"))), ("", false), "{odd}: {changes:?}");
    }
}
