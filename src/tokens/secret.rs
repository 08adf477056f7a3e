//! Secrets: the strings that clients present. `sg_live_` + 43 random characters + 6 of checksum; only a SHA-256 of one is ever stored.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters that carry the 256 random bits: 62^43 > 2^256.
const RANDOM_CHARS: usize = 43;
/// Characters that carry the CRC-32 of all before them: 62^6 > 2^32.
const CHECKSUM_CHARS: usize = 6;

/// What a secret opens, told by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// `sg_main_`: an account's main API key.
    Main,
    /// `sg_live_`: an `api_token`.
    Live,
    /// `sg_test_`: a `sandbox_api_token`.
    Test,
}

/// A secret in the clear. Cannot be printed; lives for one request, or until it is shown once.
#[derive(Clone)]
pub struct Secret(String);

/// The SHA-256 of a secret: what the ledger stores and compares. 256 random bits need no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash(pub [u8; 32]);

/// What a presented string looks like, found without any look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// Prefix, length and checksum are right.
    WellFormed(SecretKind),
    /// Not one of ours: refused before a body is read.
    Malformed,
}

// === impl SecretKind ===

impl SecretKind {
    /// The prefix that names the kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Main => "sg_main_",
            Self::Live => "sg_live_",
            Self::Test => "sg_test_",
        }
    }
}

// === impl Secret ===

impl Secret {
    /// A fresh secret from 256 bits of the system's randomness.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn generate(kind: SecretKind) -> Result<Self, getrandom::Error> {
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random)?;
        let mut text = String::with_capacity(kind.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS);
        text.push_str(kind.prefix());
        push_base62(&mut text, &random, RANDOM_CHARS);
        let checksum = crc32fast::hash(text.as_bytes());
        push_base62(&mut text, &checksum.to_be_bytes(), CHECKSUM_CHARS);
        Ok(Self(text))
    }

    /// Takes what a client presented, or an operator configured, as it is.
    #[must_use]
    pub fn presented(text: String) -> Self {
        Self(text)
    }

    /// Checks prefix, length and checksum of a presented string, without any look-up.
    #[must_use]
    pub fn form(text: &str) -> SecretForm {
        let kind = [SecretKind::Live, SecretKind::Test, SecretKind::Main].into_iter().find(|kind| text.starts_with(kind.prefix()));
        let Some(kind) = kind else { return SecretForm::Malformed };
        if text.len() != kind.prefix().len() + RANDOM_CHARS + CHECKSUM_CHARS || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return SecretForm::Malformed;
        }
        let (body, checksum) = text.split_at(text.len() - CHECKSUM_CHARS);
        let mut expected = String::with_capacity(CHECKSUM_CHARS);
        push_base62(&mut expected, &crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_CHARS);
        if expected == checksum { SecretForm::WellFormed(kind) } else { SecretForm::Malformed }
    }

    /// The hash that stands for it.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }

    /// `sg_live_a1B2...c5D6`: enough to tell two apart, no more.
    #[must_use]
    pub fn masked(&self) -> String {
        let prefix =
            [SecretKind::Live, SecretKind::Test, SecretKind::Main].into_iter().map(SecretKind::prefix).find(|prefix| self.0.starts_with(prefix)).unwrap_or("");
        let rest: Vec<char> = self.0.chars().skip(prefix.len()).collect();
        if rest.len() < 16 {
            return format!("{prefix}...");
        }
        let head: String = rest[..4].iter().collect();
        let tail: String = rest[rest.len() - 4..].iter().collect();
        format!("{prefix}{head}...{tail}")
    }

    /// The text itself: to show it once, on creation and rotation, and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

// === impl SecretHash ===

impl SecretHash {
    /// The hash of a presented string.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Equality in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecretHash(..)")
    }
}

/// Appends `bytes`, read as one big-endian number, as exactly `chars` base-62 digits.
fn push_base62(text: &mut String, bytes: &[u8], chars: usize) {
    let mut number = bytes.to_vec();
    let mut digits = vec![b'0'; chars];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0_u32;
        for byte in &mut number {
            let value = remainder * 256 + u32::from(*byte);
            *byte = (value / 62).to_le_bytes()[0];
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    text.extend(digits.into_iter().map(char::from));
}

#[cfg(test)]
mod tests;
