use serde_json::{Value, json};

use super::super::tests::{Answer, COMPLETIONS, ask, ask_with, bad};

fn complete(body: &Value) -> Answer {
    ask(COMPLETIONS, body)
}

#[test]
fn the_default_limit_is_sixteen_tokens() {
    let answer = complete(&json!({"model": "gpt-3.5-turbo-instruct", "prompt": "Once upon"}));
    assert_eq!(answer.body["object"], "text_completion");
    assert_eq!(answer.body["choices"][0]["finish_reason"], "length");
    assert_eq!(answer.body["choices"][0]["text"].as_str().unwrap().len(), 64);
    assert_eq!(answer.body["usage"]["prompt_tokens"], 3);
    assert_eq!(answer.body["usage"]["completion_tokens"], 16);
}

#[test]
fn prompts_times_n_choices() {
    let answer = complete(&json!({"model": "m", "prompt": ["a", "b", [1, 2, 3]], "n": 2, "max_tokens": 4, "best_of": 3}));
    assert_eq!(answer.body["choices"].as_array().unwrap().len(), 6);
    assert_eq!(answer.body["choices"][5]["index"], 5);
    assert_eq!(answer.body["usage"]["prompt_tokens"], 5);
    assert_eq!(answer.body["usage"]["completion_tokens"], 3 * 3 * 4, "what best_of discards is billed too");
    assert_eq!(complete(&json!({"model": "m", "prompt": [1, 2, 3]})).body["usage"]["prompt_tokens"], 3);
    let echoed = complete(&json!({"model": "m", "prompt": "Hi", "echo": true, "max_tokens": 1}));
    assert_eq!(echoed.body["choices"][0]["text"], "HiThis");
}

#[test]
fn a_stream_says_the_same() {
    let mut body = json!({"model": "m", "prompt": ["a", "b"], "max_tokens": 30, "stream": true, "stream_options": {"include_usage": true}});
    let streamed = complete(&body);
    body["stream"] = json!(false);
    let whole = complete(&body);
    for index in 0..2 {
        assert_eq!(streamed.text(index), whole.body["choices"][index]["text"].as_str().unwrap());
        assert_eq!(streamed.finish(index), whole.finish(index));
    }
    assert_eq!(streamed.usage(), whole.usage());
    assert_eq!(streamed.events[0]["id"], whole.body["id"]);
}

#[test]
fn faults_and_errors() {
    let answer = ask_with(COMPLETIONS, &json!({"model": "m", "prompt": "a", "max_tokens": 900}), "tokens=500");
    assert_eq!(answer.usage()["completion_tokens"], 500);
    assert!(ask_with(COMPLETIONS, &json!({"model": "m", "prompt": "a"}), "no-usage").body.get("usage").is_none());
    for (body, param) in [
        (json!({"prompt": "a"}), "model"),
        (json!({"model": "m"}), "prompt"),
        (json!({"model": "m", "prompt": []}), "prompt"),
        (json!({"model": "m", "prompt": [1.5]}), "prompt"),
        (json!({"model": "m", "prompt": "a", "n": 3, "best_of": 2}), "best_of"),
        (json!({"model": "m", "prompt": vec!["a"; 200], "n": 20}), "prompt"),
        (json!({"model": "m", "prompt": "a", "max_tokens": -1}), "max_tokens"),
    ] {
        assert_eq!(bad(COMPLETIONS, &body)["param"], param, "{body}");
    }
}
