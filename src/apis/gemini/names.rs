//! The two spellings of every member. Google reads requests by protobuf's rules for JSON: a member may be written `maxOutputTokens` or
//! `max_output_tokens`, and where a list is expected, a lone element does.
//!
//! Both spellings are understood alike here, so that neither hides what a request costs. A member that comes in both is refused: which of
//! the two counts is not defined. A mixture of the two is no spelling at all.

use std::borrow::Cow;

use crate::apis::json::{Kind, Scanner};
use crate::apis::read::short;
use crate::apis::{AskError, AskErrorKind};

/// No message of this API has more members.
const MOST_MEMBERS: usize = 64;

/// The spelling that the tables here use: `maxOutputTokens` for `max_output_tokens`. What is neither spelling comes back as it is, and is in no
/// table.
pub(super) fn camel(key: &str) -> Cow<'_, str> {
    let snake = key.contains('_') && !key.starts_with('_') && !key.ends_with('_') && !key.contains("__") && !key.bytes().any(|byte| byte.is_ascii_uppercase());
    if !snake {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len());
    for (index, word) in key.split('_').enumerate() {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) if index > 0 => name.push(first.to_ascii_uppercase()),
            first => name.extend(first),
        }
        name.push_str(letters.as_str());
    }
    Cow::Owned(name)
}

/// Walks the members of a message, each under its one name and with the offset of its key. `place` is what errors call the message.
pub(super) fn members<'a>(
    scanner: &mut Scanner<'a>,
    place: &'static str,
    mut each: impl FnMut(&mut Scanner<'a>, &str, usize) -> Result<(), AskError>,
) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid(place, format!("'{place}' must be an object")));
    }
    let mut seen: Vec<String> = Vec::new();
    scanner.object(|scanner, member| {
        let key = member.key.decode().unwrap_or_default();
        let name = camel(&key);
        if seen.iter().any(|other| *other == name) {
            let name = short(&name);
            return Err(AskError {
                message: format!("'{name}' appears in both of its spellings in '{place}': which of the two counts is not defined, so send it once"),
                param: Some(name),
                kind: AskErrorKind::Invalid,
            });
        }
        if seen.len() >= MOST_MEMBERS {
            return Err(AskError::invalid(place, format!("'{place}' has more members than this API knows")));
        }
        seen.push(name.clone().into_owned());
        each(scanner, &name, member.start)
    })
}

/// Walks the elements of a list, or the one element that stands in its place.
pub(super) fn elements<'a>(scanner: &mut Scanner<'a>, mut each: impl FnMut(&mut Scanner<'a>) -> Result<(), AskError>) -> Result<(), AskError> {
    if scanner.kind()? == Kind::Array { scanner.array(each) } else { each(scanner) }
}

/// A text. None where it is null.
pub(super) fn text(scanner: &mut Scanner<'_>, name: &'static str) -> Result<Option<String>, AskError> {
    let wrong = || AskError::invalid(name, format!("'{name}' must be a string"));
    match scanner.kind()? {
        Kind::Null => scanner.value().map(|_| None).map_err(AskError::from),
        Kind::String => scanner.string()?.decode().map(|text| Some(text.into_owned())).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// A member that no table here has.
pub(super) fn unknown(place: &'static str, name: &str) -> AskError {
    let name = short(name);
    AskError::unsupported(name.clone(), format!("'{name}' in '{place}' is not known to this gateway, so what it costs cannot be bounded; leave it out"))
}

/// A member that is known, and refused.
pub(super) fn refused(name: &str, reason: &str) -> AskError {
    AskError::unsupported(name, format!("'{name}' cannot be priced by this gateway: {reason}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
