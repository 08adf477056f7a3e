//! Ogg (RFC 3533) with Opus (RFC 7845), Vorbis or FLAC: pages of packets, each of which tells how long it plays.

use std::collections::BTreeMap;

use super::bytes::{Pieces, big, little};
use super::{flac, opus, vorbis};

/// The header of a page without its table.
const HEAD: usize = 27;
/// Streams in one file: more are a chain, or an attempt at our memory.
const MAX_STREAMS: usize = 64;
/// As much of a packet as tells its length, or of a header packet what is needed.
const KEPT: usize = 64;

/// Counts packets that come in pieces.
#[derive(Debug, Default)]
pub(in crate::apis) struct Counter {
    pieces: Pieces,
    packets: Packets,
}

#[derive(Debug, Default)]
struct Packets {
    streams: BTreeMap<u64, Stream>,
    nanos: u64,
    foreign: Option<String>,
}

/// One logical stream.
#[derive(Debug, Default)]
struct Stream {
    codec: Codec,
    /// The beginning of the packet that has begun.
    packet: Vec<u8>,
    begun: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Codec {
    /// Its first packet has not been seen.
    #[default]
    Unseen,
    Opus,
    /// Nanoseconds of a packet.
    Vorbis(u64),
    /// The stream's rate.
    Flac(u64),
    /// Pictures and descriptions.
    Silent,
}

/// What the packets have together, and what the last pages say where that is more.
pub(super) fn longest(data: &[u8]) -> Result<u64, String> {
    let mut counter = Counter::default();
    counter.feed(data);
    match counter.packets.foreign.take() {
        Some(codec) => Err(codec),
        None => Ok(counter.nanos()),
    }
}

// === impl Counter ===

impl Counter {
    pub(in crate::apis) fn feed(&mut self, piece: &[u8]) {
        let packets = &mut self.packets;
        self.pieces.feed(piece, |data| {
            data.get(..HEAD)?;
            if !data.starts_with(b"OggS") {
                // Lost: the next page is found again, as decoders do.
                return Some(memchr::memmem::find(data.get(1..)?, b"OggS").map_or(data.len() - 3, |at| at + 1) as u64);
            }
            let table = data.get(HEAD..HEAD + usize::from(*data.get(26)?))?;
            let body = HEAD + table.len();
            let length = table.iter().map(|lace| usize::from(*lace)).sum::<usize>();
            let content = data.get(body..body + length)?;
            packets.page(data, table, content);
            Some((body + length) as u64)
        });
    }

    pub(in crate::apis) fn nanos(&self) -> u64 {
        self.packets.nanos
    }
}

// === impl Packets ===

impl Packets {
    fn page(&mut self, head: &[u8], table: &[u8], mut content: &[u8]) {
        let Some(serial) = little(head, 14, 4) else { return };
        if !self.streams.contains_key(&serial) && self.streams.len() == MAX_STREAMS {
            self.foreign = Some(format!("more than {MAX_STREAMS} streams"));
            return;
        }
        let stream = self.streams.entry(serial).or_default();
        let flags = head.get(5).copied().unwrap_or_default();
        // The first page of a stream: of a new link of the chain, maybe, with a number that was used before.
        if flags & 2 != 0 {
            *stream = Stream::default();
        }
        if flags & 1 == 0 {
            stream.begun = false;
        }
        for lace in table {
            if !stream.begun {
                stream.packet.clear();
                stream.begun = true;
            }
            let (segment, rest) = content.split_at_checked(usize::from(*lace)).unwrap_or((content, &[]));
            content = rest;
            let room = KEPT.saturating_sub(stream.packet.len()).min(segment.len());
            stream.packet.extend_from_slice(segment.get(..room).unwrap_or_default());
            if *lace < 255 {
                stream.begun = false;
                match stream.finish() {
                    Ok(nanos) => self.nanos = self.nanos.saturating_add(nanos),
                    Err(codec) => self.foreign = Some(codec),
                }
            }
        }
    }
}

// === impl Stream ===

impl Stream {
    /// A packet is there: how long it plays.
    fn finish(&mut self) -> Result<u64, String> {
        let packet = self.packet.as_slice();
        match self.codec {
            Codec::Unseen => {
                self.codec = codec(packet)?;
                Ok(0)
            }
            Codec::Opus if packet.starts_with(b"OpusTags") => Ok(0),
            Codec::Opus => Ok(opus::packet(packet)),
            // Headers have odd first bytes.
            Codec::Vorbis(_) if packet.first().is_none_or(|first| first & 1 == 1) => Ok(0),
            Codec::Vorbis(nanos) => Ok(nanos),
            Codec::Flac(rate) => Ok(flac::Frame::read(packet).map_or(0, |frame| frame.nanos(rate))),
            Codec::Silent => Ok(0),
        }
    }
}

/// What a stream holds, by its first packet.
fn codec(packet: &[u8]) -> Result<Codec, String> {
    if packet.starts_with(b"OpusHead") {
        Ok(Codec::Opus)
    } else if packet.starts_with(b"\x01vorbis") {
        vorbis::packet(packet).map(Codec::Vorbis).ok_or_else(|| "Vorbis with a broken header".to_owned())
    } else if packet.starts_with(b"\x7fFLAC") {
        // After the mark, the version, the number of headers, `fLaC` and a block's header.
        let rate = big(packet, 17 + 10, 3).map(|rate| rate >> 4).filter(|rate| *rate > 0);
        rate.map(Codec::Flac).ok_or_else(|| "FLAC with a broken header".to_owned())
    } else if [&b"\x80theora"[..], b"fishead\0", b"BBCD\0", b"\x80kate"].iter().any(|mark| packet.starts_with(mark)) {
        Ok(Codec::Silent)
    } else {
        Err("a codec other than Opus, Vorbis and FLAC".to_owned())
    }
}
