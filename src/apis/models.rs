//! Lists of models, without those that the caller may not use.

use bytes::Bytes;

use crate::apis::json::{JsonError, Kind, Scanner};

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
