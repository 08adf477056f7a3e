//! Seals: whose is what is kept at the provider?
//!
//! A provider keeps responses under the key that asked for them, and all tokens share that key. So its ids would let any token read, continue and
//! delete what another token made, if it only learns the id: from a log, a trace, an address. Unguessable is not enough for that.
//!
//! A record of who made what would have to be written for every answer and shared by all gateways. Instead the gateway puts a seal behind every such id
//! on its way to the client: a code over the id and the token, made with the provider's own key. All gateways know that key and no client does, and who
//! knows it can read everything anyway. An id that comes back must bear the seal of the token that sends it, and loses it again before it goes upstream.
//!
//! With another provider key, and in another ledger, seals are others: ids from before are refused then.

use aws_lc_rs::hmac;

/// What stands between an id and its seal. Letters, so that a sealed id still is what a double click selects and an address may hold.
const MARK: &str = "_sg";
/// Digits of a seal: 128 bits.
const DIGITS: usize = 32;

/// Makes and knows the seals of one token at one provider.
#[derive(Clone)]
pub struct Seal(hmac::Key);

/// The id of something that is kept at the provider, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptId {
    /// The provider's id.
    pub id: String,
    /// Its seal; none where it bears none.
    pub seal: Option<String>,
    /// The member of the body that names it; none where the path does.
    pub param: Option<&'static str>,
}

// === impl Seal ===

impl Seal {
    /// Seals of the token that `owner` tells from all others, at the provider with that key. None without a key: then anybody could make them.
    #[must_use]
    pub fn new(provider_key: &[u8], owner: &str) -> Option<Self> {
        if provider_key.is_empty() {
            return None;
        }
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, provider_key), format!("spendgate kept ids of {owner}").as_bytes());
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref())))
    }

    /// What is put behind an id.
    #[must_use]
    pub(super) fn suffix(&self, id: &str) -> String {
        let code = hmac::sign(&self.0, id.as_bytes());
        code.as_ref().iter().take(DIGITS / 2).fold(MARK.to_owned(), |mut suffix, byte| {
            for digit in [byte >> 4, byte & 15] {
                suffix.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
            suffix
        })
    }

    /// Whether the id bears the seal of this token.
    #[must_use]
    pub fn owns(&self, kept: &KeptId) -> bool {
        kept.seal.as_ref().is_some_and(|seal| subtle::ConstantTimeEq::ct_eq(self.suffix(&kept.id).as_bytes(), seal.as_bytes()).into())
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Seal")
    }
}

// === impl KeptId ===

impl KeptId {
    /// Reads an id as a client sends it.
    pub(super) fn read(text: &str, param: Option<&'static str>) -> Self {
        let id = text.get(..bare_length(text)).unwrap_or(text);
        let seal = text.get(id.len()..).filter(|seal| !seal.is_empty());
        Self { id: id.to_owned(), seal: seal.map(str::to_owned), param }
    }
}

/// How long an id is without its seal, where it bears something of that form.
pub(super) fn bare_length(text: &str) -> usize {
    let parts = text.len().checked_sub(MARK.len() + DIGITS).and_then(|at| Some((at, text.get(at..)?)));
    match parts {
        Some((at, suffix)) if is_seal(suffix) => at,
        _ => text.len(),
    }
}

fn is_seal(suffix: &str) -> bool {
    suffix.strip_prefix(MARK).is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn sealed(seal: &Seal, id: &str) -> String {
        format!("{id}{}", seal.suffix(id))
    }

    #[test]
    fn an_id_is_good_for_the_token_it_was_given_to() {
        let own = Seal::new(b"sk-provider", "default 1").unwrap();
        let text = sealed(&own, "resp_67ccd2bed1ec8190");
        let kept = KeptId::read(&text, None);
        assert_eq!(kept.id, "resp_67ccd2bed1ec8190");
        assert!(own.owns(&kept));
        for other in [Seal::new(b"sk-provider", "default 2"), Seal::new(b"sk-other", "default 1"), Seal::new(b"sk-provider", "default 11")] {
            assert!(!other.unwrap().owns(&kept));
        }
        assert!(Seal::new(b"", "default 1").is_none());
    }

    #[test]
    fn what_bears_no_seal_or_another_id_s_is_nobody_s() {
        let own = Seal::new(b"sk-provider", "default 1").unwrap();
        let seal = own.suffix("resp_a");
        for text in [
            "resp_a",
            "",
            "_sg",
            &format!("resp_b{seal}"),
            &format!("resp_a{seal}{seal}"),
            &format!("resp_a{}", seal.to_uppercase()),
            &seal,
            "é".repeat(40).as_str(),
        ] {
            assert!(!own.owns(&KeptId::read(text, None)), "{text}");
        }
        assert!(own.owns(&KeptId::read(&sealed(&own, ""), None)), "which no provider gives");
        // Whatever is cut off its end.
        let whole = format!("resp_a{seal}");
        assert!((0..whole.len()).all(|end| !own.owns(&KeptId::read(&whole[..end], None))));
    }

    #[test]
    fn says_nothing_of_its_key() {
        assert_eq!(format!("{:?}", Seal::new(b"sk-provider", "x").unwrap()), "Seal");
    }
}
