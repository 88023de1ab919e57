//! The bytes of an upgrade and of a message, as the floor and the load client write them.

/// The upgrade that every client asks for: the key of RFC 6455 section 1.3, so that the accept key
/// is known and can be a constant of the floor.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\
    Host: localhost\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The accept key that belongs to it.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The shortest answer that upgrades.
pub const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    upgrade: websocket\r\n\
    connection: upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Bytes of a mask.
const MASK: [u8; 4] = [0x1f, 0x8e, 0x43, 0xd5];

/// Bytes in front of a payload of a server's binary message (RFC 6455 section 5.2). Payloads up to
/// 64 KiB suffice here.
#[must_use]
pub fn header(payload_bytes: usize) -> Vec<u8> {
    match payload_bytes {
        0..126 => vec![0x82, payload_bytes as u8],
        126..0x1_0000 => {
            let [high, low] = (payload_bytes as u16).to_be_bytes();
            vec![0x82, 126, high, low]
        }
        _ => unreachable!("no measure sends so much in one message"),
    }
}

/// A message as a client sends it.
#[must_use]
pub fn request(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len());
    frame[1] |= 0x80;
    frame.extend(MASK);
    frame.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    frame
}

/// A message as a server sends it.
#[must_use]
pub fn reply(payload: &[u8]) -> Vec<u8> {
    let mut frame = header(payload.len());
    frame.extend(payload);
    frame
}
