//! A record as bytes. It always fits a slot: labels too long for it are shortened, and marked as such.
//!
//! Integers are little-endian, strings have their length in two bytes before them. What is changed here changes the file's version, unless nothing is lost where
//! an older one puts it aside: so it is with notes, whose slices are charged then.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::image::ROOM;
use super::note::Note;
use super::record::{Ending, HoldFacts, Record};
use crate::ledger::types::{Certainty, ChargeLabel, HoldId, LedgerError, Settlement};
use crate::money::Usd;
use crate::prices::{Unit, Usage};
use crate::tokens::TokenId;

/// The longest name of an account that a record can carry, in bytes. It is never shortened, since it says where the ending goes.
pub(crate) const MOST_ACCOUNT_BYTES: usize = 255;

/// How long labels may be, in bytes, where the record does not fit otherwise. With the longest account and the largest usage that is
/// still less than a slot.
const PROVIDER_BYTES: usize = 24;
const MODEL_BYTES: usize = 150;
const FEATURE_BYTES: usize = 24;
const PRICE_VERSION_BYTES: usize = 32;
/// Ends what was shortened.
const CUT: &str = "…";

const SETTLE: u8 = 1;
const CHARGE_HOLD: u8 = 2;
const VOID: u8 = 3;

const ON_TOKEN: u8 = 1;
const ON_ACCOUNT: u8 = 2;
const FROM_SLICE: u8 = 4;

/// The record as bytes, at most [`ROOM`] of them.
pub(super) fn encode(record: &Record) -> Result<Vec<u8>, LedgerError> {
    if record.account.len() > MOST_ACCOUNT_BYTES {
        return Err(LedgerError::Incompatible(format!("an account's name may have {MOST_ACCOUNT_BYTES} bytes, this has {}", record.account.len())));
    }
    let whole = put(record, false);
    let bytes = if whole.len() <= ROOM { whole } else { put(record, true) };
    if bytes.len() <= ROOM { Ok(bytes) } else { Err(LedgerError::Incompatible(format!("an ending of {} bytes does not fit the outbox", bytes.len()))) }
}

/// The note as bytes, at most [`ROOM`] of them: an account's name was looked at before any slice of it is taken.
pub(super) fn encode_note(note: &Note) -> Vec<u8> {
    let whole = note.encode(false);
    if whole.len() <= ROOM { whole } else { note.encode(true) }
}

/// The record that was encoded; none where these are not the bytes of one.
pub(super) fn decode(bytes: &[u8]) -> Option<Record> {
    let mut from = Reader { bytes };
    let kind = from.u8()?;
    let hold = HoldId(from.array()?);
    let written_at = Timestamp::from_millisecond(i64::from_le_bytes(from.array()?)).ok()?;
    let token = TokenId(from.u64()?);
    let (facts, account) = from.facts()?;
    let ending = match kind {
        SETTLE => Ending::Settle(Settlement {
            hold,
            cost: from.usd()?,
            certainty: certainty(from.u8()?)?,
            usage: from.usage()?,
            label: from.label()?.into(),
            price_version: from.text()?.into(),
        }),
        CHARGE_HOLD => Ending::ChargeHold(hold),
        VOID => Ending::Void(hold, Duration::from_millis(from.u64()?)),
        _ => return None,
    };
    from.bytes.is_empty().then_some(Record { ending, account, token, facts, written_at })
}

fn put(record: &Record, shortened: bool) -> Vec<u8> {
    let mut into = Vec::with_capacity(512);
    into.push(match record.ending {
        Ending::Settle(_) => SETTLE,
        Ending::ChargeHold(_) => CHARGE_HOLD,
        Ending::Void(..) => VOID,
    });
    into.extend(record.hold().0);
    into.extend(record.written_at.as_millisecond().to_le_bytes());
    into.extend(record.token.0.to_le_bytes());
    put_facts(&mut into, &record.facts, &record.account, shortened);
    match &record.ending {
        Ending::Settle(settlement) => {
            into.extend(settlement.cost.nanos().to_le_bytes());
            into.push(match settlement.certainty {
                Certainty::Exact => 0,
                Certainty::Estimated => 1,
                Certainty::Uncertain => 2,
            });
            put_usage(&mut into, &settlement.usage);
            put_label(&mut into, &settlement.label, shortened);
            put_text(&mut into, &settlement.price_version, shortened.then_some(PRICE_VERSION_BYTES));
        }
        Ending::ChargeHold(_) => {}
        Ending::Void(_, lease) => into.extend(millis(*lease).to_le_bytes()),
    }
    into
}

/// What a hold was made of, and the account.
pub(super) fn put_facts(into: &mut Vec<u8>, facts: &HoldFacts, account: &str, shortened: bool) {
    into.extend(facts.amount.nanos().to_le_bytes());
    let flags = [(facts.on_token, ON_TOKEN), (facts.on_account, ON_ACCOUNT), (facts.slice.is_some(), FROM_SLICE)];
    into.push(flags.into_iter().filter(|(is, _)| *is).map(|(_, flag)| flag).sum());
    into.extend(millis(facts.lease).to_le_bytes());
    put_text(into, account, None);
    put_label(into, &facts.label, shortened);
    if let Some(HoldId(slice)) = facts.slice {
        into.extend(slice);
    }
}

fn put_label(into: &mut Vec<u8>, label: &ChargeLabel, shortened: bool) {
    put_text(into, &label.provider, shortened.then_some(PROVIDER_BYTES));
    put_text(into, &label.model, shortened.then_some(MODEL_BYTES));
    put_text(into, &label.feature, shortened.then_some(FEATURE_BYTES));
}

/// Shortened to `most` bytes between two characters, where that is given. No text is longer than a slot in the end, so what its length cannot say matters
/// to nobody.
pub(super) fn put_text(into: &mut Vec<u8>, text: &str, most: Option<usize>) {
    let (kept, cut) = match most {
        Some(most) if text.len() > most => {
            let end = (0..=most - CUT.len()).rev().find(|end| text.is_char_boundary(*end));
            (end.and_then(|end| text.get(..end)).unwrap_or_default(), CUT)
        }
        _ => (text, ""),
    };
    into.extend(u16::try_from(kept.len() + cut.len()).unwrap_or(u16::MAX).to_le_bytes());
    into.extend(kept.as_bytes());
    into.extend(cut.as_bytes());
}

/// Which classes there are, as bits, then their counts, seven bits a byte.
fn put_usage(into: &mut Vec<u8>, usage: &Usage) {
    let present = usage.iter().fold(0_u32, |present, (unit, _)| present | 1 << unit as u32);
    into.extend(present.to_le_bytes());
    for (_, mut count) in usage.iter() {
        while count > 0x7f {
            into.push(count.to_le_bytes()[0] | 0x80);
            count >>= 7;
        }
        into.push(count.to_le_bytes()[0]);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn certainty(number: u8) -> Option<Certainty> {
    [Certainty::Exact, Certainty::Estimated, Certainty::Uncertain].get(usize::from(number)).copied()
}

/// What is left to read.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
}

// === impl Reader ===

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn usd(&mut self) -> Option<Usd> {
        Usd::from_nanos(i64::from_le_bytes(self.array()?)).ok()
    }

    pub(super) fn text(&mut self) -> Option<String> {
        let length = u16::from_le_bytes(self.array()?);
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }

    /// What a hold was made of, and the account.
    pub(super) fn facts(&mut self) -> Option<(HoldFacts, Arc<str>)> {
        let amount = self.usd()?;
        let flags = self.u8()?;
        let lease = Duration::from_millis(self.u64()?);
        let account = self.text()?.into();
        let label = Arc::new(self.label()?);
        let slice = if flags & FROM_SLICE != 0 { Some(HoldId(self.array()?)) } else { None };
        Some((HoldFacts { amount, on_token: flags & ON_TOKEN != 0, on_account: flags & ON_ACCOUNT != 0, lease, label, slice }, account))
    }

    fn label(&mut self) -> Option<ChargeLabel> {
        Some(ChargeLabel { provider: self.text()?, model: self.text()?, feature: self.text()? })
    }

    fn usage(&mut self) -> Option<Usage> {
        let present = u32::from_le_bytes(self.array()?);
        if present >> Unit::ALL.len() != 0 {
            return None;
        }
        let mut usage = Usage::default();
        for unit in Unit::ALL.into_iter().filter(|unit| present & 1 << *unit as u32 != 0) {
            usage.set(unit, self.count()?);
        }
        Some(usage)
    }

    fn count(&mut self) -> Option<u64> {
        let mut count = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            count |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(count);
            }
        }
        None
    }
}
