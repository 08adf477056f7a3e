use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

fn wav(rate: u32, channels: u16, bits: u16, format: u16, seconds: u32) -> Vec<u8> {
    let block = channels * bits / 8;
    let length = rate * u32::from(block) * seconds;
    let mut file = b"RIFF....WAVEfmt ".to_vec();
    file.extend(16_u32.to_le_bytes());
    file.extend(format.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    // A rate that lies: it is not believed.
    file.extend(u32::MAX.to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend(length.to_le_bytes());
    file.resize(file.len() + length as usize, 0x7f);
    file
}

#[test]
fn plain_samples_are_bounded_by_their_length() {
    let file = wav(16_000, 1, 16, 1, 10);
    for data in [STANDARD.encode(&file), URL_SAFE.encode(&file)] {
        let Media::Audio(tokens) = inline("audio/wav", data.as_bytes(), 0) else { panic!("not seen") };
        assert!((10 * 32..=11 * 64 + 64).contains(&tokens), "{tokens}");
    }
    for other in [wav(16_000, 1, 16, 3, 1), wav(1, 1, 8, 1, 60), wav(16_000, 0, 16, 1, 1), wav(16_000, 1, 4, 1, 1), b"fLaC".repeat(20), Vec::new()] {
        assert_eq!(inline("audio/wav", STANDARD.encode(&other).as_bytes(), 0), Media::UnseenAudio);
    }
}

#[test]
fn every_type_has_a_bound() {
    for (mime_type, media) in [
        ("image/png", Media::Image(6_500)),
        ("Image/JPEG", Media::Image(6_500)),
        ("text/plain; charset=utf-8", Media::Text),
        ("text/csv", Media::Text),
        ("application/json", Media::Text),
        ("application/pdf", Media::Document),
        ("audio/mp3", Media::UnseenAudio),
        ("video/mp4", Media::UnseenVideo),
        ("application/octet-stream", Media::UnseenVideo),
        ("", Media::UnseenVideo),
        ("text", Media::UnseenVideo),
    ] {
        assert_eq!(inline(mime_type, b"AAAA", 0), media, "{mime_type}");
    }
    assert_eq!(inline("image/png", b"", 9_000), Media::Image(9_000));
    assert_eq!(inline("text/plain", b"", 9_000), Media::UnseenVideo);
}
