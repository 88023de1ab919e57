//! Close frames: their codes and payload (RFC 6455 sections 5.5.1 and 7.4).

use super::header::SHORT_PAYLOAD_BYTES_MAX;
use super::{Opcode, encode, utf8};
use crate::codec::{CloseFrame, ProtocolError};

/// Bytes of the code in front of the reason.
const CODE_BYTES: usize = 2;

/// Whether an endpoint may put `code` in a close frame.
///
/// 1004 has no meaning; 1005, 1006 and 1015 tell an application what happened without a close
/// frame; 1012 to 1014 were registered with IANA after the RFC. 3000 to 3999 are for libraries,
/// 4000 to 4999 for applications.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// Parses the unmasked payload of a close frame.
pub(super) fn parse(payload: &[u8]) -> Result<Option<CloseFrame<'_>>, ProtocolError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(None)
        } else {
            Err(ProtocolError::BadClosePayload)
        };
    };
    let code = u16::from_be_bytes(*code);
    if !may_be_sent(code) {
        return Err(ProtocolError::BadCloseCode(code));
    }
    Ok(Some(CloseFrame {
        code,
        reason: utf8::check(reason)?,
    }))
}

/// Appends a close frame. `mask` as for [`encode`].
///
/// A reason over 123 bytes is cut at the end of a character. A code that may not stand on the wire,
/// such as 1005 "no code", gives a frame without payload.
pub fn encode_close(code: u16, reason: &str, mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    if !may_be_sent(code) {
        return encode(Opcode::Close, &[], mask, out);
    }
    let reason = truncate(reason, SHORT_PAYLOAD_BYTES_MAX - CODE_BYTES).as_bytes();
    let mut payload = [0; SHORT_PAYLOAD_BYTES_MAX];
    payload[..CODE_BYTES].copy_from_slice(&code.to_be_bytes());
    payload[CODE_BYTES..][..reason.len()].copy_from_slice(reason);
    encode(
        Opcode::Close,
        &payload[..CODE_BYTES + reason.len()],
        mask,
        out,
    );
}

/// The longest beginning of `text` that is at most `bytes_max` long and ends between characters.
fn truncate(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_range() {
        for code in 0..=u16::MAX {
            let expected = match code {
                0..=999 => false,
                1004 | 1005 | 1006 | 1015 => false,
                1000..=1014 => true,
                1016..=2999 => false,
                3000..=4999 => true,
                _ => false,
            };
            assert_eq!(may_be_sent(code), expected, "{code}");
            let payload = code.to_be_bytes();
            let parsed = parse(&payload);
            if expected {
                assert_eq!(parsed, Ok(Some(CloseFrame { code, reason: "" })));
            } else {
                assert_eq!(parsed, Err(ProtocolError::BadCloseCode(code)));
            }
        }
    }

    #[test]
    fn payload_is_empty_or_a_code_with_a_reason() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x03"), Err(ProtocolError::BadClosePayload));
        assert_eq!(
            parse(b"\x03\xe8bye"),
            Ok(Some(CloseFrame {
                code: 1000,
                reason: "bye"
            }))
        );
        assert_eq!(parse(b"\x03\xe8\xff"), Err(ProtocolError::InvalidUtf8));
    }

    #[test]
    fn long_reasons_end_between_characters() {
        for (reason, kept) in [
            ("x".repeat(123), 123),
            ("x".repeat(124), 123),
            ("é".repeat(62), 122),
            ("x".repeat(122) + "🦀", 122),
            ("x".repeat(119) + "🦀", 123),
        ] {
            let mut out = Vec::new();
            encode_close(1000, &reason, None, &mut out);
            assert_eq!(out[..4], [0x88, kept as u8 + 2, 0x03, 0xe8]);
            assert_eq!(out[4..], reason.as_bytes()[..kept]);
        }
    }

    #[test]
    fn codes_that_may_not_be_sent_give_no_payload() {
        for code in [0, 1004, 1005, 1006, 1015, 5000] {
            let mut out = Vec::new();
            encode_close(code, "gone", None, &mut out);
            assert_eq!(out, [0x88, 0x00], "{code}");
        }
    }
}
