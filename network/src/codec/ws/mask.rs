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
    let len = bytes.len();
    if let Some(tail) = bytes.last_chunk::<8>() {
        let turn = (len % 4 * 8) as u32;
        let last = u64::from_le_bytes(*tail) ^ word.rotate_right(turn);
        // The last chunk of a length that is a multiple of eight is done twice, to the same end.
        for chunk in bytes.chunks_exact_mut(8) {
            if let Some(chunk) = chunk.first_chunk_mut::<8>() {
                *chunk = (u64::from_le_bytes(*chunk) ^ word).to_le_bytes();
            }
        }
        if let Some(tail) = bytes.last_chunk_mut() {
            *tail = last.to_le_bytes();
        }
    } else {
        for (byte, key) in bytes.iter_mut().zip(word.to_le_bytes()) {
            *byte ^= key;
        }
    }
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
