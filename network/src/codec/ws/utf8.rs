//! UTF-8, whole and in pieces that may end inside a character (RFC 6455 section 8.1, RFC 3629).

use crate::codec::ProtocolError;

/// `bytes` as text.
///
/// # Errors
/// `InvalidUtf8` if they are not UTF-8 from end to end.
#[inline]
pub(crate) fn check(bytes: &[u8]) -> Result<&str, ProtocolError> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| ProtocolError::InvalidUtf8)
}

/// Shorter than this the validator has no use for its vector registers.
const SHORT_BYTES: usize = 64;

/// Whether `bytes` are text. What is short is ASCII more often than not, and that is seen sooner.
#[inline]
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    (bytes.len() < SHORT_BYTES && bytes.is_ascii()) || check(bytes).is_ok()
}

/// How many bytes at the front of `bytes` are whole characters; the rest, 0 to 3 bytes, is the
/// beginning of another one.
///
/// # Errors
/// `InvalidUtf8` as soon as no further bytes could make `bytes` valid.
pub(crate) fn valid_prefix(bytes: &[u8]) -> Result<usize, ProtocolError> {
    let (body, tail) = bytes.split_at(bytes.len() - open_len(bytes));
    check(body)?;
    match std::str::from_utf8(tail) {
        // An error with a length is there for good. It may lie within the open character: F4 90 is
        // beyond U+10FFFF whatever follows.
        Err(error) if error.error_len().is_some() => Err(ProtocolError::InvalidUtf8),
        _ => Ok(body.len()),
    }
}

/// Length of the character at the end that its first byte announces as longer than what is there.
fn open_len(bytes: &[u8]) -> usize {
    for (len, &byte) in (1..=3).zip(bytes.iter().rev()) {
        let announced = match byte {
            0x80..=0xbf => continue,
            0x00..=0x7f => 1,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
        };
        return if announced > len { len } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortest and longest of each length, the neighbours of the surrogates, the last code point.
    const VALID: &[&[u8]] = &[
        b"",
        b"\0",
        b"\x7f",
        b"\xc2\x80",
        b"\xdf\xbf",
        b"\xe0\xa0\x80",
        b"\xed\x9f\xbf",
        b"\xee\x80\x80",
        b"\xef\xbf\xbf",
        b"\xf0\x90\x80\x80",
        b"\xf4\x8f\xbf\xbf",
        "κόσμε, 世界, 🦀".as_bytes(),
    ];

    /// With the number of bytes after which there is no way back.
    const INVALID: &[(&[u8], usize)] = &[
        (b"\x80", 1),
        (b"a\xbf", 2),
        (b"\xc0\xaf", 1),
        (b"\xc1\x80", 1),
        (b"\xc2a", 2),
        (b"\xe0\x9f\xbf", 2),
        (b"\xed\xa0\x80", 2),
        (b"\xe2\x82a", 3),
        (b"\xf0\x8f\xbf\xbf", 2),
        (b"\xf0\x9f\xa6a", 4),
        (b"\xf4\x90\x80\x80", 2),
        (b"\xf5\x80\x80\x80", 1),
        (b"\xff", 1),
        (b"\xc3\xa9\x80", 3),
        (b"\xf0\x9f\xa6\x80\x80", 5),
    ];

    #[test]
    fn every_prefix_of_valid_text_may_go_on() {
        for text in VALID {
            assert_eq!(valid_prefix(text), Ok(text.len()), "{text:02x?}");
            for cut in 0..text.len() {
                let len = valid_prefix(&text[..cut]).expect("a prefix of UTF-8");
                assert!(
                    check(&text[..len]).is_ok() && cut - len <= 3,
                    "{text:02x?} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn invalid_text_is_refused_at_its_first_hopeless_byte() {
        for &(text, hopeless_at) in INVALID {
            for cut in 0..=text.len() {
                let refused = valid_prefix(&text[..cut]).is_err();
                assert_eq!(refused, cut >= hopeless_at, "{text:02x?} cut at {cut}");
            }
        }
    }
}
