//! How long a recording plays, at most: what is billed by the second must be known before it is sent.
//!
//! A header may lie, so none is believed alone: frames are counted one by one, as a decoder meets them, each for the longest that it can
//! play, and whatever else the file says of its length counts where it says more. What cannot be read this way is refused.
//!
//! Own code and no crate: those that read containers believe their tables, which is right for playing and wrong for billing, and they bring
//! decoders along. Nothing is decoded here.

use std::fmt;

pub(super) mod aac;
pub(super) mod adts;
pub(super) mod bytes;
pub(super) mod flac;
pub(super) mod mp4;
pub(super) mod mpeg;
pub(super) mod ogg;
pub(super) mod opus;
pub(super) mod vorbis;
mod wav;
mod webm;

/// A second in nanoseconds.
pub(super) const SECOND: u64 = 1_000_000_000;

/// What a recording is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Mpeg,
    Flac,
    Ogg,
    Mp4,
    Webm,
}

/// Why the length of a recording is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    /// No container that is known.
    #[error("it is none of flac, m4a, mp3, mp4, ogg, wav and webm")]
    Unknown,
    /// The container holds something that is not known.
    #[error("this {container} file holds {what}, whose length is not known here")]
    Codec { container: Container, what: String },
    /// The container is broken or empty.
    #[error("this {container} file holds no audio that can be found")]
    NoAudio { container: Container },
    /// What it is called is not what it is.
    #[error("it is called {called:?} but it is a {container} file: which of the two the provider goes by is not known here, so call it what it is")]
    Misnamed { called: String, container: Container },
}

/// What a recording is, and how many nanoseconds it plays at most.
pub(super) fn longest(data: &[u8]) -> Result<(Container, u64), Unreadable> {
    let data = without_tags(data);
    let container = Container::of(data).ok_or(Unreadable::Unknown)?;
    let nanos = match container {
        Container::Wav => wav::longest(data),
        Container::Mpeg => Ok(mpeg::longest(data)),
        Container::Flac => Ok(flac::longest(data)),
        Container::Ogg => ogg::longest(data),
        Container::Mp4 => mp4::longest(data),
        Container::Webm => webm::longest(data),
    }
    .map_err(|what| Unreadable::Codec { container, what })?;
    if nanos == 0 { Err(Unreadable::NoAudio { container }) } else { Ok((container, nanos)) }
}

/// So many samples at that rate, in nanoseconds, rounded up.
pub(super) fn play(samples: u64, rate: u64) -> u64 {
    let nanos = (u128::from(samples) * u128::from(SECOND)).div_ceil(u128::from(rate.max(1)));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

/// What follows the ID3v2 tags at the front, which decoders step over whatever comes behind.
fn without_tags(mut data: &[u8]) -> &[u8] {
    while let Some(size) = mpeg::tag_length(data) {
        data = data.get(size..).unwrap_or_default();
    }
    data
}

// === impl Container ===

impl Container {
    /// By the first bytes.
    fn of(data: &[u8]) -> Option<Self> {
        let at = |from: usize, what: &[u8]| data.get(from..from + what.len()) == Some(what);
        if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
            Some(Self::Wav)
        } else if at(0, b"fLaC") {
            Some(Self::Flac)
        } else if at(0, b"OggS") {
            Some(Self::Ogg)
        } else if at(0, b"\x1a\x45\xdf\xa3") {
            Some(Self::Webm)
        } else if [&b"ftyp"[..], b"moov", b"mdat", b"free", b"wide", b"skip"].iter().any(|kind| at(4, kind)) {
            Some(Self::Mp4)
        } else if data.get(..4).is_some_and(|head| mpeg::Frame::read(head).is_some()) {
            Some(Self::Mpeg)
        } else {
            None
        }
    }

    /// Which container an ending or a `Content-Type` stands for. None where it stands for none that is known.
    fn called(name: &str) -> Option<Self> {
        let ending = name.rsplit(['.', '/']).next().unwrap_or(name).trim_start_matches("x-").to_ascii_lowercase();
        match ending.as_str() {
            "wav" | "wave" | "vnd.wave" => Some(Self::Wav),
            "mp3" | "mpga" | "mpeg" => Some(Self::Mpeg),
            "flac" => Some(Self::Flac),
            "ogg" | "oga" | "opus" => Some(Self::Ogg),
            "mp4" | "m4a" | "m4b" | "mov" | "quicktime" => Some(Self::Mp4),
            "webm" | "weba" | "mkv" | "mka" | "matroska" => Some(Self::Webm),
            _ => None,
        }
    }

    /// Refuses a file that is called something else: a provider that goes by the name would read other audio than is counted here.
    pub(super) fn check_name(self, name: &str) -> Result<(), Unreadable> {
        match Self::called(name) {
            Some(other) if other != self => Err(Unreadable::Misnamed { called: name.chars().take(64).collect(), container: self }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Wav => "WAV",
            Self::Mpeg => "MP3",
            Self::Flac => "FLAC",
            Self::Ogg => "Ogg",
            Self::Mp4 => "MP4",
            Self::Webm => "WebM",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(super) mod tests;
