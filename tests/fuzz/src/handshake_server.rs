//! A client's opening handshake, with its offers of extensions: whatever the fields are, it is
//! accepted or refused with an answer that is a well-formed head.
//!
//! The input is the header fields of a request.

use network::codec::ws::handshake;
use network::codec::{Codec, Decoded, Frame, http};

/// See above.
pub fn check(fields: &[u8]) {
    let mut wire = b"GET /chat HTTP/1.1\r\nHost: a\r\n".to_vec();
    wire.extend_from_slice(fields);
    wire.extend_from_slice(b"\r\n\r\n");
    let decoded = http::HttpCodec::new().decode(&http::HttpConfig::default(), &mut wire);
    let Ok(Decoded::Frame {
        frame: Frame::Request(request),
        ..
    }) = decoded
    else {
        return;
    };
    let accept = match handshake::accept(&request) {
        Ok(accept) => accept,
        Err(error) => {
            assert!(matches!(error.status(), 400 | 405 | 426), "{error}");
            return;
        }
    };
    assert!(handshake::is_upgrade(&request));
    let key = request.headers.get("Sec-WebSocket-Key").expect("accepted");
    let expected = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let mut answer = Vec::new();
    accept.write_response(None, accept.deflate(), &mut answer);
    let answer = String::from_utf8(answer).expect("an answer is ASCII");
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains(&format!("\r\nSec-WebSocket-Accept: {expected}\r\n")));
    assert!(answer.ends_with("\r\n\r\n"));
    assert_eq!(answer.matches("\r\n\r\n").count(), 1);
    if let Some(offer) = accept.deflate() {
        let bits = [offer.server_max_window_bits, offer.client_max_window_bits];
        for bits in bits.into_iter().flatten() {
            assert!((8..=15).contains(&bits));
        }
    }
}
