use proptest::prelude::*;

use super::bytes::big;
use super::*;

/// Files of one second, made by ffmpeg's encoders.
const SAMPLES: [(&str, &[u8], Container, u64); 12] = [
    ("mp3", include_bytes!("samples/a.mp3"), Container::Mpeg, 1_152),
    ("opus", include_bytes!("samples/a.opus.ogg"), Container::Ogg, 1_020),
    ("vorbis", include_bytes!("samples/a.vorbis.ogg"), Container::Ogg, 1_100),
    ("flac in ogg", include_bytes!("samples/flac.ogg"), Container::Ogg, 1_000),
    ("flac", include_bytes!("samples/silent.flac"), Container::Flac, 1_000),
    ("aac", include_bytes!("samples/a.m4a"), Container::Mp4, 1_088),
    ("fragments", include_bytes!("samples/frag.mp4"), Container::Mp4, 1_088),
    ("flac in mp4", include_bytes!("samples/flac.mp4"), Container::Mp4, 1_152),
    ("opus in mp4", include_bytes!("samples/opus.mp4"), Container::Mp4, 6_240),
    ("webm", include_bytes!("samples/a.webm"), Container::Webm, 1_040),
    ("webm without a length", include_bytes!("samples/live.webm"), Container::Webm, 1_040),
    ("aac in matroska", include_bytes!("samples/aac.mkv"), Container::Webm, 1_100),
];

fn sample(name: &str) -> Vec<u8> {
    SAMPLES.iter().find(|(sample, ..)| *sample == name).unwrap().1.to_vec()
}

/// Milliseconds, rounded up.
fn millis(data: &[u8]) -> u64 {
    longest(data).unwrap().1.div_ceil(SECOND / 1_000)
}

/// A WAV of so many bytes of samples: 16 bits, one channel.
pub(in crate::apis) fn wav(rate: u32, samples: &[u8]) -> Vec<u8> {
    let length = u32::try_from(samples.len()).unwrap();
    let mut file = [&b"RIFF"[..], &(36 + length).to_le_bytes(), b"WAVEfmt ", &16_u32.to_le_bytes(), &[1, 0, 1, 0]].concat();
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * 2).to_le_bytes());
    file.extend_from_slice(&[2, 0, 16, 0]);
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(samples);
    file
}

/// All places of a text, overwritten from `skip` bytes behind it on.
fn overwrite(data: &mut [u8], text: &[u8], skip: usize, with: &[u8]) {
    let places: Vec<usize> = memchr::memmem::find_iter(data, text).map(|at| at + text.len() + skip).collect();
    assert!(!places.is_empty());
    for at in places {
        data[at..at + with.len()].copy_from_slice(with);
    }
}

#[test]
fn real_files_are_a_little_longer_at_most_than_they_are() {
    for (name, data, container, most) in SAMPLES {
        let (found, _) = longest(data).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, container, "{name}");
        assert!((1_000..=most).contains(&millis(data)), "{name}: {}", millis(data));
    }
    assert_eq!(millis(&wav(8_000, &[0; 16_000])), 1_000);
    // Tags before and behind.
    let tagged = [&b"ID3\x04\x00\x00\x00\x00\x02\x00"[..], &[0xff; 256], &sample("mp3")].concat();
    assert_eq!(millis(&tagged), millis(&sample("mp3")));
    let flac = [&b"ID3\x04\x00\x00\x00\x00\x00\x04abcd"[..], &sample("flac")].concat();
    assert_eq!(longest(&flac).unwrap().0, Container::Flac);
}

#[test]
fn a_header_that_lies_short_hides_nothing() {
    let mut lies = Vec::new();
    let mut file = wav(8_000, &[0; 16_000]);
    overwrite(&mut file, b"data", 0, &8_u32.to_le_bytes());
    lies.push(("wav: a short chunk", file.clone()));
    let hidden = [wav(8_000, &[0; 16])[..44 + 16].to_vec(), b"data\x80\x3e\x00\x00".to_vec(), vec![0; 16_000]].concat();
    lies.push(("wav: a second chunk", hidden));
    let mut file = wav(8_000, &[0; 16_000]);
    file[32] = 0xff;
    file[28..32].copy_from_slice(&[0xff; 4]);
    lies.push(("wav: a large frame and byte rate", file));
    let mut file = sample("flac");
    file[21..26].copy_from_slice(&[0x10, 0, 0, 0, 1]);
    lies.push(("flac: one sample", file.clone()));
    file[21..26].copy_from_slice(&[0x10, 0, 0, 0, 0]);
    lies.push(("flac: an unknown number of samples", file));
    for name in ["opus", "vorbis", "flac in ogg"] {
        let mut file = sample(name);
        overwrite(&mut file, b"OggS", 2, &[0; 8]);
        lies.push(("ogg: no positions", file));
    }
    let mut file = sample("aac");
    overwrite(&mut file, b"mdhd", 16, &1_u32.to_be_bytes());
    overwrite(&mut file, b"mvhd", 16, &1_u32.to_be_bytes());
    lies.push(("mp4: a short duration", file.clone()));
    // Every frame lasts for one tick, and ticks are short.
    let at = memchr::memmem::find(&file, b"stts").unwrap() + 8;
    for entry in 0..big(&file, at, 4).unwrap() as usize {
        file[at + 8 + entry * 8..at + 12 + entry * 8].copy_from_slice(&1_u32.to_be_bytes());
    }
    overwrite(&mut file, b"mdhd", 12, &u32::MAX.to_be_bytes());
    lies.push(("mp4: short frames", file.clone()));
    // The description tells another rate than the decoder's configuration.
    overwrite(&mut file, b"mp4a", 24, &0xffff_u16.to_be_bytes());
    lies.push(("mp4: a high rate", file));
    let mut file = sample("webm");
    overwrite(&mut file, b"\x44\x89\x88", 0, &f64::to_be_bytes(1.0));
    lies.push(("webm: a short duration", file.clone()));
    // A tick of a nanosecond.
    overwrite(&mut file, b"\x2a\xd7\xb1\x83", 0, &[0, 0, 1]);
    lies.push(("webm: short ticks", file));
    for (name, file) in lies {
        assert!(millis(&file) >= 1_000, "{name}: {}", millis(&file));
    }
}

#[test]
fn a_header_that_says_more_is_believed() {
    let mut file = sample("aac");
    overwrite(&mut file, b"mdhd", 16, &(90 * 16_000_u32).to_be_bytes());
    assert_eq!(millis(&file), 90_000);
    let mut file = sample("webm");
    overwrite(&mut file, b"\x44\x89\x88", 0, &f64::to_be_bytes(90_000.0));
    assert_eq!(millis(&file), 90_000);
    let mut file = sample("flac");
    file[22..26].copy_from_slice(&720_000_u32.to_be_bytes());
    assert_eq!(millis(&file), 90_000);
}

#[test]
fn what_comes_one_after_the_other_is_added_up() {
    for name in ["mp3", "opus", "vorbis"] {
        let one = sample(name);
        assert_eq!(millis(&[one.clone(), one.clone(), one.clone()].concat()), (longest(&one).unwrap().1 * 3).div_ceil(1_000_000), "{name}");
        // Rubbish between them is stepped over.
        let rubbish = [one.clone(), vec![7; 1_000], one.clone()].concat();
        assert!(millis(&rubbish) >= 2_000, "{name}");
    }
    // Frames that stand alone count too.
    let frame = &sample("mp3")[..];
    let first = frame_of_36(frame);
    let alone: Vec<u8> = std::iter::repeat_n([first, &[0; 3]].concat(), 100).flatten().collect();
    assert_eq!(millis(&alone), 100 * 36);
}

/// A frame of a file of 16 kHz and 8 kbit: 36 ms, 36 bytes.
fn frame_of_36(data: &[u8]) -> &[u8] {
    let begins = |at: usize| mpeg::Frame::read(&data[at..]).is_some();
    let at = (0..data.len() - 72).find(|at| begins(*at) && begins(at + 36) && begins(at + 72)).unwrap();
    &data[at..at + 36]
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    assert_eq!(longest(b""), Err(Unreadable::Unknown));
    assert_eq!(longest(b"plain text, and a good deal of it"), Err(Unreadable::Unknown));
    assert_eq!(longest(&[0x00, 0x00, 0x01, 0xba, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Unreadable::Unknown));
    assert_eq!(longest(&wav(8_000, &[])), Err(Unreadable::NoAudio { container: Container::Wav }));
    let reason = |data: &[u8]| longest(data).unwrap_err().to_string();
    let mut adpcm = wav(8_000, &[0; 100]);
    adpcm[20] = 0x11;
    assert!(reason(&adpcm).contains("0x0011"), "{}", reason(&adpcm));
    let mut other = sample("aac");
    overwrite(&mut other, b"stsd", 12, b"samr");
    assert!(reason(&other).contains("samr"), "{}", reason(&other));
    let mut other = sample("webm");
    overwrite(&mut other, b"A_OP", 0, b"XX");
    assert!(reason(&other).contains("A_OPXX"), "{}", reason(&other));
    let mut other = sample("opus");
    overwrite(&mut other, b"OpusHead", 0, b"");
    let at = memchr::memmem::find(&other, b"OpusHead").unwrap();
    other[at..at + 5].copy_from_slice(b"Speex");
    assert!(reason(&other).contains("codec"), "{}", reason(&other));
    // No picture is a recording.
    assert!(matches!(longest(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"), Err(Unreadable::NoAudio { .. })));
}

#[test]
fn a_name_must_not_contradict_what_the_file_is() {
    for (name, right) in [
        ("speech.mp3", true),
        ("speech.MPGA", true),
        ("audio/mpeg", true),
        ("upload", true),
        ("", true),
        ("speech.bin", true),
        ("application/octet-stream", true),
        ("speech.wav", false),
        ("a.mp3.webm", false),
        ("audio/x-wav", false),
        ("video/mp4", false),
    ] {
        assert_eq!(Container::Mpeg.check_name(name).is_ok(), right, "{name}");
    }
    assert!(Container::Mp4.check_name("voice.m4a").is_ok() && Container::Webm.check_name("audio/webm").is_ok());
    assert!(Container::Wav.check_name("audio/vnd.wave").is_ok() && Container::Ogg.check_name("a.opus").is_ok());
}

#[test]
fn pieces_count_like_the_whole() {
    for size in [1, 3, 17, 1_000] {
        let (mut mpeg, mut ogg, mut flac) = (mpeg::Counter::default(), ogg::Counter::default(), flac::Counter::default());
        sample("mp3").chunks(size).for_each(|piece| mpeg.feed(piece));
        sample("opus").chunks(size).for_each(|piece| ogg.feed(piece));
        sample("flac").chunks(size).for_each(|piece| flac.feed(piece));
        assert_eq!(mpeg.nanos(), longest(&sample("mp3")).unwrap().1, "{size}");
        assert_eq!(ogg.nanos(), longest(&sample("opus")).unwrap().1, "{size}");
        assert_eq!(flac.nanos(), SECOND, "{size}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_it_panic(which in 0usize..12, cut in 0usize..4_000, changes in prop::collection::vec((0usize..3_000, any::<u8>()), 0..12)) {
        let mut data = SAMPLES[which].1.to_vec();
        data.truncate(cut.max(8));
        for (at, byte) in changes {
            let at = at % data.len();
            data[at] = byte;
        }
        let _ = longest(&data);
        let _ = wav::longest(&[&wav(8_000, &[0; 4])[..40], &data].concat());
    }
}
