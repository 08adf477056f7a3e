//! Strings with a length, a `format` or a `pattern`, and names for properties that a schema does not name.

use regex::RegexBuilder;
use serde_json::{Map, Value};

use super::super::seed::{Dice, Seed};
use super::super::text;
use super::{Unmet, pattern, walk};

/// The longest `minLength` that is met.
const MAX_LENGTH: u64 = 100_000;
/// How far repetitions in a pattern are drawn out, likeliest first.
const STRETCHES: [u32; 8] = [4, 0, 1, 2, 8, 16, 32, 64];
/// How far they are drawn out one by one, to reach a length.
const MAX_ROUNDS: u32 = 300;

/// A string for the parts; `pick` asks for another one than the first. Drawing from patterns counts against `budget`.
pub(super) fn sample(parts: &[&Map<String, Value>], pick: usize, dice: &mut Dice, budget: &mut usize) -> Result<String, Unmet> {
    let least = parts.iter().filter_map(|part| walk::count(part, "minLength")).max().unwrap_or(0);
    let most = parts.iter().filter_map(|part| walk::count(part, "maxLength")).min().unwrap_or(u64::MAX);
    if least > most {
        return Err(Unmet::new("it asks for a longer string than it allows"));
    }
    if least > MAX_LENGTH {
        return Err(Unmet::new(format!("it asks for a string of more than {MAX_LENGTH} characters")));
    }
    let keyword = |name: &str| parts.iter().find_map(|part| part.get(name)?.as_str());
    if let Some(pattern) = keyword("pattern") {
        return patterned(pattern, least, most, dice, budget);
    }
    if let Some(text) = keyword("format").and_then(|format| formatted(format, pick, dice)) {
        return Ok(text);
    }
    Ok(plain(least, most, pick, dice))
}

/// A name for the `index`th property that the schema leaves unnamed.
pub(super) fn property_name(parts: &[&Map<String, Value>], index: usize, dice: &mut Dice, budget: &mut usize) -> Result<String, Unmet> {
    let by_pattern = parts.iter().filter_map(|part| part.get("patternProperties")?.as_object()).flat_map(Map::keys).next();
    let names: Vec<&Map<String, Value>> = parts.iter().filter_map(|part| part.get("propertyNames")?.as_object()).collect();
    match by_pattern {
        _ if !names.is_empty() => match names.iter().find_map(|names| names.get("enum")?.as_array()) {
            Some(choices) => match index.checked_rem(choices.len()).and_then(|index| choices.get(index)) {
                Some(Value::String(name)) => Ok(name.clone()),
                _ => Err(Unmet::new("a name is not a string")),
            },
            None => sample(&names, index, dice, budget),
        },
        Some(pattern) => patterned(pattern, 0, u64::MAX, dice, budget),
        None => Ok(format!("key_{}", index + 1)),
    }
}

/// Whether a name matches a pattern; patterns that need look-around count as not matching, and the final check decides.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    RegexBuilder::new(pattern).size_limit(1 << 18).build().is_ok_and(|regex| regex.is_match(name))
}

fn patterned(source: &str, least: u64, most: u64, dice: &mut Dice, budget: &mut usize) -> Result<String, Unmet> {
    let parsed = pattern::parse(source)?;
    let longest = usize::try_from(least).unwrap_or(usize::MAX).saturating_mul(2).saturating_add(4_096);
    // Stretches by bounds first; then, where there are bounds, one round more at a time.
    let rounds = if least > 0 || most < u64::MAX { MAX_ROUNDS } else { 0 };
    let mut reason = Unmet::new("no string of the length it asks for was found for its pattern");
    for stretch in STRETCHES.into_iter().chain(0..rounds) {
        let mut text = match parsed.sample(stretch, longest, budget, dice) {
            Ok(text) => text,
            Err(unmet) => {
                reason = unmet;
                continue;
            }
        };
        let mut length = text.chars().count() as u64;
        if length < least && !parsed.is_anchored_at_end() {
            text.extend((length..least).map(|_| 'a'));
            length = least;
        }
        if (least..=most).contains(&length) {
            return Ok(text);
        }
    }
    Err(reason)
}

fn plain(least: u64, most: u64, pick: usize, dice: &mut Dice) -> String {
    let (least, most) = (usize::try_from(least).unwrap_or(usize::MAX), usize::try_from(most).unwrap_or(usize::MAX));
    let mut text = format!("simulated {}", text::word(dice));
    if pick > 0 {
        // What tells two of them apart comes first, where a short `maxLength` does not cut it off.
        text = format!("{pick} {text}");
    }
    while text.len() < least {
        text.push(' ');
        text.push_str(text::word(dice));
    }
    text.truncate(most);
    text
}

/// A string of a known format; `None` for the others, which JSON Schema says to ignore.
fn formatted(format: &str, pick: usize, dice: &mut Dice) -> Option<String> {
    let word = text::word(dice);
    let (day, hour, minute) = (1 + dice.below(28), dice.below(24), dice.below(60));
    let number = dice.next().wrapping_add(pick as u64);
    Some(match format {
        "date-time" => format!("2026-{:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", 1 + pick % 12, number % 60),
        "date" => format!("2026-{:02}-{day:02}", 1 + pick % 12),
        "time" => format!("{hour:02}:{minute:02}:{:02}Z", number % 60),
        "duration" => format!("PT{}M", 1 + number % 90),
        "email" | "idn-email" => format!("{word}.{}@example.com", number % 1000),
        "hostname" | "idn-hostname" => format!("{word}-{}.example.com", number % 1000),
        "ipv4" => format!("192.0.2.{}", 1 + number % 254),
        "ipv6" => format!("2001:db8::{:x}", 1 + number % 0xffff),
        "uri" | "url" | "iri" => format!("https://example.com/{word}/{}", number % 1000),
        "uri-reference" | "iri-reference" => format!("/{word}/{}", number % 1000),
        "uri-template" => format!("https://example.com/{word}/{{id}}"),
        "json-pointer" => format!("/{word}/{}", number % 1000),
        "relative-json-pointer" => format!("{}/{word}", number % 10),
        "regex" => format!("^{word}$"),
        "uuid" => uuid(number),
        _ => return None,
    })
}

/// A UUID of version 4, as its format asks.
fn uuid(number: u64) -> String {
    let mut bytes = [0; 16];
    for (byte, random) in bytes.iter_mut().zip(Seed::of_bytes("uuid", &number.to_le_bytes()).bytes()) {
        *byte = *random;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
