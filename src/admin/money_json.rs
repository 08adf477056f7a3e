//! Amounts in answers, exact: as a JSON number written digit by digit, or as a string of nine decimals. Never through a float.

use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::money::Usd;

/// A JSON number: `87.45`.
#[derive(Clone, Copy)]
pub(super) struct Number(pub(super) Usd);

/// A string of nine decimals: `"50.000000000"`.
#[derive(Clone, Copy)]
pub(super) struct Text(pub(super) Usd);

// === impl Number ===

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_short_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

// === impl Text ===

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
