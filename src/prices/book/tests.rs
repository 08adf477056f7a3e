use std::sync::LazyLock;

use jiff::Timestamp;

use super::*;
use crate::money::Usd;
use crate::prices::{ImageKind, PriceError, Unit, Usage, Variant};

static BOOK: LazyLock<PriceBook> = LazyLock::new(|| PriceBook::builtin().unwrap());

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-23T12:00:00Z")
}

/// What `parse` finds wrong, as people see it.
fn errors(text: &str) -> Vec<String> {
    PriceBook::parse(text, "p.toml").unwrap_err().iter().map(ToString::to_string).collect()
}

/// A model table that is right but for what is given.
fn model(rest: &str) -> String {
    format!("[[models]]\nprovider = \"p\"\nid = \"m\"\n{rest}\n")
}

/// Checks lines of `provider,name,id,at,variant,usage,cost`, which were computed from the source of the price book by other means.
fn check_golden(lines: &str) -> usize {
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let [provider, name, id, moment, variant, usage, cost] = fields[..] else { panic!("{line}") };
        count += 1;
        let found = BOOK.find(provider, name);
        if cost == "unpriced" {
            assert!(found.is_none(), "{line}");
            continue;
        }
        let found = found.unwrap_or_else(|| panic!("not found: {line}"));
        assert_eq!((&*found.provider, &*found.id), (provider, id), "{line}");
        let variant = match variant.split_once('=') {
            None => Variant::Default,
            Some(("service_tier", tier)) => Variant::ServiceTier(tier),
            Some(("speed", speed)) => Variant::Speed(speed),
            Some(_) => Variant::Batch,
        };
        let Some(rates) = found.rates(at(&format!("{moment}:00Z")), &variant) else {
            assert_eq!(cost, "no_rates", "{line}");
            continue;
        };
        let counts: Vec<u64> = usage.split(' ').map(|count| count.parse().unwrap()).collect();
        let units = [Unit::Input, Unit::CacheRead, Unit::CacheWrite, Unit::Output, Unit::OutputReasoning];
        let usage = units.into_iter().zip(counts).fold(Usage::default(), |usage, (unit, count)| usage.with(unit, count));
        match rates.cost(&usage) {
            Ok(charged) => {
                // Some amounts of these two carry the noise of floating point (0.18000000000000002): here they are given to ten decimals.
                let noise = i64::from(provider == "openrouter" || provider == "huggingface_together");
                let expected: i64 = cost.parse().unwrap_or_else(|_| panic!("{line}: charged {charged}"));
                assert!((charged.nanos() - expected).abs() <= noise, "{line}: {charged}");
            }
            Err(PriceError::Unpriced(_)) => assert_eq!(cost, "none", "{line}"),
            Err(error) => panic!("{line}: {error}"),
        }
    }
    count
}

#[test]
fn prices_are_those_of_the_source() {
    assert!(check_golden(include_str!("golden.csv")) > 200);
}

#[test]
fn every_plain_name_and_no_case_variant_is_found() {
    assert!(BOOK.models_count() > 2300, "{}", BOOK.models_count());
    let mut count = 0;
    for provider in BOOK.providers() {
        for id in BOOK.models(provider) {
            let found = BOOK.find(provider, id).unwrap();
            assert_eq!(&*found.id, id, "{provider}");
            assert!(found.rates(now(), &Variant::Default).is_some(), "{provider} {id}");
            count += 1;
        }
    }
    assert_eq!(count, BOOK.models_count());
    for name in ["gpt-4o", "gpt-4o-mini", "o3", "gpt-5.4"] {
        assert!(BOOK.find("openai", name).is_some(), "{name}");
        for other in [name.to_uppercase(), format!("{name} "), format!(" {name}"), format!("openai/{name}"), format!("{name}\0"), format!("{name}-x")] {
            assert!(BOOK.find("openai", &other).is_none(), "{other:?}");
        }
    }
    for (provider, name) in [("OpenAI", "gpt-4o"), ("nobody", "gpt-4o"), ("openai", ""), ("openai", &"gpt-4o".repeat(100_000))] {
        assert!(BOOK.find(provider, name).is_none(), "{provider} {}", name.len());
    }
}

#[test]
fn names_that_people_use_are_found() {
    let rows = [
        ("openai", "gpt-4o-2024-08-06", "gpt-4o", Some(16384)),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini", Some(16384)),
        ("openai", "ft:gpt-4o-2024-08-06:acme::abc", "ft:gpt-4o", Some(16384)),
        ("openai", "omni-moderation-latest", "moderation", None),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5", Some(64000)),
        ("google", "gemini-2.5-flash-lite", "gemini-2.5-flash-lite", Some(65536)),
        ("google", "gemini-2.5-flash-lite-preview-09-2025", "gemini-2.5-flash-lite", Some(65536)),
    ];
    for (provider, name, id, output) in rows {
        let found = BOOK.find(provider, name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(&*found.id, id);
        assert_eq!(found.limits.output, output, "{name}");
    }
    // What speaks is another model, at another price.
    assert_eq!(&*BOOK.find("google", "gemini-2.5-flash-lite-preview-tts").unwrap().id, "gemini-2.5-flash-lite-preview-tts");
    assert!(BOOK.find("google", "gemini-2.5-flash-lite-preview-09-tts").is_none());
    // Billed for what no unit holds.
    assert!(BOOK.find("perplexity", "sonar-deep-research").is_none());
}

#[test]
fn every_provider_that_routes_name_has_models() {
    let rows = [
        ("openai", "gpt-4o-transcribe"),
        ("openai", "gpt-4o-mini-tts"),
        ("openai", "gpt-image-1"),
        ("openai", "whisper-1"),
        ("openai", "tts-1-hd"),
        ("anthropic", "claude-opus-5-5"),
        ("google", "gemini-2.5-pro"),
        ("mistral", "mistral-ocr-latest"),
        ("cohere", "command-a-03-2025"),
        ("azure", "text-embedding-3-small"),
        ("deepseek", "deepseek-chat"),
        ("groq", "llama-3.3-70b-versatile"),
        ("together", "meta-llama/Meta-Llama-3.3-70B-Instruct-Turbo"),
        ("x-ai", "grok-4.5"),
        ("openrouter", "openai/gpt-4o"),
    ];
    for (provider, model) in rows {
        let model = BOOK.find(provider, model).unwrap_or_else(|| panic!("{provider} {model}"));
        assert!(model.rates(now(), &Variant::Default).is_some());
    }
    // Sound costs more than text where a model hears and speaks.
    let audio = BOOK.find("openai", "gpt-4o-audio-preview-2025-06-03").unwrap();
    let usage = Usage::default().with(Unit::InputAudio, 1_000_000).with(Unit::OutputAudio, 1_000_000);
    assert_eq!(audio.rates(now(), &Variant::Default).unwrap().cost(&usage).unwrap().to_short_string(), "120");
}

#[test]
fn a_search_costs_the_same_in_every_tier_and_hours_change_prices() {
    let gpt = BOOK.find("openai", "gpt-4o").unwrap();
    let search = Usage::default().with(Unit::WebSearches, 1);
    for variant in [Variant::Default, Variant::ServiceTier("default"), Variant::ServiceTier("auto"), Variant::ServiceTier("priority"), Variant::Batch] {
        assert_eq!(gpt.rates(now(), &variant).unwrap().cost(&search).unwrap().to_short_string(), "0.01", "{variant:?}");
    }
    assert!(gpt.rates(now(), &Variant::ServiceTier("scale")).is_none());
    let deepseek = BOOK.find("deepseek", "deepseek-chat").unwrap();
    let million = Usage::default().with(Unit::Input, 1_000_000);
    let cost = |moment: &str| deepseek.rates(at(moment), &Variant::Default).unwrap().cost(&million).unwrap().to_short_string();
    assert_eq!((cost("2026-11-23T00:29:59Z"), cost("2026-11-23T00:30:00Z")), ("0.135".to_owned(), "0.27".to_owned()));
    assert_eq!((cost("2026-11-23T16:29:59Z"), cost("2026-11-23T16:30:00Z")), ("0.27".to_owned(), "0.135".to_owned()));
    assert_eq!(deepseek.candidates(at("2026-11-23T00:00:00Z"), &Variant::Default).len(), 2);
    assert_eq!(deepseek.candidates(at("2026-11-23T08:00:00Z"), &Variant::Default).len(), 1);
}

#[test]
fn images_and_searches_have_the_prices_of_their_pages() {
    let cost = |provider: &str, model: &str, usage: Usage| {
        let model = BOOK.find(provider, model).unwrap();
        model.rates(now(), &Variant::Default).unwrap().cost(&usage).map(Usd::to_short_string)
    };
    let images = |count, size: &str, quality: Option<&str>| Usage::default().with_images(count, ImageKind::new(Some(size), quality));
    assert_eq!(cost("openai", "dall-e-2", images(10, "256x256", None)).unwrap(), "0.16");
    assert_eq!(cost("openai", "dall-e-2", images(1, "512x512", Some("standard"))).unwrap(), "0.018");
    assert_eq!(cost("openai", "dall-e-2", images(1, "auto", None)).unwrap(), "0.02");
    assert_eq!(cost("openai", "dall-e-3", images(2, "1024x1024", Some("standard"))).unwrap(), "0.08");
    assert_eq!(cost("openai", "dall-e-3", images(1, "1024x1024", None)).unwrap(), "0.08");
    assert_eq!(cost("openai", "dall-e-3", images(1, "1792x1024", Some("hd"))).unwrap(), "0.12");
    assert_eq!(cost("openai", "dall-e-3", images(1, "256x256", None)), Err(PriceError::Unpriced(Unit::Images)));
    assert_eq!(cost("openai", "gpt-4o", images(1, "1024x1024", None)), Err(PriceError::Unpriced(Unit::Images)));
    assert_eq!(cost("cohere", "rerank-v3.5", Usage::default().with(Unit::SearchUnits, 3)).unwrap(), "0.006");
    assert_eq!(cost("cohere", "rerank-v4.0-pro", Usage::default().with(Unit::SearchUnits, 1)).unwrap(), "0.0025");
    assert_eq!(cost("cohere", "embed-v4.0", Usage::default().with(Unit::Input, 100).with(Unit::InputImage, 100)).unwrap(), "0.000059");
    assert_eq!(cost("cohere", "embed-english-v3.0", Usage::default().with_images(1, ImageKind::default())).unwrap(), "0.0001");
}

#[test]
fn the_version_is_that_of_the_text() {
    assert_eq!(PriceBook::parse("", "p").unwrap().version().as_ref(), "e3b0c44298fc");
    assert_eq!(BOOK.version().len(), 12);
    assert_eq!(PriceBook::parse("", "p").unwrap().models_count(), 0);
}

#[test]
fn every_error_is_told_with_its_place() {
    let rows = [
        (
            "prices = { input_mtok = 2.5 }",
            "p.toml:4:25: must be an amount as a string, for example \"2.50\", since a bare number with a point is not exact: write \"2.5\"",
        ),
        ("prices = { input_mtok = 2 }", "p.toml:4:25: must be an amount as a string, for example \"2.50\": write \"2\""),
        ("prices = { input_mtok = \"-2\" }", "p.toml:4:25: a price cannot be negative"),
        ("prices = { input_mtok = \"2,5\" }", "p.toml:4:25: must be a decimal amount"),
        ("prices = { input_mtok = true }", "p.toml:4:25: must be an amount as a string, for example \"2.50\", not a boolean"),
        ("prices = { imput_mtok = \"2\" }", "p.toml:4:12: no such price \"imput_mtok\"; one of requests_kcount, input_mtok"),
        ("prices = {}", "p.toml:4:10: gives no price"),
        ("prices = []", "p.toml:4:10: there is no price for the usual case"),
        ("prices = { output_mtok = \"2\" }", "p.toml:4:10: input_mtok is missing"),
        ("prices = { input_mtok = \"2\", output_audio_mtok = \"2\" }", "p.toml:4:10: output_mtok is missing"),
        ("prices = { when = { service_tier = \"flex\" }, input_mtok = \"2\" }", "p.toml:4:10: there is no price for the usual case"),
        ("prices = [{ input_mtok = \"2\" }, { when = { mood = \"good\" }, input_mtok = \"2\" }]", "p.toml:4:42: when must be"),
        ("prices = [{ input_mtok = \"2\" }, { input_mtok = \"3\" }]", "p.toml:4:33: an entry above applies at the same time"),
        (
            "prices = [{ input_mtok = \"2\" }, { time_of_day_utc = [\"22:00\", \"02:00\"], input_mtok = \"3\" }, { time_of_day_utc = [\"01:00\", \"03:00\"], input_mtok = \"3\" }]",
            "p.toml:4:93: an entry above",
        ),
        ("prices = { time_of_day_utc = [\"24:00\", \"1:00\"], input_mtok = \"3\" }", "p.toml:4:30: time_of_day_utc must be two times"),
        ("prices = { from = 2026-12-01T00:00:00Z, input_mtok = \"3\" }", "p.toml:4:19: from must be a date"),
        ("prices = { from = \"2026-02-30\", input_mtok = \"3\" }", "p.toml:4:19: from must be a date"),
        ("prices = { input_mtok = { base = \"2\", tiers = [] } }", "p.toml:4:47: tiers must be a list of steps"),
        ("prices = { input_mtok = { tiers = [{ above_input_tokens = 5, price = \"2\" }] } }", "p.toml:4:25: a price by steps has no base"),
        (
            "prices = { input_mtok = { base = \"2\", tiers = [{ above_input_tokens = 0, price = \"2\" }] } }",
            "p.toml:4:71: above_input_tokens must be a whole number",
        ),
        ("prices = { input_mtok = { base = \"2\", tiers = [{ price = \"2\" }] } }", "p.toml:4:48: a step has above_input_tokens and price"),
        (
            "prices = { input_mtok = { base = \"2\", tiers = [{ above_input_tokens = 9, price = \"2\" }, { above_input_tokens = 9, price = \"3\" }] } }",
            "p.toml:4:47: tiers must be",
        ),
        ("prices = { images = [] }", "p.toml:4:21: images must be an amount as a string, for example \"0.04\", or a list"),
        ("prices = { images = { base = \"1\", tiers = [] } }", "p.toml:4:21: images must be an amount"),
        ("prices = { images = 0.04 }", "p.toml:4:21: must be an amount as a string, for example \"2.50\", since"),
        ("prices = { images = [\"0.04\"] }", "p.toml:4:22: images must be an amount"),
        ("prices = { images = [{ size = \"1x1\" }] }", "p.toml:4:22: has no price"),
        ("prices = { images = [{ price = \"x\" }] }", "p.toml:4:32: must be a decimal amount"),
        ("prices = { images = [{ size = \"auto\", price = \"1\" }] }", "p.toml:4:31: must be the name of a size or a quality"),
        ("prices = { images = [{ quality = \"\", price = \"1\" }] }", "p.toml:4:34: must be the name of a size or a quality"),
        ("prices = { images = [{ quality = 1, price = \"1\" }] }", "p.toml:4:34: must be a string, not a bare number"),
        ("prices = { images = [{ hue = \"red\", price = \"1\" }] }", "p.toml:4:24: a price of images has no key \"hue\"; it may have size, quality, price"),
        ("prices = { images = [{ price = \"1\" }, { price = \"2\" }] }", "p.toml:4:39: images of this size and quality have a price above already"),
        ("", "p.toml:1:1: the model has no price"),
        ("free = false", "p.toml:4:8: free must be true"),
        ("free = true\nunpriced = \"x\"", "p.toml:1:1: a model has one of prices, free and unpriced"),
        ("free = true\ncontext = 0", "p.toml:5:11: context must be a whole number of tokens above zero"),
        ("free = true\nmax_output = \"5\"", "p.toml:5:14: max_output must be"),
        ("free = true\ncolour = 1", "p.toml:5:1: a model has no key \"colour\"; it may have provider, id, match"),
        ("free = true\nmatch = [{ regex = '(' }]", "p.toml:5:20: not a regular expression: unclosed group"),
        ("free = true\nmatch = { starts_with = \"\" }", "p.toml:5:25: is empty"),
        ("free = true\nmatch = [{ starts_with = \"a\", contains = \"b\" }]", "p.toml:5:10: a rule has one key"),
        ("free = true\nmatch = [{ glob = \"a*\" }]", "p.toml:5:12: no such rule \"glob\""),
        ("free = true\nmatch = [{ all = [] }, 5]", "p.toml:5:18: is empty: it must be a list of rules"),
        ("free = true\nid = \"n\"", "p.toml:5:1: duplicate key"),
    ];
    let wrong: Vec<String> = rows
        .into_iter()
        .map(|(rest, expected)| (rest, expected, errors(&model(rest))))
        .filter(|(_, expected, found)| !found.first().is_some_and(|first| first.starts_with(expected)))
        .map(|(rest, expected, found)| format!("{rest}\n  gave {found:?}\n  not  {expected}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_errors_are_told_at_once() {
    let text =
        format!("{}{}\n[other]\n", model("prices = { input_mtok = 1, output_mtok = \"x\" }\nmax_input = -1"), "[[models]]\nprovider = \"\"\nfree = true");
    let found = errors(&text);
    let places: Vec<&str> = found.iter().filter_map(|error| error.split(": ").next()).collect();
    assert_eq!(places, ["p.toml:4:25", "p.toml:4:42", "p.toml:5:13", "p.toml:6:1", "p.toml:7:12", "p.toml:9:2"], "{found:#?}");
    let many: String = (0..200).map(|_| "[[models]]\nprovider = 1\n").collect();
    let found = errors(&many);
    assert_eq!((found.len(), found.last().map(String::as_str)), (101, Some("p.toml: 500 more errors")));
}

#[test]
fn a_name_belongs_to_one_model() {
    let table = |id: &str, names: &str| format!("[[models]]\nprovider = \"p\"\nid = \"{id}\"\nmatch = {names}\nfree = true\n");
    let found = errors(&(table("a", "[\"x\"]") + &table("b", "[\"y\", \"x\"]")));
    assert_eq!(found, ["p.toml:9:15: \"x\" belongs to \"a\" on line 1 already: within a provider a name is given once"]);
    let found = errors(&(table("a", "[]") + &table("a", "[]")));
    assert_eq!(found, ["p.toml:8:6: \"a\" belongs to \"a\" on line 1 already: within a provider a name is given once"]);
    let found = errors(&(table("g", "{ starts_with = \"gpt-\" }") + &table("gpt-4", "[]")));
    assert_eq!(found, ["p.toml:6:1: \"gpt-4\" is taken by a rule of \"g\" on line 1, and the first in the file wins: put this model before it"]);
    // The other way round it is right, and so are equal names of two providers, and a name that is given twice by the same model.
    let book = table("gpt-4", "[\"gpt-4\"]") + &table("g", "{ starts_with = \"gpt-\" }") + &table("g", "[]").replace("\"p\"", "\"q\"");
    let book = PriceBook::parse(&book, "p").unwrap();
    assert_eq!(&*book.find("p", "gpt-4").unwrap().id, "gpt-4");
    assert_eq!(&*book.find("p", "gpt-4o").unwrap().id, "g");
    assert_eq!(book.models("p").collect::<Vec<_>>(), ["gpt-4", "g"]);
}

#[test]
fn an_unpriced_model_keeps_its_names() {
    let text = "[[models]]\nprovider = \"p\"\nid = \"beta\"\nmatch = { starts_with = \"beta-\" }\nunpriced = \"why\"\n[[models]]\nprovider = \"p\"\nid = \"all\"\nmatch = { contains = \"b\" }\nfree = true\n";
    let book = PriceBook::parse(text, "p").unwrap();
    assert!(book.find("p", "beta").is_none() && book.find("p", "beta-2").is_none());
    assert_eq!(&*book.find("p", "cab").unwrap().id, "all");
    assert_eq!((book.models_count(), book.models("p").collect::<Vec<_>>()), (1, vec!["all"]));
}

/// How long the built-in book takes to read, and a look-up: `cargo test --release -- --ignored --nocapture reading_is_fast`.
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn reading_is_fast() {
    for _ in 0..5 {
        let begin = std::time::Instant::now();
        let book = PriceBook::builtin().unwrap();
        let read = begin.elapsed();
        let mut found = [0_u128; 3];
        for (name, slot) in ["gpt-4o", "claude-haiku-4-5-20251001", "no-such-model-anywhere"].iter().zip(&mut found) {
            let begin = std::time::Instant::now();
            for _ in 0..1000 {
                std::hint::black_box(book.find("google", std::hint::black_box(name)));
            }
            *slot = begin.elapsed().as_nanos() / 1000;
        }
        println!("read in {read:?}; look-ups in nanoseconds: {found:?}");
    }
}
