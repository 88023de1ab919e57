//! Masking, which is the same in both directions (RFC 6455 section 5.3).

/// Masks or unmasks `bytes` in place, the first with the first byte of `key`.
///
/// A payload that comes in pieces is done piece by piece with the key rotated left by the bytes
/// already done.
#[inline]
pub(crate) fn apply(key: [u8; 4], bytes: &mut [u8]) {
    if bytes.len() < WIDE_BYTES_MIN {
        apply_short(key, bytes);
    } else {
        apply_wide(key, bytes);
    }
}

/// From here on vector registers pay for what it takes to get them going.
const WIDE_BYTES_MIN: usize = 128;

/// The last word is taken whole, and may so overlap the one before it: its bytes are read before
/// that is written, and the key is turned to where they begin. No byte is done by itself.
#[inline]
fn apply_short(key: [u8; 4], bytes: &mut [u8]) {
    let half = u32::from_le_bytes(key);
    let word = u64::from(half) << 32 | u64::from(half);
    let turned = word.rotate_right((bytes.len() % 4 * 8) as u32);
    // The last word of a length that is a multiple of its own is done twice, to the same end.
    if let Some(&tail) = bytes.last_chunk() {
        for chunk in bytes.as_chunks_mut().0 {
            *chunk = apply_16(word, *chunk);
        }
        if let Some(last) = bytes.last_chunk_mut() {
            *last = apply_16(turned, tail);
        }
    } else if let Some(&tail) = bytes.last_chunk() {
        if let Some(first) = bytes.first_chunk_mut() {
            *first = apply_8(word, *first);
        }
        if let Some(last) = bytes.last_chunk_mut() {
            *last = apply_8(turned, tail);
        }
    } else {
        for (byte, key) in bytes.iter_mut().zip(word.to_le_bytes()) {
            *byte ^= key;
        }
    }
}

#[inline]
fn apply_8(word: u64, bytes: [u8; 8]) -> [u8; 8] {
    (u64::from_le_bytes(bytes) ^ word).to_le_bytes()
}

#[inline]
fn apply_16(word: u64, bytes: [u8; 16]) -> [u8; 16] {
    (u128::from_le_bytes(bytes) ^ (u128::from(word) << 64 | u128::from(word))).to_le_bytes()
}

/// Eight bytes at a time in a shape that the compiler widens to its vector registers.
#[inline(never)]
fn apply_wide(key: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = key;
    let key = [a, b, c, d, a, b, c, d];
    let word = u64::from_ne_bytes(key);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let mut buffer = [0; 8];
        buffer.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(buffer) ^ word).to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_bytewise(key: [u8; 4], bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte ^= key[at % 4];
        }
    }

    #[test]
    fn words_agree_with_bytes_at_every_length_and_cut() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..200_u8 {
            let plain: Vec<u8> = (0..len).collect();
            let mut expected = plain.clone();
            apply_bytewise(key, &mut expected);

            for cut in 0..=plain.len() {
                let mut masked = plain.clone();
                let (front, back) = masked.split_at_mut(cut);
                apply(key, front);
                let mut turned = key;
                turned.rotate_left(cut % 4);
                apply(turned, back);
                assert_eq!(masked, expected, "{len} bytes cut at {cut}");
            }
        }
    }
}
