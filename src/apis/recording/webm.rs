//! WebM and Matroska (RFC 9559, 8794): elements in elements, some without a size, as browsers record them. Blocks hold frames of Opus,
//! Vorbis or AAC; times and the length in the header count where they say more.

use std::collections::BTreeMap;

use super::bytes::big;
use super::{aac, opus, vorbis};

/// Elements whose content is read element by element. Their sizes do not matter: what follows them is read alike.
const DESCENDED: [u64; 7] = [0x1853_8067, 0x1549_a966, 0x1654_ae6b, 0xae, 0xe1, 0x1f43_b675, 0xa0];
const TRACK_ENTRY: u64 = 0xae;

#[derive(Debug, Default)]
struct Track {
    number: u64,
    is_sound: bool,
    codec: Vec<u8>,
    private: Vec<u8>,
    /// Samples a second.
    rate: u64,
    encoded: bool,
    nanos: u64,
}

#[derive(Debug, Default)]
struct Reader {
    /// Nanoseconds of a tick.
    scale: u64,
    /// Ticks, by the header.
    duration: u64,
    /// The time of the cluster, in ticks.
    cluster: u64,
    /// Nanoseconds at the end of the last block.
    end: u64,
    tracks: Vec<Track>,
    /// Which of them has which number.
    numbers: BTreeMap<u64, usize>,
}

/// The longest of: its frames, its last time, its header.
pub(super) fn longest(data: &[u8]) -> Result<u64, String> {
    let mut reader = Reader { scale: 1_000_000, ..Reader::default() };
    reader.elements(data);
    let mut longest = 0;
    for track in reader.tracks.iter().filter(|track| track.is_sound) {
        track.known()?;
        longest = longest.max(track.nanos);
    }
    if longest == 0 {
        return Ok(0);
    }
    Ok(longest.max(reader.end).max(reader.duration.saturating_mul(reader.scale)))
}

// === impl Reader ===

impl Reader {
    fn elements(&mut self, mut data: &[u8]) {
        while let Some((id, size, content)) = head(data) {
            if id == TRACK_ENTRY {
                self.tracks.push(Track::default());
            }
            if DESCENDED.contains(&id) {
                data = content;
                continue;
            }
            let (value, rest) = content.split_at_checked(size.unwrap_or(usize::MAX)).unwrap_or((content, &[]));
            self.element(id, value);
            data = rest;
        }
    }

    fn element(&mut self, id: u64, value: &[u8]) {
        let number = big(value, 0, value.len().min(8)).unwrap_or_default();
        match id {
            0x2ad7b1 => self.scale = number.max(1),
            0x4489 => self.duration = float(value),
            0xe7 => self.cluster = number,
            0xa3 | 0xa1 => self.block(value),
            _ => {
                let index = self.tracks.len();
                let Some(track) = self.tracks.last_mut() else { return };
                match id {
                    0xd7 => {
                        track.number = number;
                        self.numbers.insert(number, index - 1);
                    }
                    0x83 => track.is_sound = number == 2,
                    0x86 => track.codec = value.to_vec(),
                    0x63a2 => track.private = value.to_vec(),
                    0xb5 => track.rate = float(value),
                    0x6d80 => track.encoded = true,
                    _ => {}
                }
            }
        }
    }

    /// Its track, its time, how its frames are laced, and the frames.
    fn block(&mut self, block: &[u8]) {
        let Some((number, _, rest)) = size(block) else { return };
        let (Some(time), Some(flags)) = (big(rest, 0, 2), rest.get(2)) else { return };
        let time = i64::from(u16::try_from(time).unwrap_or_default().cast_signed());
        let begin = self.cluster.saturating_add_signed(time).saturating_mul(self.scale);
        let Some(track) = self.numbers.get(&number).and_then(|index| self.tracks.get_mut(*index)) else { return };
        let laced = flags & 6 != 0;
        let frames = if laced { 1 + u64::from(rest.get(3).copied().unwrap_or_default()) } else { 1 };
        let first = if laced { None } else { rest.get(3..) };
        let nanos = track.frame(first).saturating_mul(frames);
        track.nanos = track.nanos.saturating_add(nanos);
        self.end = self.end.max(begin.saturating_add(nanos));
    }
}

// === impl Track ===

impl Track {
    /// Nanoseconds of one frame, at most; `data` where it is known where it begins.
    fn frame(&self, data: Option<&[u8]>) -> u64 {
        match self.codec.as_slice() {
            b"A_OPUS" => data.map_or(opus::LONGEST, opus::packet),
            b"A_VORBIS" => self.vorbis().unwrap_or_default(),
            codec if codec.starts_with(b"A_AAC") => self.aac().unwrap_or_default(),
            _ => 0,
        }
    }

    fn known(&self) -> Result<(), String> {
        let known = match self.codec.as_slice() {
            b"A_OPUS" => true,
            b"A_VORBIS" => self.vorbis().is_some(),
            codec if codec.starts_with(b"A_AAC") => self.aac().is_some(),
            _ => false,
        };
        if known && !self.encoded { Ok(()) } else { Err(format!("a track of the kind {}", self.codec.escape_ascii())) }
    }

    /// Three headers, one behind the other: two, then the length of the first, then that of the second.
    fn vorbis(&self) -> Option<u64> {
        self.private.starts_with(&[2]).then_some(())?;
        let begin = memchr::memmem::find(&self.private, b"\x01vorbis")?;
        vorbis::packet(self.private.get(begin..)?)
    }

    fn aac(&self) -> Option<u64> {
        aac::frame(&self.private, Some(self.rate).filter(|rate| *rate > 0))
    }
}

/// The head of an element: its id, its size where it has one, and what follows.
fn head(data: &[u8]) -> Option<(u64, Option<usize>, &[u8])> {
    let length = data.first()?.leading_zeros() as usize + 1;
    if length > 4 {
        return None;
    }
    let id = big(data, 0, length)?;
    let (size, unknown, content) = size(data.get(length..)?)?;
    Some((id, if unknown { None } else { usize::try_from(size).ok() }, content))
}

/// A number of variable length, whether it is all ones, and what follows.
fn size(data: &[u8]) -> Option<(u64, bool, &[u8])> {
    let length = data.first()?.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let ones = (1 << (7 * length)) - 1;
    let number = big(data, 0, length)? & ones;
    Some((number, number == ones, data.get(length..)?))
}

/// A float of four or eight bytes, rounded up to a whole number, without arithmetic on floats. Zero for what is none, or negative.
fn float(value: &[u8]) -> u64 {
    let (bits, exponent_bits, fraction_bits) = match value.len() {
        4 => (big(value, 0, 4), 8, 23),
        8 => (big(value, 0, 8), 11, 52),
        _ => (None, 0, 0),
    };
    let Some(bits) = bits.filter(|bits| bits >> (exponent_bits + fraction_bits) == 0 && *bits != 0) else { return 0 };
    let bias = (1_i64 << (exponent_bits - 1)) - 1;
    let exponent = i64::try_from(bits >> fraction_bits).unwrap_or(i64::MAX) - bias;
    let mantissa = u128::from(bits & ((1 << fraction_bits) - 1) | 1 << fraction_bits);
    match exponent - i64::from(fraction_bits) {
        shift @ 0..64 => u64::try_from(mantissa << shift).unwrap_or(u64::MAX),
        64.. => u64::MAX,
        shift @ -100..0 => u64::try_from((mantissa + (1 << -shift) - 1) >> -shift).unwrap_or(u64::MAX),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn floats_are_read_without_floats() {
        for (number, expected) in
            [(0.0, 0), (1.0, 1), (1.5, 2), (1234.25, 1235), (0.1, 1), (-5.0, 0), (1e-300, 1), (1e30, u64::MAX), (48_000.0, 48_000), (f64::INFINITY, u64::MAX)]
        {
            assert_eq!(float(&f64::to_be_bytes(number)), expected, "{number}");
        }
        assert_eq!(float(&f32::to_be_bytes(44_100.5)), 44_101);
        assert_eq!(float(&f32::to_be_bytes(8_000.0)), 8_000);
        assert_eq!(float(&[1, 2]), 0);
    }
}
