//! The bytes of a slot, and of the header that the file begins with. Every checksum takes in the file's identity and the slot's number, so that what was
//! written elsewhere is not taken for a record of this place.
//!
//! A slot is either all zeros (free), or: mark (4 bytes), length of the payload (2), zeros (2), payload, zeros, CRC-32 of all that (4).
//!
//! The header is there twice, so that no single fault makes the file unreadable: at 0 and at 512. Mark (8 bytes), version (4), size of a slot (4), the file's
//! identity (8), zeros (4), CRC-32 of all that (4). These 32 bytes keep their meaning in every version.

/// Bytes of a slot, and of the header's place.
pub(super) const SLOT_BYTES: usize = 1024;
/// What a record may fill of a slot.
pub(super) const ROOM: usize = SLOT_BYTES - BEFORE - CRC_BYTES;
/// The version of what is written here and in `codec.rs`.
pub(super) const VERSION: u32 = 1;

const BEFORE: usize = 8;
const CRC_BYTES: usize = 4;
const SLOT_MARK: [u8; 4] = *b"SGen";
const FILE_MARK: [u8; 8] = *b"sgoutbox";
const HEADER_BYTES: usize = 32;
const SECOND_HEADER: usize = 512;

/// Tells this file from every other.
pub(super) type FileId = [u8; 8];

/// One slot's bytes.
pub(super) type Image = [u8; SLOT_BYTES];

/// What a slot's bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// Nothing.
    Free,
    /// This, and the checksum agrees.
    Payload(&'a [u8]),
    /// Torn, overwritten, or from another file.
    Damaged,
}

/// What a file's first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// An outbox of this version. `whole` is false when one of the two headers is damaged.
    Ours { id: FileId, whole: bool },
    /// An outbox of another version.
    Version(u32),
    /// Something else.
    Foreign,
}

/// A slot that holds `payload`; none where it is longer than [`ROOM`].
pub(super) fn slot(id: FileId, index: u32, payload: &[u8]) -> Option<Image> {
    let length = u16::try_from(payload.len()).ok()?;
    let mut image = [0; SLOT_BYTES];
    image.get_mut(..4)?.copy_from_slice(&SLOT_MARK);
    image.get_mut(4..6)?.copy_from_slice(&length.to_le_bytes());
    image.get_mut(BEFORE..SLOT_BYTES - CRC_BYTES)?.get_mut(..payload.len())?.copy_from_slice(payload);
    let (body, end) = image.split_last_chunk_mut::<CRC_BYTES>()?;
    *end = checksum(id, index, body);
    Some(image)
}

/// Reads a slot.
pub(super) fn read(id: FileId, index: u32, bytes: &[u8]) -> Read<'_> {
    if bytes.len() == SLOT_BYTES && bytes.iter().all(|byte| *byte == 0) {
        return Read::Free;
    }
    payload(id, index, bytes).map_or(Read::Damaged, Read::Payload)
}

fn payload(id: FileId, index: u32, bytes: &[u8]) -> Option<&[u8]> {
    let (body, end) = bytes.split_last_chunk::<CRC_BYTES>()?;
    if bytes.len() != SLOT_BYTES || *end != checksum(id, index, body) || !body.starts_with(&SLOT_MARK) {
        return None;
    }
    let (before, room) = body.split_at_checked(BEFORE)?;
    let length = u16::from_le_bytes(before.get(4..6)?.try_into().ok()?);
    room.get(..usize::from(length))
}

fn checksum(id: FileId, index: u32, body: &[u8]) -> [u8; CRC_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&id);
    hasher.update(&index.to_le_bytes());
    hasher.update(body);
    hasher.finalize().to_le_bytes()
}

/// The place of the header.
pub(super) fn header(id: FileId) -> Vec<u8> {
    let mut one = Vec::with_capacity(HEADER_BYTES);
    one.extend(FILE_MARK);
    one.extend(VERSION.to_le_bytes());
    one.extend(u32::try_from(SLOT_BYTES).unwrap_or(u32::MAX).to_le_bytes());
    one.extend(id);
    one.extend([0; 4]);
    one.extend(crc32fast::hash(&one).to_le_bytes());
    let mut place = one.clone();
    place.resize(SECOND_HEADER, 0);
    place.extend(one);
    place.resize(SLOT_BYTES, 0);
    place
}

/// Reads the place of the header.
pub(super) fn read_header(place: &[u8]) -> Header {
    let headers = [0, SECOND_HEADER].map(|start| place.get(start..start + HEADER_BYTES).and_then(one_header));
    let whole = headers.iter().all(Option::is_some);
    match headers.into_iter().flatten().next() {
        Some((VERSION, id)) => Header::Ours { id, whole },
        Some((version, _)) => Header::Version(version),
        None => Header::Foreign,
    }
}

fn one_header(bytes: &[u8]) -> Option<(u32, FileId)> {
    let (body, end) = bytes.split_last_chunk::<CRC_BYTES>()?;
    if !body.starts_with(&FILE_MARK) || *end != crc32fast::hash(body).to_le_bytes() {
        return None;
    }
    Some((u32::from_le_bytes(body.get(8..12)?.try_into().ok()?), body.get(16..24)?.try_into().ok()?))
}
