//! Numbers within `minimum`, `maximum`, their exclusive forms and `multipleOf`.
//!
//! Rather than solve for a number, likely ones are listed and the first that fits is taken. These are numbers in simulated answers, never money.

use serde_json::{Map, Number, Value};

use super::super::seed::Dice;
use super::Unmet;

/// The bounds of all parts together.
struct Range<'s> {
    parts: &'s [&'s Map<String, Value>],
    whole: bool,
    least: Option<f64>,
    most: Option<f64>,
}

/// A number for the parts; `pick` asks for another one than the first.
pub(super) fn sample(parts: &[&Map<String, Value>], whole: bool, pick: usize, dice: &mut Dice) -> Result<Value, Unmet> {
    let bound = |names: [&str; 2]| -> Vec<f64> { parts.iter().flat_map(|part| names.map(|name| part.get(name))).flatten().filter_map(Value::as_f64).collect() };
    let least = bound(["minimum", "exclusiveMinimum"]).into_iter().reduce(f64::max);
    let most = bound(["maximum", "exclusiveMaximum"]).into_iter().reduce(f64::min);
    let range = Range { parts, whole, least, most };
    let fitting = range.candidates(dice).into_iter().filter(|number| range.holds(number));
    let mut found: Vec<Number> = Vec::new();
    for number in fitting {
        if !found.contains(&number) {
            found.push(number);
        }
        if found.len() > pick {
            break;
        }
    }
    let index = pick.min(found.len().saturating_sub(1));
    found.into_iter().nth(index).map(Value::Number).ok_or_else(|| Unmet::new("no number lies within its bounds"))
}

impl Range<'_> {
    /// Numbers that may fit, likeliest first.
    fn candidates(&self, dice: &mut Dice) -> Vec<Number> {
        let random = dice.below(100) as f64 + 1.0;
        let (least, most) = match (self.least, self.most) {
            (Some(least), Some(most)) => (least, most),
            (Some(least), None) => (least, least + 100.0),
            (None, Some(most)) => (most - 100.0, most),
            (None, None) => (0.0, 100.0),
        };
        let middle = least / 2.0 + most / 2.0;
        let mut numbers = Vec::new();
        let factor = self.parts.iter().filter_map(|part| part.get("multipleOf")?.as_f64()).find(|factor| *factor > 0.0);
        if let Some(factor) = factor {
            let start = (least / factor).ceil();
            let spread = ((most - least) / factor).clamp(1.0, 100.0);
            let turns = [(start + (random % spread).floor()), start, start + 1.0];
            // Where several factors must divide it, it may take some turns to meet a common multiple.
            numbers.extend(turns.into_iter().chain((0..200).map(|turn| start + f64::from(turn))).map(|turn| multiple(turn, factor)));
        }
        let span = (most - least).clamp(1.0, 1000.0);
        let drawn = (least + random % span).floor();
        if !self.whole {
            // With a fraction, so that it is told from a whole number.
            numbers.extend([drawn + 0.5, middle]);
        }
        numbers.extend([drawn, drawn + 1.0, middle.floor(), middle.ceil()]);
        numbers.extend((0..=100).map(|step| least.ceil() + f64::from(step)));
        if !self.whole {
            numbers.extend((1..100).map(|step| least + (most - least) * f64::from(step) / 100.0));
            numbers.extend([least, most]);
        }
        numbers.push(0.0);
        let mut all: Vec<Number> = numbers.into_iter().filter_map(|number| self.number(number)).collect();
        // Bounds past what a float holds exactly are themselves the surest candidates.
        let exact = self.parts.iter().flat_map(|part| [part.get("minimum"), part.get("maximum")]).flatten();
        all.extend(exact.filter_map(Value::as_number).cloned());
        all
    }

    /// Whole numbers are written without a fraction, also where a fraction would be allowed.
    fn number(&self, number: f64) -> Option<Number> {
        if number.fract() == 0.0 && number.abs() < 9e15 {
            return Some(Number::from(number as i64));
        }
        if self.whole { None } else { Number::from_f64(number) }
    }

    fn holds(&self, number: &Number) -> bool {
        let Some(value) = number.as_f64() else { return false };
        self.parts.iter().all(|part| {
            let bound = |name: &str| part.get(name).and_then(Value::as_f64);
            // In draft 4 the exclusive forms are true or false, and change what the plain ones mean.
            let strict = |name: &str| part.get(name) == Some(&Value::Bool(true));
            bound("minimum").is_none_or(|least| if strict("exclusiveMinimum") { value > least } else { value >= least })
                && bound("maximum").is_none_or(|most| if strict("exclusiveMaximum") { value < most } else { value <= most })
                && bound("exclusiveMinimum").is_none_or(|least| value > least)
                && bound("exclusiveMaximum").is_none_or(|most| value < most)
                && bound("multipleOf").is_none_or(|factor| {
                    let turns = value / factor;
                    (turns - turns.round()).abs() < 1e-9 * turns.abs().max(1.0)
                })
        })
    }
}

/// `turn` times `factor`, without the digits that binary fractions leave behind (3 x 0.1 is 0.3).
fn multiple(turn: f64, factor: f64) -> f64 {
    let product = turn * factor;
    let digits = factor.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len());
    if digits == 0 || digits > 15 { product } else { format!("{product:.digits$}").parse().unwrap_or(product) }
}
