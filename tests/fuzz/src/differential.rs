//! The WebSocket codec against an implementation that is not ours, tungstenite: of the same bytes
//! both make the same messages and the same end.
//!
//! The first byte is the role, the next two are the sizes of our pieces and of theirs; the rest is
//! the stream.
//!
//! Where they differ it is a choice, and these are all:
//!
//! - **When a violation is found.** Ours is found as soon as it is certain: in a header, or at the
//!   first wrong byte of a text. Theirs is found when the frame is there as a whole. So theirs may
//!   still wait where ours has ended, and never the other way round.
//! - **Which of two violations is named.** A header that breaks a rule and is over the limit too is
//!   a protocol error (1002) to us, since there is no frame that could be too large; to them it is
//!   too large (1009), which they look at first.
//! - **Lengths that are not in their shortest form.** RFC 6455 section 5.2 says "the minimal number
//!   of bytes MUST be used". We refuse others, in control frames as too long; they take them.
//! - **Close code 1014.** IANA has registered it after the RFC. We take it; they take it for a
//!   violation.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use network::codec::ws::{Role, WsCodec, WsConfig};
use network::codec::{Codec, Decoded, Frame, ProtocolError};
use tungstenite::protocol::{Message, WebSocket, WebSocketConfig};
use tungstenite::{Error, protocol};

use crate::pieces::{Step, cut, feed};

/// Small, so that short inputs get to it.
const MESSAGE_BYTES_MAX: usize = 300;

/// What a peer has said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Unit {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How the stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With a close, or not yet.
    Orderly,
    /// With the close code that says what was wrong.
    Failed(u16),
}

/// See above.
pub fn check(input: &[u8]) {
    let &[role, ours, theirs, ref wire @ ..] = input else {
        return;
    };
    let (role, their_role) = if role & 1 == 0 {
        (Role::Server, protocol::Role::Server)
    } else {
        (Role::Client, protocol::Role::Client)
    };
    let (units, error) = our_outcome(role, &cut(wire, &[ours]));
    let (their_units, their_end) = their_outcome(their_role, cut(wire, &[theirs]));
    let end = error.map_or(End::Orderly, |error| {
        End::Failed(error.close_reason().ws_code().expect("a violation"))
    });

    // Of a control frame any longer form of the length says that it is too long.
    if let Some(ProtocolError::BadLength | ProtocolError::ControlTooLong) = error {
        assert!(their_units.starts_with(&units), "{units:?} {their_units:?}");
        return;
    }
    let refused_by_them = matches!(units.last(), Some(Unit::Close(Some((1014, _)))));
    let closed_for_it = Unit::Close(Some((1002, "Protocol violation".to_owned())));
    if let Some(ProtocolError::BadCloseCode(_)) = error {
        // They answer such a close with a violation of ours, and report that.
        let mut expected = units;
        expected.push(closed_for_it);
        assert!(expected == their_units || expected[..their_units.len()] == their_units[..]);
        return;
    }
    if refused_by_them {
        assert_eq!(
            units[..units.len() - 1],
            their_units[..their_units.len() - 1]
        );
        assert_eq!(their_units.last(), Some(&closed_for_it));
        return;
    }
    assert_eq!(units, their_units, "{end:?} {their_end:?}");
    match (end, their_end) {
        (ours, theirs) if ours == theirs => {}
        (End::Failed(_), End::Orderly) | (End::Failed(1002), End::Failed(1009)) => {}
        (ours, theirs) => panic!("{error:?}, {ours:?} and not {theirs:?}, behind {units:?}"),
    }
}

fn our_outcome(role: Role, pieces: &[&[u8]]) -> (Vec<Unit>, Option<ProtocolError>) {
    let config = WsConfig {
        message_bytes_max: MESSAGE_BYTES_MAX,
        ..WsConfig::default()
    };
    let mut codec = WsCodec::new(role);
    let (units, end) = feed(pieces.iter().copied(), |input| {
        Ok(match codec.decode(&config, input)? {
            Decoded::Partial => Step::Partial,
            Decoded::Skip(taken) => Step::Skip(taken),
            Decoded::Frame { consumed, frame } => {
                let unit = match frame {
                    Frame::Text(payload) => {
                        Unit::Text(String::from_utf8(payload.to_vec()).expect("UTF-8"))
                    }
                    Frame::Binary(payload) => Unit::Binary(payload.to_vec()),
                    Frame::Ping(payload) => Unit::Ping(payload.to_vec()),
                    Frame::Pong(payload) => Unit::Pong(payload.to_vec()),
                    Frame::Close(close) => {
                        let close = close.map(|close| (close.code, close.reason.to_owned()));
                        return Ok(Step::Last(consumed, Unit::Close(close)));
                    }
                    other => panic!("{other:?}"),
                };
                Step::Unit(consumed, unit)
            }
        })
    });
    (units, end.err())
}

fn their_outcome(role: protocol::Role, pieces: Vec<&[u8]>) -> (Vec<Unit>, End) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        // The default is cleared for each input, and takes longer than all the rest.
        .read_buffer_size(1024);
    let pieces = Pieces(pieces.into());
    let mut socket = WebSocket::from_raw_socket(pieces, role, Some(config));
    let mut units = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => units.push(Unit::Text(text.to_string())),
            Ok(Message::Binary(bytes)) => units.push(Unit::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => units.push(Unit::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => units.push(Unit::Pong(bytes.to_vec())),
            Ok(Message::Close(close)) => {
                let close = close.map(|close| (close.code.into(), close.reason.to_string()));
                units.push(Unit::Close(close));
                return (units, End::Orderly);
            }
            Ok(other) => panic!("{other:?}"),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (units, End::Orderly);
            }
            Err(Error::Protocol(_)) => return (units, End::Failed(1002)),
            Err(Error::Utf8(_)) => return (units, End::Failed(1007)),
            Err(Error::Capacity(_)) => return (units, End::Failed(1009)),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// A stream that gives a piece a read, or what of it there is room for, and takes whatever is
/// written.
struct Pieces<'a>(VecDeque<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.0.front_mut().ok_or(io::ErrorKind::WouldBlock)?;
        let taken = piece.len().min(into.len());
        let (now, later) = piece.split_at(taken);
        into[..taken].copy_from_slice(now);
        *piece = later;
        if later.is_empty() {
            self.0.pop_front();
        }
        Ok(taken)
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
