//! What is wrong with a request, by field, in the order in which it was found.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::tokens::TokenRuleError;

/// Field errors: `{"name":["This field is required."]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(String, Vec<String>)>);

// === impl FieldErrors ===

impl FieldErrors {
    /// The field under which errors of the body as a whole stand.
    pub const WHOLE: &'static str = "non_field_errors";

    /// One error of one field.
    #[must_use]
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Self(vec![(field.to_owned(), vec![message.into()])])
    }

    /// Adds an error of a field.
    pub fn add(&mut self, field: &str, message: impl Into<String>) {
        let message = message.into();
        match self.0.iter_mut().find(|(name, _)| name == field) {
            Some((_, messages)) if messages.contains(&message) => {}
            Some((_, messages)) => messages.push(message),
            None => self.0.push((field.to_owned(), vec![message])),
        }
    }

    /// Adds what the ledger says, unless it only follows from a field that is wrong already: a balance that could not be read is not missing.
    pub fn add_rule(&mut self, rule: TokenRuleError) {
        let follows_from: &[&str] = match rule {
            TokenRuleError::NameTaken => &[],
            TokenRuleError::NoBalanceToEnforce => &["balance", "active_balance", "balance_reset_period", "balance_reset_amount"],
            TokenRuleError::NoResetAmount => &["balance_reset_period", "balance_reset_amount"],
        };
        if !follows_from.iter().any(|field| self.has(field)) {
            self.add(rule.field(), rule.to_string());
        }
    }

    /// Whether a field has an error.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(name, _)| name == field)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each field with its messages.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(field, messages)| (field.as_str(), messages.as_slice()))
    }
}

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, messages) in &self.0 {
            map.serialize_entry(field, messages)?;
        }
        map.end()
    }
}
