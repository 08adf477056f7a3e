//! A meter for answers that say nothing about their cost, or where one member says it.

use bytes::Bytes;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::members::TopMembers;
use super::{Measured, Meter};
use crate::money::Usd;

/// A cost that is not at the top is looked for in answers up to this size.
const MOST_READ: usize = 1 << 20;

/// Passes an answer through.
pub(super) struct PassMeter {
    /// Nothing is kept back: the answer is a stream that must not wait.
    streams: bool,
    cost: Option<CostAt>,
    held: Vec<Bytes>,
    ended: bool,
}

/// Where a cost is looked for that the provider reports.
enum CostAt {
    /// The member `cost` at the top, in an answer of any size.
    Top(TopMembers),
    /// At a JSON pointer, in the answer so far.
    Pointer { pointer: String, read: Vec<u8>, seen: usize },
}

// === impl CostAt ===

impl CostAt {
    fn new(pointer: String) -> Self {
        if pointer == "/cost" { Self::Top(TopMembers::new(&["cost"])) } else { Self::Pointer { pointer, read: Vec::new(), seen: 0 } }
    }

    fn chunk(&mut self, chunk: &[u8]) {
        match self {
            Self::Top(members) => members.feed(chunk),
            Self::Pointer { read, seen, .. } => {
                *seen = seen.saturating_add(chunk.len());
                if *seen <= MOST_READ {
                    read.extend_from_slice(chunk);
                }
            }
        }
    }

    /// The cost, once all of the answer is there.
    fn found(&self) -> Option<Usd> {
        match self {
            Self::Top(members) if members.closed() => reported_cost(members.get("cost")?),
            Self::Pointer { pointer, read, seen } if *seen <= MOST_READ => cost_at(read, pointer),
            Self::Top(_) | Self::Pointer { .. } => None,
        }
    }
}

// === impl PassMeter ===

impl PassMeter {
    pub(super) fn new(streams: bool, pointer: Option<String>) -> Self {
        Self { streams, cost: pointer.map(CostAt::new), held: Vec::new(), ended: false }
    }
}

impl Meter for PassMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        if let Some(cost) = &mut self.cost {
            cost.chunk(&chunk);
        }
        if self.streams {
            pass.push(chunk);
        } else if !chunk.is_empty() {
            // The last chunk stays until the charge is durable.
            pass.append(&mut self.held);
            self.held.push(chunk);
        }
    }

    fn end(&mut self, _pass: &mut Vec<Bytes>) {
        self.ended = true;
    }

    fn terminal(&self) -> bool {
        self.ended
    }

    fn take_held(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.held)
    }

    fn measured(&self) -> Measured {
        Measured { complete: self.ended, reported_cost: self.cost.as_ref().and_then(CostAt::found), ..Measured::default() }
    }
}

/// The amount in dollars at a JSON pointer (RFC 6901): a number or a string that holds one, read exactly and rounded up to a
/// nano-dollar.
pub(super) fn cost_at(body: &[u8], pointer: &str) -> Option<Usd> {
    let mut value: &RawValue = serde_json::from_slice(body).ok()?;
    if !pointer.is_empty() {
        for step in pointer.strip_prefix('/')?.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            value = child(value, &step)?;
        }
    }
    reported_cost(value.get().as_bytes())
}

/// The amount in dollars that a JSON value is: a number, or a string that holds one.
pub(super) fn reported_cost(value: &[u8]) -> Option<Usd> {
    match serde_json::from_slice::<String>(value) {
        Ok(inner) => amount(&inner),
        Err(_) => amount(std::str::from_utf8(value).ok()?),
    }
}

/// An amount in dollars as providers write it: digits, a point, perhaps an exponent. None when negative or more than can be counted.
pub(super) fn amount(text: &str) -> Option<Usd> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let decimal = if plain { Decimal::from_str_exact(text).ok()? } else { scientific(text)? };
    if decimal.is_sign_negative() && !decimal.is_zero() {
        return None;
    }
    Usd::ceil_from_decimal(decimal).ok()
}

/// `1.5e-05`, as programs print small numbers.
fn scientific(text: &str) -> Option<Decimal> {
    let (digits, exponent) = text.split_once(['e', 'E'])?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && exponent.len() <= 3;
    if plain { Decimal::from_scientific(text).ok() } else { None }
}

/// The member or element of that name, without a tree of its neighbours.
fn child<'a>(value: &'a RawValue, step: &str) -> Option<&'a RawValue> {
    if value.get().trim_start().starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
        elements.get(step.parse::<usize>().ok()?).copied()
    } else {
        let members: std::collections::HashMap<std::borrow::Cow<'_, str>, &RawValue> = serde_json::from_str(value.get()).ok()?;
        members.get(step).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
