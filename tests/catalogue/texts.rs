//! Completions and embeddings: many prompts, many texts, tokens by their numbers.

use super::attempt::Expect::{Exact, Refused};
use super::attempt::{Attempt, Expect};

const COMPLETIONS: &[(&str, &str, Expect)] = &[
    ("no limit, which is 16 then", r#""prompt":"once""#, Exact),
    ("twenty prompts at once", r#""max_tokens":20,"prompt":["a","b","c","d","e","f","g","h","i","j","a","b","c","d","e","f","g","h","i","j"]"#, Exact),
    ("three prompts, two answers each, the best of five", r#""max_tokens":20,"n":2,"best_of":5,"prompt":["a","b","c"]"#, Exact),
    ("the best of twenty", r#""max_tokens":20,"best_of":20,"prompt":"once""#, Exact),
    ("three prompts, streamed", r#""max_tokens":20,"stream":true,"prompt":["a","b","c"]"#, Exact),
    ("a prompt by its tokens", r#""max_tokens":20,"prompt":[1,2,3,4,5,6,7,8,9,10]"#, Exact),
    ("prompts by their tokens", r#""max_tokens":20,"prompt":[[1,2,3],[4,5,6],[7,8,9]]"#, Exact),
    ("an echo of the prompt", r#""max_tokens":20,"echo":true,"logprobs":5,"prompt":"once""#, Exact),
    ("a number as prompt", r#""max_tokens":20,"prompt":7"#, Refused(400)),
    ("an object as prompt", r#""max_tokens":20,"prompt":{"id":"pmpt_1"}"#, Refused(400)),
    ("no prompts", r#""max_tokens":20,"prompt":[]"#, Refused(400)),
    ("texts and tokens mixed", r#""max_tokens":20,"prompt":["a",1]"#, Refused(400)),
    ("a token that is a fraction", r#""max_tokens":20,"prompt":[1.5]"#, Refused(400)),
    ("the new name of the limit", r#""max_completion_tokens":5,"prompt":"once""#, Refused(400)),
    ("messages instead of a prompt", r#""max_tokens":20,"messages":[{"role":"user","content":"hi"}]"#, Refused(400)),
];

const EMBEDDINGS: &[(&str, &str, Expect)] = &[
    ("many texts", r#""input":["one","two","three","four","five","six","seven","eight","nine","ten"]"#, Exact),
    ("a text by its tokens", r#""input":[1,2,3,4,5,6,7,8]"#, Exact),
    ("texts by their tokens", r#""input":[[1,2,3],[4,5,6]]"#, Exact),
    ("a text by its tokens, one of them a list", r#""input":[1,[2,3]]"#, Refused(400)),
    ("an image", r#""input":[{"image":"https://127.0.0.1:9/large.png"}]"#, Refused(400)),
    ("an object", r#""input":{"text":"one"}"#, Refused(400)),
    ("nothing", r#""input":[]"#, Refused(400)),
    ("no input", r#""dimensions":64"#, Refused(400)),
    ("a stream", r#""input":"one","stream":true"#, Refused(400)),
    ("many answers", r#""input":"one","n":5"#, Refused(400)),
    ("a field that nobody knows", r#""input":"one","late_chunking":true"#, Refused(400)),
    ("an input in capitals", r#""Input":"one""#, Refused(400)),
];

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (api, path, model, rows) in
        [("completions", "/v1/completions", "gpt-3.5-turbo-instruct", COMPLETIONS), ("embeddings", "/v1/embeddings", "text-embedding-3-small", EMBEDDINGS)]
    {
        for (name, members, expect) in rows {
            attempts.push(Attempt::post(format!("{api}: {name}"), path, format!(r#"{{"model":"{model}",{members}}}"#), *expect));
        }
    }
    attempts
}
