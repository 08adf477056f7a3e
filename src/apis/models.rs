//! Lists of models, without those that the caller may not use; and the operations that ask for them, alike in most APIs.

use bytes::Bytes;

use crate::apis::json::{JsonError, Kind, Scanner};
use crate::apis::{Ask, AskError, Billing, Measured, Meter, Operation, RequestView};
use crate::sandbox::{Faults, Problem, Simulated};

/// A longer list of models is not filtered, and so refused. In 2026 the longest that is known, Eden AI's, has 1.5 MB.
const MOST_LISTED: usize = 32 << 20;

/// How an API lists models: an object with one array of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelList {
    /// The member that is the array.
    pub(super) member: &'static str,
    /// The member of an entry that names the model.
    pub(super) id: &'static str,
    /// What stands before the name there.
    pub(super) prefix: &'static str,
}

/// `GET models` and `GET models/{id}`, which cost nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Models {
    name: &'static str,
    /// How models are listed. None where one is asked for.
    list: Option<ModelList>,
    /// The model that a path names.
    id: fn(&str) -> Option<&str>,
    simulate: Simulate,
}

/// Makes up the one model of that id, or the list of them.
type Simulate = fn(Option<&str>, &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem>;

/// Keeps all of a list until its end: it is filtered as a whole.
struct ListMeter {
    held: Vec<Bytes>,
    seen: usize,
    ended: bool,
}

// === impl Models ===

impl Models {
    /// `GET models`.
    pub(super) const fn list(list: ModelList, simulate: Simulate) -> Self {
        Self { name: "models.list", list: Some(list), id: |_| None, simulate }
    }

    /// `GET models/{id}`, where the path names the model so.
    pub(super) const fn one(id: fn(&str) -> Option<&str>, simulate: Simulate) -> Self {
        Self { name: "models.retrieve", list: None, id, simulate }
    }
}

impl Operation for Models {
    fn name(&self) -> &'static str {
        self.name
    }

    fn feature(&self) -> &'static str {
        "text__models"
    }

    fn billing(&self) -> Billing {
        Billing::Free
    }

    /// The model is that of the path, so that the caller can be told that it may not use it.
    fn ask(&self, request: &RequestView<'_>) -> Result<Ask, AskError> {
        Ok(Ask::free((self.id)(request.path).unwrap_or_default().to_owned()))
    }

    fn meter(&self, _ask: &Ask, _streamed: bool) -> Box<dyn Meter> {
        Box::new(ListMeter { held: Vec::new(), seen: 0, ended: false })
    }

    fn simulate(&self, request: &RequestView<'_>, _faults: &Faults, models: &mut dyn Iterator<Item = &str>) -> Result<Simulated, Problem> {
        (self.simulate)((self.id)(request.path), models)
    }

    fn model_list(&self) -> Option<ModelList> {
        self.list
    }
}

impl Meter for ListMeter {
    fn chunk(&mut self, chunk: Bytes, pass: &mut Vec<Bytes>) {
        self.seen = self.seen.saturating_add(chunk.len());
        if self.seen > MOST_LISTED {
            pass.append(&mut self.held);
        }
        if !chunk.is_empty() {
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
        Measured { complete: self.ended, ..Measured::default() }
    }
}

// === impl ModelList ===

impl ModelList {
    /// OpenAI's, which others took over.
    pub(super) const OPENAI: Self = Self { member: "data", id: "id", prefix: "" };

    /// The provider's answer with the entries left out whose name is not wanted. All other bytes stay as they are. None when the answer is
    /// not such a list.
    #[must_use]
    pub fn filter(&self, body: &[u8], keep: &dyn Fn(&str) -> bool) -> Option<Bytes> {
        let mut list = None;
        let mut kept = Vec::new();
        let mut scanner = Scanner::lenient(body);
        scanner
            .object(|scanner, member| {
                if member.key.raw() != self.member.as_bytes() || scanner.kind()? != Kind::Array {
                    return scanner.skip();
                }
                let start = scanner.position();
                kept.clear();
                scanner.array(|scanner| {
                    scanner.kind()?;
                    let start = scanner.position();
                    let id = self.name(scanner)?;
                    if id.is_some_and(|id| keep(id.strip_prefix(self.prefix).unwrap_or(&id))) {
                        kept.push(start..scanner.position());
                    }
                    Ok::<(), JsonError>(())
                })?;
                list = Some(start..scanner.position());
                Ok(())
            })
            .ok()?;
        scanner.finish().ok()?;
        let list = list?;
        let mut filtered = Vec::with_capacity(body.len());
        filtered.extend_from_slice(body.get(..list.start)?);
        filtered.push(b'[');
        for (index, entry) in kept.into_iter().enumerate() {
            if index > 0 {
                filtered.push(b',');
            }
            filtered.extend_from_slice(body.get(entry)?);
        }
        filtered.push(b']');
        filtered.extend_from_slice(body.get(list.end..)?);
        Some(Bytes::from(filtered))
    }

    /// The name in the entry that comes next, which is consumed.
    fn name(&self, scanner: &mut Scanner<'_>) -> Result<Option<String>, JsonError> {
        let mut id = None;
        if scanner.kind()? != Kind::Object {
            return scanner.value().map(|_| None);
        }
        scanner.object(|scanner, member| {
            if member.key.raw() == self.id.as_bytes() && scanner.kind()? == Kind::String {
                id = scanner.string()?.decode().map(|text| text.into_owned());
                return Ok(());
            }
            scanner.skip()
        })?;
        Ok(id)
    }
}

/// The id in `models/{id}`. Ids may have slashes; anything that a provider could read as another path is not one.
pub(super) fn model_in_path(path: &str) -> Option<&str> {
    let id = path.strip_prefix("models/")?;
    let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:@/~".contains(&byte));
    let steps = id.split('/').all(|step| !step.bytes().all(|byte| byte == b'.'));
    (plain && steps).then_some(id)
}
