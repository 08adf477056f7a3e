use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{EMBEDDINGS, ask, ask_with, bad};

fn floats(embedding: &Value) -> Vec<f32> {
    match embedding {
        Value::String(text) => STANDARD.decode(text).unwrap().chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect(),
        Value::Array(numbers) => numbers.iter().map(|number| number.as_f64().unwrap() as f32).collect(),
        other => panic!("{other}"),
    }
}

fn embed(body: &Value) -> Vec<Vec<f32>> {
    ask(EMBEDDINGS, body).body["data"].as_array().unwrap().iter().map(|item| floats(&item["embedding"])).collect()
}

#[test]
fn models_have_their_dimensions() {
    for (model, dimensions) in [
        ("text-embedding-3-small", 1536),
        ("text-embedding-ada-002", 1536),
        ("text-embedding-3-large", 3072),
        ("azure/text-embedding-3-large", 3072),
        ("other", 1536),
    ] {
        assert_eq!(embed(&json!({"model": model, "input": "a"}))[0].len(), dimensions);
    }
    assert_eq!(embed(&json!({"model": "text-embedding-3-small", "input": "a", "dimensions": 256}))[0].len(), 256);
}

#[test]
fn the_answer_has_every_field() {
    let body = ask(EMBEDDINGS, &json!({"model": "text-embedding-3-small", "input": ["12345", "1"], "dimensions": 2})).body;
    assert_eq!(body["object"], "list");
    assert_eq!(body["model"], "text-embedding-3-small");
    assert_eq!((&body["data"][1]["object"], &body["data"][1]["index"]), (&json!("embedding"), &json!(1)));
    assert_eq!(body["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    let silent = ask_with(EMBEDDINGS, &json!({"model": "m", "input": "a"}), "no-usage").body;
    assert!(silent.get("usage").is_none());
}

#[test]
fn inputs_come_in_four_forms() {
    assert_eq!(embed(&json!({"model": "m", "input": [1, 2, 3]})).len(), 1);
    let lists = embed(&json!({"model": "m", "input": [[1, 2, 3], [4]]}));
    assert_eq!(lists[0], embed(&json!({"model": "m", "input": [1, 2, 3]}))[0]);
    assert_ne!(lists[0], lists[1]);
    assert_eq!(ask(EMBEDDINGS, &json!({"model": "m", "input": [[1, 2, 3], [4]]})).body["usage"]["prompt_tokens"], 4);
}

#[test]
fn bad_requests_get_the_provider_s_error() {
    for (body, param) in [
        (json!({"input": "a"}), "model"),
        (json!({"model": "m"}), "input"),
        (json!({"model": "m", "input": ""}), "input"),
        (json!({"model": "m", "input": []}), "input"),
        (json!({"model": "m", "input": ["a", ""]}), "input"),
        (json!({"model": "m", "input": ["a", 1]}), "input[1]"),
        (json!({"model": "m", "input": vec!["a"; 2049]}), "input"),
        (json!({"model": "m", "input": "a", "dimensions": 0}), "dimensions"),
        (json!({"model": "m", "input": "a", "dimensions": 1_000_000}), "dimensions"),
        (json!({"model": "text-embedding-ada-002", "input": "a", "dimensions": 5}), "dimensions"),
        (json!({"model": "m", "input": "a", "encoding_format": "hex"}), "encoding_format"),
    ] {
        assert_eq!(bad(EMBEDDINGS, &body)["param"], param, "{body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn vectors_are_of_length_one_and_follow_the_text(texts in proptest::collection::vec("\\PC{1,20}", 1..4), dimensions in 1..300_usize) {
        let body = |format: &str, texts: &[String]| json!({"model": "m", "input": texts, "encoding_format": format, "dimensions": dimensions});
        let vectors = embed(&body("float", &texts));
        prop_assert_eq!(&vectors, &embed(&body("base64", &texts)));
        for (text, vector) in texts.iter().zip(&vectors) {
            prop_assert_eq!(vector.len(), dimensions);
            let length: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
            prop_assert!((length - 1.0).abs() < 1e-5, "{}", length);
            prop_assert_eq!(vector, &embed(&body("float", std::slice::from_ref(text)))[0]);
        }
    }
}
