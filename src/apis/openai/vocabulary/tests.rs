use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::apis::json::Scanner;

fn count(vocabulary: Vocabulary, text: &str) -> u64 {
    vocabulary.loaded().unwrap().count(text, &mut Merger::default())
}

/// OpenAI's own program, as others have carried it over.
fn reference(vocabulary: Vocabulary, text: &str) -> u64 {
    let program = match vocabulary {
        Vocabulary::O200k => tiktoken_rs::o200k_base_singleton(),
        Vocabulary::Cl100k => tiktoken_rs::cl100k_base_singleton(),
    };
    program.encode_ordinary(text).len() as u64
}

const BOTH: [Vocabulary; 2] = [Vocabulary::O200k, Vocabulary::Cl100k];

#[test]
fn the_vocabularies_are_those_that_openai_publishes() {
    // As its program checks them (tiktoken, `openai_public.py`).
    for (vocabulary, tokens, sha256) in [
        (Vocabulary::O200k, 199_998, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
        (Vocabulary::Cl100k, 100_256, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
    ] {
        let table = &vocabulary.loaded().unwrap().table;
        let mut file = String::new();
        let mut rank = 0;
        while let Some(token) = table.token(rank) {
            assert_eq!(table.rank(token), Some(rank));
            file.push_str(&format!("{} {rank}\n", STANDARD.encode(token)));
            rank += 1;
        }
        let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((rank, hash.as_str()), (tokens, sha256));
        assert_eq!(table.rank(b"\xff\xff\xff\xff"), None);
    }
}

#[test]
fn texts_have_the_tokens_that_openai_s_program_counts() {
    let words = "It isn't THE END, I'd say: naïve café-goers paid $1,234,567.89 (£3) at 10:45!\r\n\r\n";
    let code = "fn main() {\n    let x = vec![1, 2, 3];\n\tprintln!(\"{:?}\", x); // ---\n}\n\n\n";
    let texts = [
        "",
        " ",
        "   ",
        "\n",
        "a",
        "hello world",
        words,
        code,
        "  leading and trailing  ",
        "tail \n  ",
        "tail\t\t\n\n   \n ",
        "日本語のテキストは空白なしに続きます。中文也是这样。한국어는 띄어쓰기가 있습니다.",
        "Здравствуй, мир! Γειά σου Κόσμε. नमस्ते दुनिया। שלום עולם مرحبا بالعالم",
        "👩‍👩‍👧‍👦🏳️‍🌈 e\u{301}\u{323} ǅ ʰ \u{200b}\u{feff}\u{3000}\u{a0}",
        "{\"id\":12345,\"items\":[{\"name\":\"a\",\"price\":1.5e-7},null,true]}",
        "'LL 'Ve''s it'S DON'T",
        "<|endoftext|><|im_start|>user",
        "============================================================",
        "QmFzZTY0IGlzIG5vdCB0ZXh0/+w9Zz09aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];
    for vocabulary in BOTH {
        for text in texts {
            assert!(count(vocabulary, text) >= reference(vocabulary, text), "{vocabulary:?}: {text:?}");
            // Only spaces at the end may make a difference.
            assert_eq!(count(vocabulary, text.trim_end()), reference(vocabulary, text.trim_end()), "{vocabulary:?}: {text:?}");
        }
    }
}

/// Words, signs and spaces that meet in all ways.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-z]{1,9}",
        2 => "[A-Z]{1,3}[a-z]{0,6}",
        2 => "[0-9]{1,8}",
        2 => r"[ ]{1,4}",
        1 => r"[ \t\r\n]{1,5}",
        2 => r#"[!-/:-@\[-`{-~]{1,4}"#,
        1 => "'(s|T|re|VE|m|ll|D)",
        1 => r"\p{Han}{1,6}",
        1 => r"\p{L}{1,5}",
        1 => r"\p{M}{1,2}",
        1 => r"\p{N}{1,4}",
        1 => r"\PC{1,5}",
        1 => any::<String>(),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_has_the_tokens_that_openai_s_program_counts(text in text()) {
        for vocabulary in BOTH {
            prop_assert!(count(vocabulary, &text) >= reference(vocabulary, &text), "{:?}", vocabulary);
            prop_assert_eq!(count(vocabulary, text.trim_end()), reference(vocabulary, text.trim_end()), "{:?}", vocabulary);
        }
    }

    #[test]
    fn long_pieces_are_merged_in_the_same_order(letters in "[abcxyz]{100,600}", run in 1_usize..400) {
        for text in [letters.clone(), "a".repeat(run), letters.repeat(3), "=".repeat(run) + &letters] {
            prop_assert_eq!(count(Vocabulary::O200k, &text), reference(Vocabulary::O200k, &text));
        }
    }
}

#[test]
fn what_is_not_counted_stays_at_its_bytes() {
    let counter = Counter::of("gpt-4o").unwrap();
    let spared = |body: &str| {
        let mut scanner = Scanner::strict(body.as_bytes());
        counter.spared(&scanner.string().unwrap())
    };
    assert_eq!(spared(r#""hello world""#), 11 - 2);
    // Escapes are undone: two bytes here, one there.
    assert_eq!(spared(r#""a\nb""#), 4 - 3);
    assert_eq!(spared(r#""hello<|endoftext|>world""#), 0);
    assert_eq!(spared(r#""half of a pair: \ud800""#), 0);
    assert_eq!(spared(&format!("\"{}\"", "a".repeat(MOST_PIECE + 1))), 0);
    let most = format!("\"{}\"", "word ".repeat(MOST_BYTES / 5 - 20_000));
    assert!(spared(&most) > 0);
    assert_eq!(spared(&most), 0, "no more than so much of one request");
    assert!(spared(r#""hello world""#) > 0, "and small texts while there is room");
}

#[test]
fn only_models_whose_vocabulary_is_published_have_one() {
    for model in [
        "gpt-4o",
        "gpt-4o-mini-2024-07-18",
        "chatgpt-4o-latest",
        "gpt-4.1-nano",
        "gpt-4.5-preview",
        "gpt-5",
        "gpt-5-mini",
        "gpt-5.4",
        "gpt-5.1-codex",
        "o1",
        "o3-pro",
        "o4-mini-2025-04-16",
        "ft:gpt-4o-mini-2024-07-18:team::id",
    ] {
        assert_eq!(of(model), Some(Vocabulary::O200k), "{model}");
    }
    for model in ["gpt-4", "gpt-4-turbo", "gpt-4-32k-0314", "gpt-3.5-turbo-instruct", "gpt-35-turbo", "ft:gpt-3.5-turbo:team::id", "text-embedding-3-small"] {
        assert_eq!(of(model), Some(Vocabulary::Cl100k), "{model}");
    }
    for model in [
        "",
        "gpt-6",
        "gpt-6.1-sol",
        "gpt-50",
        "gpt-4.2",
        "gpt-41",
        "gpt-4oo",
        "gpt-oss-120b",
        "o4",
        "o5-mini",
        "o11",
        "gpt-4o-search-preview",
        "gpt-5-search-api",
        "openai/gpt-4o",
        "claude-haiku-4-5",
        "mistral-small",
        "GPT-4o",
    ] {
        assert_eq!(of(model), None, "{model}");
    }
}
