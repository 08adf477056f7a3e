//! MP4 and QuickTime (ISO/IEC 14496-12): boxes in boxes. Tables tell how many frames a track has and how long each plays. Since those
//! times are for players alone, every frame counts for what its decoder makes of it at most; what the tables say counts where it is more.

use super::bytes::big;
use super::{aac, flac, opus, play};

/// Boxes within boxes.
const MAX_DEPTH: u32 = 8;

/// What a track tells.
#[derive(Debug, Default)]
struct Track {
    id: u64,
    is_sound: bool,
    timescale: u64,
    /// In its timescale: by its header, and by its table.
    duration: u64,
    table: u64,
    /// Frames.
    count: u64,
    /// Nanoseconds of one frame at most, or what is not known.
    frame: Option<Result<u64, String>>,
}

/// What is known of a file.
#[derive(Debug, Default)]
struct Movie {
    tracks: Vec<Track>,
    /// Tracks and frames of fragments.
    fragments: Vec<(u64, u64)>,
    /// The track of the fragment that is read.
    fragment: u64,
}

/// The longest of its tracks that are sound.
pub(super) fn longest(data: &[u8]) -> Result<u64, String> {
    let mut movie = Movie::default();
    movie.boxes(data, 0);
    let mut longest = 0;
    for track in movie.tracks.iter().filter(|track| track.is_sound) {
        let fragments = movie.fragments.iter().filter(|(id, _)| *id == track.id).map(|(_, count)| *count).fold(0, u64::saturating_add);
        // A frame is at least a byte of the file.
        let count = track.count.saturating_add(fragments).min(data.len() as u64);
        let frame = track.frame.clone().unwrap_or_else(|| Err("a track without a description".to_owned()))?;
        let told = if track.timescale == 0 { 0 } else { play(track.duration.max(track.table), track.timescale) };
        longest = longest.max(frame.saturating_mul(count)).max(told);
    }
    Ok(longest)
}

// === impl Movie ===

impl Movie {
    fn boxes(&mut self, mut data: &[u8], depth: u32) {
        while let Some((kind, content, rest)) = next_box(data) {
            data = rest;
            match kind {
                b"moov" | b"mdia" | b"minf" | b"stbl" | b"moof" | b"traf" if depth < MAX_DEPTH => self.boxes(content, depth + 1),
                b"trak" if depth < MAX_DEPTH => {
                    self.tracks.push(Track::default());
                    self.boxes(content, depth + 1);
                }
                b"tfhd" => self.fragment = big(content, 4, 4).unwrap_or_default(),
                b"trun" => self.fragments.push((self.fragment, big(content, 4, 4).unwrap_or_default())),
                _ => {
                    if let Some(track) = self.tracks.last_mut() {
                        track.read(kind, content);
                    }
                }
            }
        }
    }
}

// === impl Track ===

impl Track {
    fn read(&mut self, kind: &[u8; 4], content: &[u8]) {
        // Version 1 has times of eight bytes.
        let long = content.first() == Some(&1);
        match kind {
            b"tkhd" => self.id = big(content, if long { 20 } else { 12 }, 4).unwrap_or_default(),
            b"mdhd" => {
                let (at, length) = if long { (20, 8) } else { (12, 4) };
                self.timescale = big(content, at, 4).unwrap_or_default();
                // All ones: not known.
                let unknown = if long { u64::MAX } else { u64::from(u32::MAX) };
                self.duration = big(content, at + 4, length).filter(|duration| *duration != unknown).unwrap_or_default();
            }
            b"hdlr" => self.is_sound |= content.get(8..12) == Some(b"soun"),
            b"stts" => {
                let entries = content.get(8..).unwrap_or_default().chunks_exact(8);
                let (mut count, mut total) = (0_u64, 0_u64);
                for entry in entries {
                    let (frames, delta) = (big(entry, 0, 4).unwrap_or_default(), big(entry, 4, 4).unwrap_or_default());
                    count = count.saturating_add(frames);
                    total = total.saturating_add(frames * delta);
                }
                self.table = self.table.max(total);
                self.count = self.count.max(count);
            }
            b"stsz" | b"stz2" => self.count = self.count.max(big(content, 8, 4).unwrap_or_default()),
            b"stsd" => self.describe(content),
            _ => {}
        }
    }

    /// The table of descriptions: of several, the longest frame counts.
    fn describe(&mut self, content: &[u8]) {
        let mut data = content.get(8..).unwrap_or_default();
        while let Some((kind, entry, rest)) = next_box(data) {
            data = rest;
            let frame = frame(kind, entry);
            self.is_sound |= frame.is_ok();
            self.frame = Some(match (self.frame.take(), frame) {
                (None, frame) => frame,
                (Some(Ok(one)), Ok(other)) => Ok(one.max(other)),
                (Some(Err(what)), _) | (_, Err(what)) => Err(what),
            });
        }
    }
}

/// Nanoseconds of one frame, at most.
fn frame(kind: &[u8; 4], entry: &[u8]) -> Result<u64, String> {
    let broken = || format!("a broken description of {}", String::from_utf8_lossy(kind));
    match kind {
        b"mp4a" => {
            let (object, config) = decoder_config(entry).ok_or_else(broken)?;
            // AAC, as MPEG-4 and as MPEG-2 name it.
            if !matches!(object, 0x40 | 0x66..=0x68) {
                return Err(format!("audio of the kind {object:#04x}"));
            }
            // The rate of the description is for those who do not read the other.
            aac::frame(config, big(entry, 24, 2).filter(|rate| *rate > 0)).ok_or_else(broken)
        }
        b"alac" => {
            let config = inner(entry, b"alac").ok_or_else(broken)?;
            let (samples, rate) = (big(config, 4, 4).ok_or_else(broken)?, big(config, 24, 4).filter(|rate| *rate > 0).ok_or_else(broken)?);
            Ok(play(samples, rate))
        }
        b"fLaC" => {
            // The flags, a block's header, then STREAMINFO.
            let info = inner(entry, b"dfLa").and_then(|config| config.get(8..)).ok_or_else(broken)?;
            let (rate, _) = flac::stream_info(info).filter(|(rate, _)| *rate > 0).ok_or_else(broken)?;
            Ok(play(big(info, 2, 2).ok_or_else(broken)?, rate))
        }
        b"Opus" => Ok(opus::LONGEST),
        _ => Err(format!("a track of the kind {}", kind.escape_ascii())),
    }
}

/// The content of the box of that kind in a description, wherever it stands: QuickTime wraps it.
fn inner<'a>(entry: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    entry.get(memchr::memmem::find(entry, kind)? + 4..)
}

/// What an `esds` box says: the kind of audio, and its decoder's configuration (ISO/IEC 14496-1, section 7.2.6).
fn decoder_config(entry: &[u8]) -> Option<(u8, &[u8])> {
    let mut data = inner(entry, b"esds")?.get(4..)?;
    let mut object = None;
    loop {
        let (tag, rest) = data.split_first()?;
        let mut length = 0_usize;
        let mut at = 0;
        loop {
            let byte = *rest.get(at)?;
            at += 1;
            length = length << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
            if at == 4 {
                return None;
            }
        }
        let content = rest.get(at..)?;
        data = match tag {
            // The stream: its number and flags, and what they announce.
            3 => {
                let flags = *content.get(2)?;
                let mut skip = 3 + if flags & 0x80 != 0 { 2 } else { 0 };
                skip += if flags & 0x40 != 0 { 1 + usize::from(*content.get(skip)?) } else { 0 };
                content.get(skip + if flags & 0x20 != 0 { 2 } else { 0 }..)?
            }
            4 => {
                object = content.first().copied();
                content.get(13..)?
            }
            5 => return Some((object?, content.get(..length.min(content.len()))?)),
            _ => return None,
        };
    }
}

/// The box that begins here: its kind, what is in it, and what follows. One that is longer than the file ends with it.
fn next_box(data: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let kind = data.get(4..8)?.try_into().ok()?;
    let (head, size) = match big(data, 0, 4)? {
        0 => (8, data.len() as u64),
        1 => (16, big(data, 8, 8)?),
        size => (8, size),
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX).min(data.len());
    Some((kind, data.get(head..size)?, data.get(size..)?))
}
