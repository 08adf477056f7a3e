//! Names of models: aliases, other cases, models without a price, models of other providers.

use super::attempt::Expect::Refused;
use super::attempt::{Attempt, Expect};
use crate::support::asks::CHAT;

/// What it tries, and the model as it stands in the body.
const CHATS: &[(&str, &str, Expect)] = &[
    ("in capitals", r#""GPT-4O-MINI""#, Refused(403)),
    ("in mixed case", r#""gpt-4o-Mini""#, Refused(403)),
    ("with a letter that folds", "\"gpt-4o-mın\u{131}\"", Refused(403)),
    ("with a blank behind it", r#""gpt-4o-mini ""#, Refused(403)),
    ("with a blank before it", r#"" gpt-4o-mini""#, Refused(403)),
    ("with a line break behind it", r#""gpt-4o-mini\n""#, Refused(400)),
    ("with a NUL behind it", r#""gpt-4o-mini\u0000""#, Refused(400)),
    ("with its provider's name", r#""openai/gpt-4o-mini""#, Refused(403)),
    ("with another provider's name", r#""azure/gpt-4o-mini""#, Refused(403)),
    ("with a version", r#""gpt-4o-mini@latest""#, Refused(403)),
    ("that is free at a router", r#""gpt-4o-mini:free""#, Refused(403)),
    ("that searches the web", r#""gpt-4o-mini:online""#, Refused(403)),
    ("that begins alike", r#""gpt-4o-mini-2099-01-01""#, Refused(403)),
    ("that nobody knows", r#""gpt-404""#, Refused(403)),
    ("that is somebody's own", r#""ft:gpt-404:me::1""#, Refused(403)),
    ("of another provider", r#""claude-haiku-4-5""#, Refused(403)),
    ("by a path", r#""../gpt-4o-mini""#, Refused(403)),
    ("by a pattern", r#""gpt-*""#, Refused(403)),
    ("that is empty", r#""""#, Refused(400)),
    ("that is null", "null", Refused(400)),
    ("that is a number", "7", Refused(400)),
    ("that is a list", r#"["gpt-4o-mini"]"#, Refused(400)),
    ("that is an object", r#"{"name":"gpt-4o-mini"}"#, Refused(400)),
];

const MESSAGES: &[(&str, &str, Expect)] = &[
    ("in capitals", r#""CLAUDE-HAIKU-4-5""#, Refused(403)),
    ("with a blank before it", r#"" claude-haiku-4-5""#, Refused(403)),
    ("with its provider's name", r#""anthropic/claude-haiku-4-5""#, Refused(403)),
    ("that nobody knows", r#""claude-nobody-1""#, Refused(403)),
    ("of another provider", r#""gpt-4o-mini""#, Refused(403)),
    ("that is a list", r#"["claude-haiku-4-5"]"#, Refused(400)),
];

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for (api, path, rows) in [("chat", CHAT, CHATS), ("messages", "/v1/messages", MESSAGES)] {
        for (name, model, expect) in rows {
            let body = format!(r#"{{"model":{model},"max_tokens":10,"messages":[{{"role":"user","content":"hi"}}]}}"#);
            attempts.push(Attempt::post(format!("model of a {api} {name}"), path, body, *expect));
        }
    }
    attempts.push(Attempt::post(
        format!("model of a chat of {} letters", 300),
        CHAT,
        format!(r#"{{"model":"{}","messages":[]}}"#, "m".repeat(300)),
        Refused(400),
    ));
    attempts.push(Attempt::post("no model", CHAT, r#"{"messages":[{"role":"user","content":"hi"}]}"#, Refused(400)));
    attempts
}
