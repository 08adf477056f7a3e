//! What one JSON object of an answer says: an event of a stream. Read in one scan, without copying.

use std::ops::Range;

use crate::apis::json::{JsonError, Kind, Scanner, Text};

/// What stands in an event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) created: Option<Range<usize>>,
    pub(super) model: Option<Text<'a>>,
    pub(super) service_tier: Option<Text<'a>>,
    /// The member `usage`.
    pub(super) usage: Option<UsageAt>,
    /// The same in a member of the provider's own (Groq's `x_groq`).
    pub(super) vendor_usage: Option<Range<usize>>,
    /// Where the member `cost` stands, which resellers add.
    pub(super) cost: Option<Range<usize>>,
    /// How many choices it has.
    pub(super) choices: u64,
    /// The tokens of what was generated, at most.
    pub(super) generated: u64,
}

/// Where the member `usage` stands.
#[derive(Debug)]
pub(super) struct UsageAt {
    /// Its value.
    pub(super) value: Range<usize>,
    /// What must go so that the member is gone, a comma included.
    pub(super) cut: Range<usize>,
    pub(super) is_null: bool,
}

/// Reads an event's data.
pub(super) fn read(data: &[u8]) -> Result<Event<'_>, JsonError> {
    let mut event = Event::default();
    // When `usage` is the first member, its cut reaches to the second.
    let mut opens = false;
    let mut scanner = Scanner::lenient(data);
    scanner.object(|scanner, member| {
        if std::mem::take(&mut opens)
            && let Some(usage) = &mut event.usage
        {
            usage.cut.end = member.start;
        }
        match member.key.raw() {
            b"id" if scanner.kind()? == Kind::String => event.id = Some(scanner.string()?),
            b"created" if scanner.kind()? == Kind::Number => event.created = Some(scanner.value()?),
            b"model" if scanner.kind()? == Kind::String => event.model = Some(scanner.string()?),
            b"service_tier" if scanner.kind()? == Kind::String => event.service_tier = Some(scanner.string()?),
            b"usage" => {
                let is_null = scanner.kind()? == Kind::Null;
                let value = scanner.value()?;
                let cut = if member.first { member.start..value.end } else { member.after..value.end };
                opens = member.first;
                event.usage = Some(UsageAt { value, cut, is_null });
            }
            b"x_groq" if scanner.kind()? == Kind::Object => scanner.object(|scanner, member| {
                if member.key.raw() == b"usage" && scanner.kind()? == Kind::Object {
                    event.vendor_usage = Some(scanner.value()?);
                    return Ok(());
                }
                scanner.skip()
            })?,
            b"cost" if scanner.kind()? != Kind::Null => event.cost = Some(scanner.value()?),
            b"choices" if scanner.kind()? == Kind::Array => scanner.array(|scanner| {
                event.choices += 1;
                event.generated = event.generated.saturating_add(choice(scanner)?);
                Ok::<(), JsonError>(())
            })?,
            _ => scanner.skip()?,
        }
        Ok::<(), JsonError>(())
    })?;
    scanner.finish()?;
    Ok(event)
}

/// The tokens of text in a choice: of its `delta`, `message` or `text`, whatever the members inside are called.
fn choice(scanner: &mut Scanner<'_>) -> Result<u64, JsonError> {
    let mut generated = 0u64;
    if scanner.kind()? != Kind::Object {
        return scanner.text_tokens();
    }
    scanner.object(|scanner, member| {
        match member.key.raw() {
            b"delta" | b"message" | b"text" => generated = generated.saturating_add(scanner.text_tokens()?),
            _ => scanner.skip()?,
        }
        Ok::<(), JsonError>(())
    })?;
    Ok(generated)
}
