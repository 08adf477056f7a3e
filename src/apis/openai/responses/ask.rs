//! Reads what a request asks for, in one scan of its body: the model, the bound on what it can consume, the ids of what the provider keeps, and where the
//! bytes stand that change on the way to the provider.

use std::ops::Range;

use super::fields::{self, Field};
use super::items::ItemId;
use super::{items, tools};
use crate::apis::json::{Kind, Scanner, Text};
use crate::apis::openai::ask::searches_by_itself;
use crate::apis::openai::fields::Added;
use crate::apis::openai::given::{is_added, unknown};
use crate::apis::openai::images;
use crate::apis::openai::vocabulary::Counter;
use crate::apis::read::{self, boolean, integer, model, short};
use crate::apis::seal::bare_length;
use crate::apis::sellers::name_at_seller;
use crate::apis::splice::{Edit, Edits, LimitEdit};
use crate::apis::{Ask, AskError, KeptId, UnseenOutput};
use crate::prices::{Bound, Unit, Usage};

/// Output limits beyond this are mistakes: no model comes near.
const MAX_LIMIT: u64 = i32::MAX as u64;
/// The provider takes no lower output limit (its answer to one: "Expected a value >= 16").
const LEAST_OUTPUT: u64 = 16;
/// What the format adds to a request: the start of the answer, a date, a default system message.
const REQUEST_TOKENS: u64 = 64;
/// The tiers that a request may ask for. Which one it was billed by, the answer says.
const SERVICE_TIERS: [&str; 7] = ["auto", "default", "flex", "priority", "scale", "fast", "ultrafast"];
/// More calls of tools are not bounded in any useful way.
const MAX_CALLS: u64 = 128;
/// What is put into a request with searches that sets no `max_tool_calls`.
const DEFAULT_CALLS: u64 = 5;
const DEFAULT_CALLS_MEMBER: &str = "\"max_tool_calls\":5,";
const DEFAULT_CALLS_VALUE: &str = "5";
/// One call may run several searches, and each is billed (its `queries`, in the reference). ChatGPT's own tool takes at most four at once.
const SEARCHES_PER_CALL: u64 = 4;
/// Beside a run for each call: the one that answers, and one whose call came too many and was ignored.
const OTHER_RUNS: u64 = 2;

/// What has been found in a body so far.
#[derive(Debug, Default)]
pub(super) struct Scan<'c> {
    model: Option<String>,
    stream: bool,
    limit: Option<(Option<u64>, Range<usize>)>,
    max_calls: Option<u64>,
    /// Where a null stands for `max_tool_calls`.
    null_calls: Option<Range<usize>>,
    service_tier: Option<String>,
    pub(super) searches: bool,
    pub(super) preview_search: bool,
    /// Bytes of the body that can become input tokens, those of images and files included.
    pub(super) text_bytes: u64,
    /// Those of images and files in `data:` addresses.
    pub(super) data_bytes: u64,
    /// Tokens that stand for no byte of the body.
    pub(super) special_tokens: u64,
    /// Counts texts, where they are counted; and by how much their tokens are fewer than their bytes.
    pub(super) counter: Option<&'c Counter>,
    pub(super) spared: u64,
    /// Images, and those with `detail: low`.
    pub(super) images: u64,
    pub(super) low_images: u64,
    /// There is input that the body does not show.
    pub(super) unseen: bool,
    /// Ids that stand for what the provider keeps, and where their seals stand.
    kept: Vec<(KeptId, Range<usize>)>,
    /// Ids of items that come with their content.
    pub(super) item_ids: Vec<ItemId>,
    /// Only the tokens are counted: nothing is billed, so nothing needs a bound.
    counted: bool,
    added: Option<Added>,
}

/// Reads the body of `POST responses`. Where the model is `named` elsewhere, that is it, whatever the body says.
pub(super) fn read_as(body: &[u8], added: Option<Added>, named: Option<&str>) -> Result<Ask, AskError> {
    Scan { added, ..Scan::default() }.read(body, named)
}

/// Likewise, with the texts counted.
pub(super) fn read_with(body: &[u8], named: Option<&str>, counter: Option<&Counter>) -> Result<Ask, AskError> {
    Scan { counter, ..Scan::default() }.read(body, named)
}

/// Reads the body of `POST responses/input_tokens`.
pub(super) fn read_counted(body: &[u8]) -> Result<Ask, AskError> {
    let mut scan = Scan { counted: true, ..Scan::default() };
    scan.body(body)?;
    let edits = Edits { limit: None, fixed: scan.id_edits() };
    Ok(Ask { edits, ..Ask::free(scan.model.unwrap_or_default()) })
}

/// The ids in either body of what the provider keeps.
pub(super) fn kept_ids(body: &[u8]) -> Vec<KeptId> {
    let mut scan = Scan { counted: true, ..Scan::default() };
    if scan.body(body).is_err() {
        return Vec::new();
    }
    scan.all_kept().map(|(kept, _)| kept.clone()).collect()
}

// === impl Scan ===

impl Scan<'_> {
    fn read(mut self, body: &[u8], named: Option<&str>) -> Result<Ask, AskError> {
        let insert_at = self.body(body)?;
        if let Some(named) = named {
            self.model = Some(named.to_owned());
        }
        self.into_ask(insert_at)
    }

    /// Walks the members of the body. Answers where its first one stands.
    fn body(&mut self, body: &[u8]) -> Result<usize, AskError> {
        let mut scanner = read::object(body)?;
        let insert_at = scanner.position() + 1;
        scanner.object(|scanner, member| {
            let key = member.key.decode();
            self.member(scanner, key.as_deref().unwrap_or_default(), member.start)
        })?;
        scanner.finish()?;
        Ok(insert_at)
    }

    fn member(&mut self, scanner: &mut Scanner<'_>, key: &str, key_start: usize) -> Result<(), AskError> {
        let kind = scanner.kind()?;
        match fields::field(key) {
            Field::MaxOutputTokens => self.limit = Some(limit(scanner)?),
            Field::MaxToolCalls if kind == Kind::Null => self.null_calls = Some(scanner.value()?),
            Field::Unknown if !self.counted && is_added(self.added, key)? => scanner.skip()?,
            Field::Unknown if !self.counted && (kind != Kind::Null || fields::case_variant(key).is_some()) => {
                return Err(unknown(key, |key| fields::field(key) != Field::Unknown));
            }
            // A null is as good as nothing, whatever it is null of.
            _ if kind == Kind::Null => scanner.skip()?,
            Field::Model => self.model = Some(model(scanner)?),
            Field::Input => items::input(scanner, self)?,
            Field::Stream => self.stream = boolean(scanner, "stream")?,
            Field::Background => {
                if boolean(scanner, "background")? && !self.counted {
                    return Err(AskError::unsupported("background", format!("'background' cannot be priced: {}", fields::BACKGROUND)));
                }
            }
            Field::MaxToolCalls => self.max_calls = Some(integer(scanner, "max_tool_calls", MAX_CALLS)?),
            Field::ServiceTier => self.service_tier = Some(one_of(scanner, "service_tier", &SERVICE_TIERS)?),
            Field::PreviousResponse => {
                self.unseen = true;
                self.kept_id(scanner, "previous_response_id")?;
            }
            Field::Tools if !self.counted => tools::tools(scanner, self)?,
            Field::Reasoning => reasoning(scanner)?,
            Field::CacheOptions => self.cache_options(scanner)?,
            Field::Instructions if kind == Kind::String => {
                self.text(&scanner.string()?);
                self.text_bytes = self.text_bytes.saturating_add((scanner.position() - key_start) as u64);
            }
            Field::Instructions | Field::Text | Field::Tools => {
                let end = scanner.value()?.end;
                self.text_bytes = self.text_bytes.saturating_add((end - key_start) as u64);
            }
            Field::Refused(reason) if !self.counted || key == "conversation" => {
                return Err(AskError::unsupported(key, format!("'{key}' cannot be priced: {reason}")));
            }
            Field::Free | Field::Refused(_) | Field::Unknown => scanner.skip()?,
        }
        Ok(())
    }

    /// A text that the model reads as it is. Answers how many bytes of the body it has.
    pub(super) fn text(&mut self, text: &Text<'_>) -> u64 {
        let spared = self.counter.map_or(0, |counter| counter.spared(text));
        self.spared = self.spared.saturating_add(spared);
        text.raw().len() as u64
    }

    /// Reads the id of something that the provider keeps.
    pub(super) fn kept_id(&mut self, scanner: &mut Scanner<'_>, param: &'static str) -> Result<(), AskError> {
        let text = if scanner.kind()? == Kind::String { Some(scanner.string()?) } else { None };
        // An id has no letter that is escaped; one that is could hide its seal.
        let plain = text.and_then(|text| text.decode().filter(|decoded| decoded.len() == text.raw().len()));
        let Some(id) = plain else { return Err(AskError::invalid(param, format!("'{param}' must be an id"))) };
        let end = scanner.position() - 1;
        let seal = end - (id.len() - bare_length(&id))..end;
        self.kept.push((KeptId::read(&id, Some(param)), seal));
        Ok(())
    }

    /// An item stands for one that the provider keeps.
    pub(super) fn name_kept(&mut self, id: ItemId) {
        self.kept.push((id.kept, id.seal));
    }

    fn cache_options(&mut self, scanner: &mut Scanner<'_>) -> Result<(), AskError> {
        if scanner.kind()? != Kind::Object {
            return Err(AskError::invalid("prompt_cache_options", "'prompt_cache_options' must be an object"));
        }
        scanner.object(|scanner, member| {
            let kind = scanner.kind()?;
            match member.key.decode().as_deref().unwrap_or_default() {
                _ if kind == Kind::Null => scanner.skip().map_err(AskError::from),
                "comparison_response_id" => self.kept_id(scanner, "prompt_cache_options"),
                "ttl" => items::time_to_live(scanner),
                "mode" | "prewarm" => scanner.skip().map_err(AskError::from),
                other => Err(unknown_in("prompt_cache_options", other)),
            }
        })
    }

    /// The ids that must be the token's own: those that stand for something, and, where any does, those of the items around it that bear a seal. Their
    /// order and their pairs count there.
    fn all_kept(&self) -> impl Iterator<Item = (&KeptId, &Range<usize>)> {
        let with_items = self.unseen;
        let sealed = self.item_ids.iter().filter(move |item| with_items && item.kept.seal.is_some());
        self.kept.iter().map(|(kept, seal)| (kept, seal)).chain(sealed.map(|item| (&item.kept, &item.seal)))
    }

    /// Takes the seals away, and all other ids of items.
    fn id_edits(&self) -> Vec<Edit> {
        let unsealed = self.all_kept().map(|(_, seal)| seal.clone());
        let dropped = self.item_ids.iter().filter(|item| !self.unseen || item.kept.seal.is_none()).map(|item| item.member.clone());
        unsealed.chain(dropped).filter(|range| !range.is_empty()).map(|range| Edit { range, text: "" }).collect()
    }

    fn into_ask(self, insert_at: usize) -> Result<Ask, AskError> {
        let Some(model) = self.model.clone() else { return Err(AskError::invalid("model", "'model' is missing")) };
        if self.preview_search && !reasons(&model) {
            let reason = "is billed at another price than 'web_search' with models that do not reason; use 'web_search'";
            return Err(AskError::unsupported("tools", format!("'web_search_preview' {reason}")));
        }
        let searches = self.searches || self.preview_search || searches_by_itself(&model);
        let calls = self.max_calls.unwrap_or(DEFAULT_CALLS);
        let runs = if searches { calls.saturating_add(OTHER_RUNS) } else { 0 };
        let text = self.text_bytes.saturating_sub(self.data_bytes).saturating_sub(self.spared);
        let text = text.saturating_add(self.special_tokens).saturating_add(REQUEST_TOKENS);
        let image_tokens = |count: u64, low: bool| count.saturating_mul(images::most_tokens(&model, low));
        let input = Usage::default()
            .with(Unit::Input, text)
            .with(Unit::InputImage, image_tokens(self.images, false).saturating_add(image_tokens(self.low_images, true)));
        let mut fixed = self.id_edits();
        if searches && self.max_calls.is_none() {
            fixed.push(match &self.null_calls {
                Some(null) => Edit { range: null.clone(), text: DEFAULT_CALLS_VALUE },
                None => Edit { range: insert_at..insert_at, text: DEFAULT_CALLS_MEMBER },
            });
        }
        let asked = self.limit.as_ref().and_then(|(tokens, _)| *tokens);
        let limit = LimitEdit { values: self.limit.into_iter().map(|(_, value)| value).collect(), insert_at, name: "max_output_tokens", agree_on: None };
        Ok(Ask {
            bound: Bound {
                input,
                output_tokens: asked,
                has_output: true,
                choices: 1,
                max_searches: if searches { calls.saturating_mul(SEARCHES_PER_CALL).max(1) } else { 0 },
                windows: runs.max(u64::from(self.unseen)),
                least_output: LEAST_OUTPUT,
                ..Bound::default()
            },
            stream: self.stream,
            unseen: if shows_all(&model) && !searches { UnseenOutput::UpTo(0) } else { UnseenOutput::Any },
            asked_usage: true,
            edits: Edits { limit: Some(limit), fixed },
            service_tier: self.service_tier,
            model,
        })
    }
}

fn limit(scanner: &mut Scanner<'_>) -> Result<(Option<u64>, Range<usize>), AskError> {
    if scanner.kind()? == Kind::Null {
        return Ok((None, scanner.value()?));
    }
    let start = scanner.position();
    let tokens = integer(scanner, "max_output_tokens", MAX_LIMIT)?;
    Ok((Some(tokens), start..scanner.position()))
}

fn reasoning(scanner: &mut Scanner<'_>) -> Result<(), AskError> {
    if scanner.kind()? != Kind::Object {
        return Err(AskError::invalid("reasoning", "'reasoning' must be an object"));
    }
    scanner.object(|scanner, member| {
        let kind = scanner.kind()?;
        match member.key.decode().as_deref().unwrap_or_default() {
            _ if kind == Kind::Null => scanner.skip().map_err(AskError::from),
            "effort" | "summary" | "generate_summary" | "context" => scanner.skip().map_err(AskError::from),
            "mode" if kind == Kind::String && scanner.string()?.raw() == b"standard" => Ok(()),
            "mode" => Err(AskError::unsupported(
                "reasoning",
                "'mode' of 'reasoning' cannot be priced: other modes than 'standard' have the model work several times over, which no limit bounds",
            )),
            other => Err(unknown_in("reasoning", other)),
        }
    })
}

fn one_of(scanner: &mut Scanner<'_>, param: &'static str, known: &[&str]) -> Result<String, AskError> {
    let value = if scanner.kind()? == Kind::String { scanner.string()?.decode() } else { None };
    match value {
        Some(value) if known.contains(&value.as_ref()) => Ok(value.into_owned()),
        _ => Err(AskError::invalid(param, format!("'{param}' must be one of {}", known.join(", ")))),
    }
}

/// A member inside of `param` that is not known.
pub(super) fn unknown_in(param: &'static str, key: &str) -> AskError {
    AskError::unsupported(param, format!("'{}' in '{param}' is not known to this gateway, so what it costs cannot be bounded", short(key)))
}

/// OpenAI's models that reason: searches of the preview cost them what others do.
fn reasons(model: &str) -> bool {
    let name = name_at_seller(model);
    let numbered = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    numbered || ["gpt-5", "gpt-6"].iter().any(|start| name.starts_with(start)) && !name.contains("-chat")
}

/// OpenAI's models that never reason: all the output that they bill passes.
fn shows_all(model: &str) -> bool {
    ["gpt-3.5", "gpt-4", "chatgpt-4o"].iter().any(|start| name_at_seller(model).starts_with(start))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
