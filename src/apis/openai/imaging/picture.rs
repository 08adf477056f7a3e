//! Simulated pictures: valid files of any size, all of one colour, and small whatever their size.

use bytes::Bytes;

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// The formats that OpenAI makes still images in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    Webp,
}

/// A picture of one colour. Sides are 1 to 16,383.
pub(super) fn draw(format: Format, width: u16, height: u16, colour: Colour) -> Bytes {
    match format {
        Format::Png => png(width, height, colour),
        Format::Jpeg => jpeg(width, height, colour),
        Format::Webp => webp(width, height, colour),
    }
}

/// Bits, written from the lowest of each byte on, as deflate and WebP do.
#[derive(Default)]
struct LowFirst {
    bytes: Vec<u8>,
    used: u32,
}

impl LowFirst {
    fn put(&mut self, bits: u32, count: u32) {
        for index in 0..count {
            if self.used % 8 == 0 {
                self.bytes.push(0);
            }
            let bit = u8::from(bits >> index & 1 == 1) << (self.used % 8);
            self.bytes.iter_mut().last().into_iter().for_each(|byte| *byte |= bit);
            self.used += 1;
        }
    }
}

/// A PNG (W3C, third edition) of one bit a pixel, with a palette of one colour: all of its data is zeros.
fn png(width: u16, height: u16, colour: Colour) -> Bytes {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let body = [kind.as_slice(), data].concat();
        file.extend_from_slice(&(u32::try_from(data.len()).unwrap_or_default()).to_be_bytes());
        file.extend_from_slice(&body);
        file.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
    };
    let header = [&u32::from(width).to_be_bytes()[..], &u32::from(height).to_be_bytes(), &[1, 3, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    chunk(b"PLTE", &colour);
    // Each line has its filter, which is none, and its pixels.
    chunk(b"IDAT", &zeros(u32::from(height) * (1 + u32::from(width).div_ceil(8))));
    chunk(b"IEND", b"");
    file.into()
}

/// So many zeros, at least one, in zlib's format (RFC 1950, 1951): a zero, and then the same again and again.
fn zeros(count: u32) -> Vec<u8> {
    let mut bits = LowFirst { bytes: vec![0x78, 0x01], used: 16 };
    // The last block, in the fixed code.
    bits.put(0b011, 3);
    // Codes stand with their highest bit first.
    let mut code = |code: u32, length: u32| bits.put(code.reverse_bits() >> (32 - length), length);
    code(0x30, 8);
    let mut left = count - 1;
    while left >= 258 {
        // Length 258, code 285; distance 1, code 0.
        code(0b1100_0101, 8);
        code(0, 5);
        left -= 258;
    }
    for _ in 0..left {
        code(0x30, 8);
    }
    // The end of the block.
    code(0, 7);
    let mut bytes = bits.bytes;
    // Adler-32: the first sum stays 1, the second counts.
    bytes.extend_from_slice(&(((count % 65_521) << 16) | 1).to_be_bytes());
    bytes
}

/// A lossless WebP (RFC 9649): every code has one symbol, so the pixels take no bits at all.
fn webp(width: u16, height: u16, [red, green, blue]: Colour) -> Bytes {
    let mut bits = LowFirst::default();
    bits.put(0x2f, 8);
    bits.put(u32::from(width) - 1, 14);
    bits.put(u32::from(height) - 1, 14);
    // No alpha, version 0; no transform, no colour cache, one group of codes.
    bits.put(0, 1 + 3 + 1 + 1 + 1);
    for symbol in [green, red, blue, 0xff, 0] {
        // A simple code of one symbol of eight bits.
        bits.put(0b101, 3);
        bits.put(symbol.into(), 8);
    }
    let mut data = bits.bytes;
    let length = u32::try_from(data.len()).unwrap_or_default();
    data.resize(data.len().next_multiple_of(2), 0);
    let size = u32::try_from(data.len()).unwrap_or_default() + 12;
    [&b"RIFF"[..], &size.to_le_bytes(), b"WEBPVP8L", &length.to_le_bytes(), &data].concat().into()
}

/// A baseline JPEG (ITU T.81): each block says that it is like the one before.
fn jpeg(width: u16, height: u16, colour: Colour) -> Bytes {
    let mut file = vec![0xff, 0xd8];
    let mut segment = |marker: u8, data: &[u8]| {
        file.extend_from_slice(&[0xff, marker]);
        file.extend_from_slice(&(u16::try_from(data.len()).unwrap_or_default() + 2).to_be_bytes());
        file.extend_from_slice(data);
    };
    segment(0xe0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00");
    // Quantised by 8, a mean is the brightness less 128.
    segment(0xdb, &[&[0][..], &[8; 64]].concat());
    let [h, w] = [height.to_be_bytes(), width.to_be_bytes()];
    segment(0xc0, &[8, h[0], h[1], w[0], w[1], 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    // Means: no difference is 0, and a difference of 1 to 8 bits is 10000 to 10111. The rest: nothing follows is 0.
    segment(0xc4, &[0x00, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    segment(0xc4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    segment(0xda, &[3, 1, 0, 2, 0, 3, 0, 0, 63, 0]);
    let mut bits = Vec::new();
    for mean in means(colour) {
        let size = 32 - mean.unsigned_abs().leading_zeros();
        match size {
            0 => bits.push(false),
            _ => bits.extend((0..5).rev().map(|bit| (0b10000 + size - 1) >> bit & 1 == 1)),
        }
        let value = if mean < 0 { mean - 1 } else { mean };
        bits.extend((0..size).rev().map(|bit| value >> bit & 1 == 1));
        bits.push(false);
    }
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    bits.resize(bits.len() + (blocks - 1) * 6, false);
    bits.resize(bits.len().next_multiple_of(8), true);
    for byte in bits.chunks(8).map(|bits| bits.iter().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit))) {
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend_from_slice(&[0xff, 0xd9]);
    file.into()
}

/// Brightness and the two differences of colour (ITU T.871), less 128.
fn means([red, green, blue]: Colour) -> [i32; 3] {
    let [r, g, b] = [i32::from(red), i32::from(green), i32::from(blue)];
    let fit = |value: i32| value.clamp(-128, 127);
    [fit((299 * r + 587 * g + 114 * b) / 1000 - 128), fit((-169 * r - 331 * g + 500 * b) / 1000), fit((500 * r - 419 * g - 81 * b) / 1000)]
}
