//! The list of models, without those that the caller may not use.

use bytes::Bytes;

use crate::apis::json::{JsonError, Kind, Scanner};

/// The provider's answer to `GET models` with the entries of `data` left out whose `id` is not wanted. All other bytes stay as they
/// are. None when the answer is not such a list.
#[must_use]
pub fn filter_models(body: &[u8], keep: &dyn Fn(&str) -> bool) -> Option<Bytes> {
    let mut list = None;
    let mut kept = Vec::new();
    let mut scanner = Scanner::lenient(body);
    scanner
        .object(|scanner, member| {
            if member.key.raw() != b"data" || scanner.kind()? != Kind::Array {
                return scanner.skip();
            }
            let start = scanner.position();
            kept.clear();
            scanner.array(|scanner| {
                scanner.kind()?;
                let start = scanner.position();
                let id = model_id(scanner)?;
                if id.is_some_and(|id| keep(&id)) {
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

/// The `id` of the entry that comes next, which is consumed.
fn model_id(scanner: &mut Scanner<'_>) -> Result<Option<String>, JsonError> {
    let mut id = None;
    if scanner.kind()? != Kind::Object {
        return scanner.value().map(|_| None);
    }
    scanner.object(|scanner, member| {
        if member.key.raw() == b"id" && scanner.kind()? == Kind::String {
            id = scanner.string()?.decode().map(|text| text.into_owned());
            return Ok(());
        }
        scanner.skip()
    })?;
    Ok(id)
}
