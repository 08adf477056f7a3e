//! The counting of tokens, which costs nothing: what the stand-in says that a request would be billed for.

use hyper::Response;
use serde_json::{Value, json};

use super::answers;
use super::body::ChannelBody;
use super::script::{Count, Script};
use super::{Consumed, Entry};

/// Whether a path has tokens counted.
pub(super) fn is_call(path: &str) -> bool {
    path.ends_with("/count_tokens") || path.ends_with(":countTokens")
}

/// Tells the count in that member.
pub(super) fn answer(member: &str, billed: i64, script: &Script, entry: &Entry) -> Response<ChannelBody> {
    let told = match script.count {
        Count::Honest => json!(billed),
        Count::Number(number) => json!(number),
        Count::Text => json!("many"),
    };
    let mut answer = Value::Object(serde_json::Map::new());
    answer[member] = told;
    answers::whole(answer, Consumed::default(), script, entry)
}
