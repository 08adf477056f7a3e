//! WAV: samples as they are. The header tells their size and rate, which decoders go by; how many there are is counted to the end of the
//! file, whatever the header says: some decoders go by that, and it takes a second chunk to hide samples from it.

use super::bytes::little;
use super::play;

/// All that follows the beginning of the samples.
pub(super) fn longest(data: &[u8]) -> Result<u64, String> {
    let broken = || "no samples".to_owned();
    let (mut at, mut format) = (12, None);
    loop {
        let kind = data.get(at..at + 4).ok_or_else(broken)?;
        let size = usize::try_from(little(data, at + 4, 4).ok_or_else(broken)?).unwrap_or(usize::MAX);
        let begin = at + 8;
        match kind {
            b"fmt " => format = Some(frame(data.get(begin..).unwrap_or_default().get(..size.min(64)).unwrap_or_default())?),
            b"data" => {
                let (frame, rate) = format.ok_or_else(broken)?;
                let bytes = data.len().saturating_sub(begin) as u64;
                return Ok(play(bytes / frame, rate));
            }
            _ => {}
        }
        // Chunks stand at even places.
        at = begin.checked_add(size).and_then(|end| end.checked_next_multiple_of(2)).ok_or_else(broken)?;
    }
}

/// Bytes of one sample of all channels, at least, and samples a second.
fn frame(format: &[u8]) -> Result<(u64, u64), String> {
    let number = |at, length| little(format, at, length).ok_or_else(|| "a broken header".to_owned());
    let tag = match number(0, 2)? {
        // The true one stands in the extension.
        0xfffe => number(24, 2)?,
        tag => tag,
    };
    // PCM, floats, A-law and mu-law: every other code packs samples, and how many is known to its decoder alone.
    if !matches!(tag, 1 | 3 | 6 | 7) {
        return Err(format!("samples in the code {tag:#06x}"));
    }
    let (channels, rate, align, bits) = (number(2, 2)?, number(4, 4)?, number(12, 2)?, number(14, 2)?);
    let frame = channels * bits.div_ceil(8);
    if frame == 0 || rate == 0 {
        return Err("a broken header".to_owned());
    }
    Ok((if align == 0 { frame } else { frame.min(align) }, rate))
}
