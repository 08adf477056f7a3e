//! Values that conform to a JSON Schema: what structured outputs and tool arguments are made of.
//!
//! A schema comes from outside, so nothing is taken on trust. [`screen`] refuses what is too large, refers outside itself or never ends; [`sample`] builds
//! a value under a budget of steps; [`cost`] bounds the work of checking it; and only then the `jsonschema` crate has the last word. What does not pass
//! is an error that says why, never a value that does not conform.

mod cost;
mod number;
mod pattern;
mod sample;
mod screen;
mod string;
mod walk;

use std::sync::LazyLock;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};

use super::seed::Seed;

/// Ways of building a value that are tried: each makes other choices where the schema leaves some.
const ATTEMPTS: u32 = 8;
/// Limits on one pattern, so that checking it against a short string stays cheap.
const PATTERN_BACKTRACKS: usize = 20_000;
const PATTERN_BYTES: usize = 1 << 20;

/// Added to the schema of a function's parameters, where the value must be an object whatever the schema leaves open.
static OBJECT: LazyLock<Value> = LazyLock::new(|| json!({"type": "object"}));

/// Why no value can be given for a schema; ends a sentence that names the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unmet {
    reason: String,
    /// A limit was reached: trying again with other choices is not worth the time.
    hopeless: bool,
}

/// A schema that has been found fit to build values from.
pub(crate) struct Shape<'s> {
    schema: &'s Value,
    checker: Validator,
    object: bool,
}

// === impl Unmet ===

impl Unmet {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hopeless: false }
    }

    fn hopeless(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hopeless: true }
    }
}

// === impl Shape ===

impl<'s> Shape<'s> {
    /// Screens a schema and readies its check. With `object`, values will be objects, as the arguments of a function are.
    ///
    /// # Errors
    /// The schema is not valid, not supported, or too large.
    pub(crate) fn new(schema: &'s Value, object: bool) -> Result<Self, Unmet> {
        screen::screen(schema)?;
        let patterns = PatternOptions::fancy_regex().backtrack_limit(PATTERN_BACKTRACKS).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let checker = jsonschema::options()
            .with_draft(screen::draft(schema))
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .offline()
            .build(&screen::without_identity(schema))
            .map_err(|error| Unmet::new(format!("it is not a valid JSON Schema: {}", shown(&error.to_string()))))?;
        Ok(Self { schema, checker, object })
    }

    /// A value that conforms, drawn from `seed`.
    ///
    /// # Errors
    /// No value was found: the schema contradicts itself, or asks for more than a simulation builds.
    pub(crate) fn sample(&self, seed: &Seed) -> Result<Value, Unmet> {
        let mut roots = vec![self.schema];
        if self.object {
            roots.push(&OBJECT);
        }
        let mut reason = Unmet::new("no value was found for it");
        let mut steps = cost::MAX_STEPS;
        for attempt in 0..ATTEMPTS {
            let value = match sample::sample(self.schema, &roots, attempt, seed) {
                Ok(value) => value,
                // The second attempt is the smallest: what is too large there is too large.
                Err(unmet) if unmet.hopeless && attempt > 0 => return Err(unmet),
                Err(unmet) => {
                    reason = unmet;
                    continue;
                }
            };
            if !cost::affordable(self.schema, &value, &mut steps) {
                return Err(Unmet::new("it is too complex to check a value against"));
            }
            match self.checker.validate(&value) {
                Ok(()) => return Ok(value),
                Err(error) => reason = Unmet::new(format!("no value was found for it ({})", shown(&error.to_string()))),
            }
        }
        Err(reason)
    }
}

/// As much of a reason as an error message may hold.
fn shown(reason: &str) -> String {
    reason.chars().take(200).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
