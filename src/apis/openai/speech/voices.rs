//! Simulated audio: valid files of silence, of any length, in every format that OpenAI speaks in. All have one channel at 24 kHz, but for
//! Opus, which has 48.

use crate::apis::recording::flac::crc8;

/// Samples a second.
const RATE: u32 = 24_000;

/// The formats by their names, with their content types.
pub(super) const FORMATS: [(&str, &str); 6] =
    [("mp3", "audio/mpeg"), ("opus", "audio/opus"), ("aac", "audio/aac"), ("flac", "audio/flac"), ("wav", "audio/wav"), ("pcm", "audio/pcm")];

/// Silence of so many milliseconds in the format of that name; a little longer where its frames are.
pub(super) fn silence(format: &str, millis: u64) -> Vec<u8> {
    let samples = millis.saturating_mul(u64::from(RATE) / 1_000);
    let frames = |length: u64| samples.div_ceil(length);
    match format {
        "opus" => opus(millis.div_ceil(20)),
        "aac" => repeated(&ADTS, frames(1_024)),
        "flac" => flac(samples),
        "wav" => [wav_header(samples), zeros(samples * 2)].concat(),
        "pcm" => zeros(samples * 2),
        _ => {
            let mut frame = MP3.to_vec();
            frame.resize(MP3_FRAME, 0);
            repeated(&frame, frames(576))
        }
    }
}

/// The header of an MP3 frame: MPEG-2, layer 3, 64 kbit, 24 kHz, one channel. All zeros behind it are silence.
const MP3: [u8; 4] = [0xff, 0xf3, 0x84, 0xc4];
/// 72 x 64,000 / 24,000.
const MP3_FRAME: usize = 192;
/// An ADTS frame: AAC-LC, 24 kHz, one channel, eleven bytes in all, the last four of which say that there is no spectrum.
const ADTS: [u8; 11] = [0xff, 0xf1, 0x58, 0x40, 0x01, 0x7f, 0xfc, 0x00, 0x00, 0x00, 0x07];
/// 20 ms of silence, as many encoders write it.
const OPUS: [u8; 3] = [0xf8, 0xff, 0xfe];
/// Packets on one page: a second.
const OPUS_PAGE: u64 = 50;

fn zeros(count: u64) -> Vec<u8> {
    vec![0; usize::try_from(count).unwrap_or_default()]
}

fn repeated(frame: &[u8], count: u64) -> Vec<u8> {
    frame.repeat(usize::try_from(count).unwrap_or_default())
}

fn wav_header(samples: u64) -> Vec<u8> {
    let bytes = u32::try_from(samples * 2).unwrap_or(u32::MAX);
    let mut header = [&b"RIFF"[..], &bytes.saturating_add(36).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    header.extend_from_slice(&RATE.to_le_bytes());
    header.extend_from_slice(&(RATE * 2).to_le_bytes());
    header.extend_from_slice(&[2, 0, 16, 0]);
    header.extend_from_slice(b"data");
    header.extend_from_slice(&bytes.to_le_bytes());
    header
}

/// Ogg (RFC 3533) with Opus (RFC 7845).
fn opus(packets: u64) -> Vec<u8> {
    let head = [&b"OpusHead"[..], &[1, 1, 0, 0], &RATE.to_le_bytes(), &[0, 0, 0]].concat();
    let tags = [&b"OpusTags"[..], &9_u32.to_le_bytes(), b"spendgate", &[0; 4]].concat();
    let mut file = page(2, 0, 0, &[&head]);
    file.extend(page(0, 0, 1, &[&tags]));
    let mut done = 0;
    while done < packets {
        let count = OPUS_PAGE.min(packets - done);
        done += count;
        let last = if done == packets { 4 } else { 0 };
        let number = u32::try_from(done.div_ceil(OPUS_PAGE) + 1).unwrap_or_default();
        file.extend(page(last, done * 960, number, &vec![&OPUS[..]; usize::try_from(count).unwrap_or_default()]));
    }
    file
}

/// A page of packets that are all shorter than 255 bytes.
fn page(flags: u8, position: u64, number: u32, packets: &[&[u8]]) -> Vec<u8> {
    let mut page = [&b"OggS\0"[..], &[flags], &position.to_le_bytes(), &1_u32.to_le_bytes(), &number.to_le_bytes(), &[0; 4]].concat();
    page.push(u8::try_from(packets.len()).unwrap_or_default());
    page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap_or_default()));
    packets.iter().for_each(|packet| page.extend_from_slice(packet));
    let sum = crc(&page, 32, 0x04c1_1db7);
    page.iter_mut().skip(22).zip(sum.to_le_bytes()).for_each(|(byte, sum)| *byte = sum);
    page
}

/// FLAC (RFC 9639): frames that say that all of their samples are zero.
fn flac(samples: u64) -> Vec<u8> {
    let block: u16 = 4_096;
    let mut info = [&block.to_be_bytes()[..], &block.to_be_bytes(), &[0; 6]].concat();
    // Rate, one channel, 16 bits, and the number of samples; no checksum of them all.
    info.extend_from_slice(&(u64::from(RATE) << 44 | 15 << 36 | samples & 0xf_ffff_ffff).to_be_bytes());
    info.extend_from_slice(&[0; 16]);
    let mut file = [&b"fLaC\x80\x00\x00\x22"[..], &info].concat();
    let frames = samples.div_ceil(block.into());
    for number in 0..frames {
        let left = samples - number * u64::from(block);
        let length = u16::try_from(left).unwrap_or(u16::MAX).min(block);
        // Fixed blocks; the length in two bytes, 24 kHz, one channel, 16 bits.
        let mut frame = vec![0xff, 0xf8, 0x77, 0x08];
        frame.extend(utf8_number(number));
        frame.extend_from_slice(&(length - 1).to_be_bytes());
        frame.push(crc8(&frame));
        // A constant subframe: its kind, and its value.
        frame.extend_from_slice(&[0, 0, 0]);
        let sum = crc(&frame, 16, 0x8005);
        frame.extend_from_slice(&u16::try_from(sum).unwrap_or_default().to_be_bytes());
        file.extend(frame);
    }
    file
}

/// A number as UTF-8 would write a character of that number. Numbers here are below 65,536, and none is a character that does not exist:
/// FLAC does not care.
fn utf8_number(number: u64) -> Vec<u8> {
    let tail = |shift: u32| 0x80 | u8::try_from(number >> shift & 0x3f).unwrap_or_default();
    let head = |mark: u8, shift: u32| mark | u8::try_from(number >> shift).unwrap_or_default();
    match number {
        0..0x80 => vec![head(0, 0)],
        0x80..0x800 => vec![head(0xc0, 6), tail(0)],
        _ => vec![head(0xe0, 12), tail(6), tail(0)],
    }
}

/// A checksum of so many bits, from zero on, the highest bit first.
fn crc(data: &[u8], bits: u32, polynomial: u32) -> u32 {
    let (top, mask) = (1_u32 << (bits - 1), u32::MAX >> (32 - bits));
    data.iter().fold(0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte) << (bits - 8), |sum, _| (sum << 1 ^ if sum & top != 0 { polynomial } else { 0 }) & mask))
}
