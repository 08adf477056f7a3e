//! Bodies that two parsers may read differently: what we price must be what the provider parses.

use super::attempt::Attempt;
use super::attempt::Expect::{self, Exact, Refused};
use crate::support::asks::CHAT;

/// After the members of a chat with the limit 10. What it tries, and the rest of the body with its brace.
const ENDS: &[(&str, &str)] = &[
    ("the limit twice", r#","max_tokens":5000}"#),
    ("the limit twice, escaped", r#","max\u005ftokens":5000}"#),
    ("the limit twice, escaped in capitals", r#","\u006D\u0061\u0078_tokens":5000}"#),
    ("the limit twice, in capitals", r#","MAX_TOKENS":5000}"#),
    ("the limit twice, in mixed case", r#","Max_Tokens":5000}"#),
    ("the limit twice, with a letter that folds", ",\"max_to\u{212a}ens\":5000}"),
    ("the limit twice, with a NUL behind it", r#","max_tokens\u0000":5000}"#),
    ("the limit twice, with a blank before it", r#"," max_tokens":5000}"#),
    ("the model twice", r#","model":"gpt-4"}"#),
    ("the model twice, escaped", r#","mod\u0065l":"gpt-4"}"#),
    ("the model twice, in capitals", r#","MODEL":"gpt-4"}"#),
    ("the answers twice", r#","n":1,"n":50}"#),
    ("the answers twice, in capitals", r#","n":1,"N":50}"#),
    ("the messages twice", r#","messages":[{"role":"user","content":"a much longer question"}]}"#),
    ("a member twice deep inside", r#","metadata":{"a":{"b":1,"b":2}}}"#),
    ("a name with half a character", r#","\ud800":5000}"#),
    ("a number that is none", r#","temperature":NaN}"#),
    ("a number without end", r#","temperature":Infinity}"#),
    ("a hexadecimal number", r#","seed":0x10}"#),
    ("a number with a leading zero", r#","seed":010}"#),
    ("a number with a plus", r#","seed":+5}"#),
    ("a comma too many", ",}"),
    ("a comment", r#"/*,"max_tokens":5000*/}"#),
    ("a comment of a line", "//\n}"),
    ("single quotes", ",'n':50}"),
    ("no quotes", ",n:50}"),
    ("a raw line break in a string", ",\"user\":\"a\nb\"}"),
    ("a bad escape", r#","user":"\x41"}"#),
    ("bytes behind the end", r#"} trailing"#),
    ("another body behind the end", r#"}{"model":"gpt-4","messages":[{"role":"user","content":"hi"}]}"#),
    ("a NUL behind the end", "}\0"),
    ("an open end", ""),
];

const CHAT_BODY: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_tokens":10}"#;

/// All of them.
pub(super) fn attempts() -> Vec<Attempt> {
    let open = CHAT_BODY.strip_suffix('}').unwrap();
    let mut attempts = Vec::new();
    let mut push = |name: &str, body: Vec<u8>, expect: Expect| attempts.push(Attempt::post(format!("json: {name}"), CHAT, body, expect));
    for (name, end) in ENDS {
        push(name, format!("{open}{end}").into_bytes(), Refused(400));
    }
    push("a byte-order mark", format!("\u{feff}{CHAT_BODY}").into_bytes(), Refused(400));
    push("sixteen bits a character", CHAT_BODY.encode_utf16().flat_map(u16::to_le_bytes).collect(), Refused(400));
    push("bad bytes in a string", [open.as_bytes(), b",\"user\":\"\xff\xfe\"}"].concat(), Refused(400));
    push("a character longer than it must be", [open.as_bytes(), b",\"user\":\"\xc0\xa2\"}"].concat(), Refused(400));
    push("half a character in bytes", [open.as_bytes(), b",\"user\":\"\xed\xa0\x80\"}"].concat(), Refused(400));
    for depth in [65, 1_000, 200_000] {
        push(&format!("{depth} levels deep"), format!("{open},\"metadata\":{}1{}}}", "[".repeat(depth), "]".repeat(depth)).into_bytes(), Refused(400));
    }
    push("a list of requests", format!("[{CHAT_BODY},{CHAT_BODY}]").into_bytes(), Refused(400));
    push("a request in a string", serde_json::to_vec(CHAT_BODY).unwrap(), Refused(400));
    push("nothing at all", Vec::new(), Refused(400));
    push("null", b"null".to_vec(), Refused(400));
    push("a form", b"model=gpt-4o-mini&max_tokens=10".to_vec(), Refused(400));
    push("white space around it", format!(" \r\n\t{CHAT_BODY}\r\n ").into_bytes(), Exact);
    push("a slash that is escaped", CHAT_BODY.replace("\"hi\"", "\"\\/hi\"").into_bytes(), Exact);
    let many: String = (0..3_000).map(|number| format!(",\"k{number}\":null")).collect();
    push("three thousand names of nothing", format!("{open}{many}}}").into_bytes(), Exact);
    attempts
}
