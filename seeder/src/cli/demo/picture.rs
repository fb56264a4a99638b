//! A small picture, so that the demo has one to attach: PNG with stored (uncompressed) data.

const SIDE: u32 = 96;

/// The bytes of a valid PNG: a sunset in RGB.
pub(super) fn png() -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..SIDE {
        // Every line begins with its filter: none.
        pixels.push(0);
        for x in 0..SIDE {
            let (dx, dy) = (x.abs_diff(SIDE / 2), y.abs_diff(SIDE * 2 / 3));
            let sun = dx * dx + dy * dy < SIDE * SIDE / 16 && y < SIDE * 2 / 3;
            let height = u8::try_from(y * 255 / SIDE).expect("below 255");
            pixels.extend(match (sun, y < SIDE * 2 / 3) {
                (true, _) => [255, 210 - height / 2, 60],
                (_, true) => [250 - height / 4, 120 + height / 4, 160 - height / 2],
                _ => [20, 40 + height / 8, 110],
            });
        }
    }
    let mut header = Vec::new();
    header.extend(SIDE.to_be_bytes());
    header.extend(SIDE.to_be_bytes());
    // Eight bits of red, green and blue; the only compression and filter methods; not interlaced.
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    push_chunk(&mut png, *b"IHDR", &header);
    push_chunk(&mut png, *b"IDAT", &zlib_stored(&pixels));
    push_chunk(&mut png, *b"IEND", &[]);
    png
}

fn push_chunk(png: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    png.extend(u32::try_from(data.len()).expect("the picture is small").to_be_bytes());
    let start = png.len();
    png.extend(name);
    png.extend(data);
    let sum = crc32(&png[start..]);
    png.extend(sum.to_be_bytes());
}

fn zlib_stored(data: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x78, 0x01];
    let mut blocks = data.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("blocks have at most 65,535 bytes");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend(length.to_le_bytes());
        stream.extend((!length).to_le_bytes());
        stream.extend(block);
    }
    stream.extend(adler32(data).to_be_bytes());
    stream
}

fn crc32(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

fn adler32(data: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_have_their_published_values() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn a_picture_is_a_png() {
        let png = png();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(png.ends_with(&[0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]));
    }
}
