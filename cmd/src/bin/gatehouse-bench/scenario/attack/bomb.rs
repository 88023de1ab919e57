//! Connections that each send one message which a server does better not to take: one over any
//! limit, one of very many fragments, most of a large one, and a small one that inflates to very
//! much.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use common::ConnId;
use network::codec::Framing;
use network::{Ctx, Delivery};

use super::note_status;
use crate::load::{Dialer, End, Opened, Place, Script};
use crate::target::Target;

/// Opcode of a text message's first frame, and of those that follow (RFC 6455 section 5.2).
const TEXT: u8 = 0x1;
const MORE: u8 = 0x0;
const FIN: u8 = 0x80;
/// Marks a compressed message (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// What is announced where it is to be over every limit, and how much of it is sent.
const OVERSIZE: u64 = 1 << 30;
const OVERSIZE_SENT: usize = 16 << 10;
/// Fragments of one byte: more than a server with the usual limit of 64 KiB takes.
const FRAGMENTS: usize = 70_000;
/// What is announced of a message that is not finished, and what is sent of it.
const UNFINISHED: u64 = 60 << 10;
const UNFINISHED_SENT: usize = 59 << 10;
/// Repeats in a compressed message: of 258 bytes each, by 2 bits.
const REPEATS: usize = 64 << 10;
/// Bytes that the largest of them takes.
pub(super) const BYTES_MAX: usize = 512 << 10;

/// One kind of bomb.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    /// Where it goes, and whether that is upgraded first or the shell brings its own request.
    pub(super) target: Target,
    bytes: Bytes,
}

/// The kinds that the server is to get; the last only if it negotiates permessage-deflate, which is
/// tried here.
pub(super) fn shells(target: &Target, raw: &Target, timeout: Duration) -> Vec<Shell> {
    let mut oversize = header(FIN | TEXT, OVERSIZE);
    oversize.resize(oversize.len() + OVERSIZE_SENT, b'a');
    let mut fragments = Vec::with_capacity(BYTES_MAX);
    for number in 0..FRAGMENTS {
        fragments.extend(header(if number == 0 { TEXT } else { MORE }, 1));
        fragments.push(b'a');
    }
    let mut unfinished = header(FIN | TEXT, UNFINISHED);
    unfinished.resize(unfinished.len() + UNFINISHED_SENT, b'a');
    let mut shells: Vec<_> = [oversize, fragments, unfinished]
        .into_iter()
        .map(|bytes| Shell {
            target: target.clone(),
            bytes: bytes.into(),
        })
        .collect();
    if let Some(mut request) = deflate_request(target)
        && negotiates(target, &request, timeout).unwrap_or(false)
    {
        let payload = deflated();
        request.extend(header(FIN | RSV1 | TEXT, payload.len() as u64));
        request.extend(payload);
        shells.push(Shell {
            target: raw.clone(),
            bytes: request.into(),
        });
    }
    shells
}

/// Whether a kind that compresses is among them.
pub(super) fn inflates(shells: &[Shell]) -> bool {
    shells.len() > 3
}

/// A frame's header, with a mask of zeros, which leaves the payload as it is.
fn header(first: u8, length: u64) -> Vec<u8> {
    let mut header = vec![first];
    match length {
        0..126 => header.push(0x80 | length as u8),
        126..=0xffff => {
            header.push(0xfe);
            header.extend((length as u16).to_be_bytes());
        }
        _ => {
            header.push(0xff);
            header.extend(length.to_be_bytes());
        }
    }
    header.extend([0; 4]);
    header
}

/// The request for an upgrade with permessage-deflate; the client role does not compress by itself.
fn deflate_request(target: &Target) -> Option<Vec<u8>> {
    let Framing::WebSocketClient { host, target } = &target.framing else {
        return None;
    };
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    Some(request.into_bytes())
}

/// Whether the server takes up the offer in `request`.
fn negotiates(target: &Target, request: &[u8], timeout: Duration) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&target.addr, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") && answer.len() < 16 << 10 {
        let mut piece = [0; 2048];
        match stream.read(&mut piece)? {
            0 => break,
            n => answer.extend_from_slice(&piece[..n]),
        }
    }
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    Ok(answer.starts_with("http/1.1 101") && answer.contains("permessage-deflate"))
}

/// 16 KiB that inflate to 16 MiB of `a`: a block with codes of its own (RFC 1951 section 3.2.7),
/// the shortest for "258 bytes more, like the one before".
fn deflated() -> Vec<u8> {
    let mut bits = Bits::default();
    // Not the last block, codes of its own; 286 codes for lengths, 1 for distances, and 18 lengths
    // of codes for the lengths of those codes.
    bits.number(0b100, 3)
        .number(29, 5)
        .number(0, 5)
        .number(14, 4);
    // In the order of section 3.2.7: "18" (a run of zeros) has 1 bit, "2" and "1" have 2.
    for symbol in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1] {
        bits.number(
            match symbol {
                18 => 1,
                1 | 2 => 2,
                _ => 0,
            },
            3,
        );
    }
    let zeros = |bits: &mut Bits, run: u32| {
        bits.code("0").number(run - 11, 7);
    };
    // `a`: 2 bits; end of block: 2; length 258: 1; distance 1: 1.
    zeros(&mut bits, 97);
    bits.code("11");
    zeros(&mut bits, 138);
    zeros(&mut bits, 20);
    bits.code("11");
    zeros(&mut bits, 28);
    bits.code("10").code("10");
    bits.code("10");
    for _ in 0..REPEATS {
        bits.code("00");
    }
    // The end of the block, and an empty one whose last four bytes are left out (RFC 7692 section
    // 7.2.1).
    bits.code("11").number(0, 3);
    bits.bytes
}

/// Writes bits from the lowest of each byte on (RFC 1951 section 3.1.1).
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0 or 8 if all are.
    used: u32,
}

impl Bits {
    fn bit(&mut self, bit: u8) {
        if self.used.is_multiple_of(8) {
            self.bytes.push(0);
            self.used = 0;
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= bit << self.used;
        }
        self.used += 1;
    }

    /// A number, its lowest bit first.
    fn number(&mut self, number: u32, width: u32) -> &mut Self {
        for position in 0..width {
            self.bit(((number >> position) & 1) as u8);
        }
        self
    }

    /// A code, its first bit first.
    fn code(&mut self, code: &str) -> &mut Self {
        for bit in code.bytes() {
            self.bit(bit - b'0');
        }
        self
    }
}

/// Sends bombs, one a connection, on one thread.
#[derive(Debug)]
pub(super) struct Bomb {
    place: Place,
    shells: Vec<Bytes>,
}

impl Bomb {
    pub(super) fn new(place: Place, shells: &[Shell]) -> Self {
        Self {
            place,
            shells: shells.iter().map(|shell| shell.bytes.clone()).collect(),
        }
    }
}

impl Script for Bomb {
    type Order = ();
    type Outcome = ();

    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened) {
        // As the targets are dealt out.
        let shell = &self.shells[opened.number as usize % self.shells.len()];
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send_encoded(opened.conn, shell.clone(), Delivery::default());
    }

    fn on_message(&mut self, _: &mut Ctx<'_>, _: ConnId, payload: &[u8]) {
        note_status(&self.place.tally, payload);
    }

    fn on_end(&mut self, _: &mut Dialer, _: ConnId, _: End) {}

    fn on_order(&mut self, _: &mut Ctx<'_>, _: &mut Dialer, (): ()) {}

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_masked_and_as_short_as_can_be() {
        assert_eq!(header(FIN | TEXT, 1), [0x81, 0x81, 0, 0, 0, 0]);
        assert_eq!(header(FIN | TEXT, 60 << 10)[..4], [0x81, 0xfe, 0xf0, 0]);
        let oversize = header(FIN | TEXT, OVERSIZE);
        assert_eq!(oversize[..10], [0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0]);
    }
}
