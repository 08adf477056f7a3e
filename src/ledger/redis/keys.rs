//! The names of the keys. All keys of one account carry the same hash tag, so that a script over all of them is one step in a Cluster too.

use std::fmt::Write as _;

use crate::tokens::SecretHash;

/// A hash: the version of the layout.
pub(crate) const META: &str = "sg:meta";
/// A hash: account names to account ids; the field `""` holds the next id.
pub(crate) const ACCOUNTS: &str = "sg:accounts";
/// What each key of an account holds, in the order in which every script is given them.
pub(crate) const PARTS: [&str; 14] = [
    "account",
    "identities",
    "figures",
    "names",
    "live",
    "holds",
    "leases",
    "tombstones",
    "tombstone_ends",
    "ended",
    "journal",
    "checkpoints",
    "usage",
    "gateways",
];

/// A hash besides: which holds are slices, and whose.
pub(crate) const SLICES: &str = "slices";

/// The key that leads from a token's secret to the account's name.
pub(crate) fn secret(hash: &SecretHash) -> String {
    format!("sg:secret:{}", hex(&hash.0))
}

/// The key that leads from an account's main key to its name.
pub(crate) fn main_key(hash: &SecretHash) -> String {
    format!("sg:key:{}", hex(&hash.0))
}

/// Every key of an account.
pub(crate) fn of_account(account: &str) -> [String; PARTS.len()] {
    let start = start(account);
    PARTS.map(|part| [start.as_str(), part].concat())
}

/// One key of an account. `part` is one of [`PARTS`], or [`SLICES`].
pub(crate) fn of_account_part(account: &str, part: &str) -> String {
    start(account) + part
}

/// What the keys of an account begin with.
fn start(account: &str) -> String {
    format!("sg:{{{}}}:", encoded(account))
}

/// An account's name as it stands in keys: percent-encoded, but for letters, digits, `.`, `_` and `-`.
pub(crate) fn encoded(account: &str) -> String {
    let mut text = String::with_capacity(account.len());
    for byte in account.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

/// The bytes that `text` spells in hex digits; none where it is anything else.
pub(crate) fn unhex<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if text.len() != LENGTH * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}
