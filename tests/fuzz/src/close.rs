//! The payload of a close frame is taken as RFC 6455 sections 5.5.1 and 7.4 have it, and what was
//! taken is encoded to the same bytes.

use network::codec::ws::{Opcode, Role, WsCodec, WsConfig, encode, encode_close};
use network::codec::{Codec, Decoded, Frame, ProtocolError};

/// The input is the payload.
pub fn check(payload: &[u8]) {
    if payload.len() > 125 {
        return;
    }
    let mut wire = Vec::new();
    encode(Opcode::Close, payload, None, &mut wire);
    let mut input = wire.clone();
    let decoded = WsCodec::new(Role::Client).decode(&WsConfig::default(), &mut input);
    let close = match decoded {
        Ok(Decoded::Frame {
            consumed,
            frame: Frame::Close(close),
        }) => {
            assert_eq!(consumed, wire.len());
            close
        }
        Err(error) => {
            assert_eq!(Some(error), wrong(payload));
            return;
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong(payload), None);
    let mut again = Vec::new();
    match close {
        Some(close) => encode_close(close.code, close.reason, None, &mut again),
        // 1005 says that there was no code.
        None => encode_close(1005, "", None, &mut again),
    }
    assert_eq!(again, wire);
}

/// The rules once more, by the numbers that the RFC and IANA's registry name.
fn wrong(payload: &[u8]) -> Option<ProtocolError> {
    let (code, reason) = match payload {
        [] => return None,
        [_] => return Some(ProtocolError::BadClosePayload),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    let defined = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ];
    if !defined.contains(&code) && !(3000..5000).contains(&code) {
        return Some(ProtocolError::BadCloseCode(code));
    }
    std::str::from_utf8(reason)
        .is_err()
        .then_some(ProtocolError::InvalidUtf8)
}
