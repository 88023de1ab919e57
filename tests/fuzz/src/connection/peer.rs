//! The far end of a connection: says what it is told to, reads as much as it is told to, and looks
//! at what came.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use common::ConnId;
use network::codec::tcp::{LengthCodec, LineCodec, LineConfig, TcpFraming, encode_prefix};
use network::codec::ws::handshake;
use network::codec::ws::{self, Inflater, Opcode, Role, WsCodec, WsConfig};
use network::codec::{Codec, Decoded, Frame, Framing, MessageKind, http};
use nix::sys::socket::{setsockopt, sockopt};

use super::actor::Log;
use super::setting::Setting;
use super::{Rest, is_orderly, kind, number, payload};

/// Bytes that a peer has not got rid of, beyond which it says nothing new.
const UNSENT_MAX: usize = 200_000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[derive(Debug)]
pub(super) struct Peer {
    id: ConnId,
    /// `None` once it has hung up.
    stream: Option<UnixStream>,
    framing: Framing,
    deflate: bool,
    unsent: Vec<u8>,
    received: Vec<u8>,
    /// The other side has ended in order.
    saw_end: bool,
    /// Our side was ended, in whatever way.
    ended: bool,
    /// The kernel has been told so.
    shut: bool,
    /// All that was said is in the framing, whole, and in its place.
    clean: bool,
    /// Messages may be said.
    open: bool,
    said: Vec<Vec<u8>>,
    compared: usize,
    next: u32,
}

impl Peer {
    /// The reactor's end of a new connection, and the peer's.
    pub(super) fn pair(setting: &Setting) -> (TcpStream, Self) {
        let (ours, theirs) = UnixStream::pair().expect("descriptors");
        theirs.set_nonblocking(true).expect("a socket of ours");
        for (stream, bytes) in [
            (&ours, setting.send_buffer_bytes),
            (&theirs, setting.receive_buffer_bytes),
        ] {
            if bytes > 0 {
                setsockopt(stream, sockopt::SndBuf, &bytes).expect("a size that may be set");
            }
        }
        let mut peer = Self {
            id: ConnId::new(0, 0, 0),
            stream: Some(theirs),
            framing: setting.framing.clone(),
            deflate: setting.deflate,
            unsent: Vec::new(),
            received: Vec::new(),
            saw_end: false,
            ended: false,
            shut: false,
            clean: true,
            open: matches!(setting.framing, Framing::Tcp(_)),
            said: Vec::new(),
            compared: 0,
            next: 0,
        };
        if setting.proxied {
            peer.unsent
                .extend_from_slice(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n");
        }
        (TcpStream::from(OwnedFd::from(ours)), peer)
    }

    pub(super) fn named(mut self, id: ConnId) -> Self {
        self.id = id;
        self
    }

    pub(super) const fn id(&self) -> ConnId {
        self.id
    }

    pub(super) const fn is_there(&self) -> bool {
        self.stream.is_some() && !self.saw_end
    }

    pub(super) fn received(&self) -> usize {
        self.received.len() + usize::from(self.saw_end)
    }

    /// Hands on to the kernel what it takes.
    pub(super) fn push(&mut self) {
        while let Some(stream) = &mut self.stream
            && !self.unsent.is_empty()
        {
            match stream.write(&self.unsent) {
                Ok(taken) => drop(self.unsent.drain(..taken)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Nobody is there to take it.
                Err(_) => self.unsent.clear(),
            }
        }
        if self.ended
            && !std::mem::replace(&mut self.shut, true)
            && let Some(stream) = &self.stream
        {
            // The other side may have ended it.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        if self.ended || self.unsent.len() > UNSENT_MAX {
            self.clean = false;
            return;
        }
        self.unsent.extend_from_slice(bytes);
    }

    pub(super) fn say_raw(&mut self, bytes: &[u8]) {
        self.clean = false;
        self.say(bytes);
    }

    fn mask(&self) -> Option<[u8; 4]> {
        (self.framing == Framing::Http).then_some(MASK)
    }

    pub(super) fn say_message(&mut self, bits: usize, bytes: usize) {
        let message = payload(self.next, bytes);
        self.next += 1;
        let mut out = Vec::new();
        match &self.framing {
            Framing::Tcp(TcpFraming::Length(config)) => {
                out.extend_from_slice(&encode_prefix(config, message.len()).expect("it fits"));
                out.extend_from_slice(&message);
            }
            Framing::Tcp(TcpFraming::Line(_)) => {
                out.extend_from_slice(&message);
                out.push(b'\n');
            }
            _ => ws::encode(opcode(kind(bits)), &message, self.mask(), &mut out),
        }
        self.note_said(message);
        self.say(&out);
    }

    /// A message of several fragments, with a ping among them.
    pub(super) fn say_fragments(&mut self, bits: usize, count: usize) {
        if matches!(self.framing, Framing::Tcp(_)) {
            return;
        }
        let count = 1 + count % 8;
        let message = payload(self.next, 8 + count * 40);
        self.next += 1;
        let mut out = Vec::new();
        let pieces: Vec<_> = message.chunks(message.len().div_ceil(count)).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let opcode = if at == 0 {
                opcode(kind(bits))
            } else {
                Opcode::Continuation
            };
            let fin = at + 1 == pieces.len();
            ws::encode_fragment(opcode, fin, piece, self.mask(), &mut out);
            if at == 1 {
                ws::encode(Opcode::Ping, b"among", self.mask(), &mut out);
            }
        }
        self.note_said(message);
        self.say(&out);
    }

    fn note_said(&mut self, message: Vec<u8>) {
        self.clean &= self.open;
        self.said.push(message);
    }

    pub(super) fn say_control(&mut self, bits: usize) {
        if matches!(self.framing, Framing::Tcp(_)) {
            return;
        }
        self.clean &= self.open;
        let opcode = if bits & 1 == 0 {
            Opcode::Ping
        } else {
            Opcode::Pong
        };
        let mut out = Vec::new();
        ws::encode(opcode, &vec![b'p'; bits >> 1 & 63], self.mask(), &mut out);
        self.say(&out);
    }

    pub(super) fn say_close(&mut self, bits: usize) {
        if matches!(self.framing, Framing::Tcp(_)) || !self.open {
            return;
        }
        let mut out = Vec::new();
        let code = [1000, 1001, 1005, 4000][bits & 3];
        ws::encode_close(code, "done", self.mask(), &mut out);
        self.say(&out);
        // Behind a close nothing may come.
        self.clean = false;
    }

    /// Asks for an upgrade, or answers the reactor that has asked.
    pub(super) fn upgrade(&mut self, bits: usize) {
        match self.framing {
            Framing::Http => {
                let offer = if self.deflate && bits & 1 == 1 {
                    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                     client_no_context_takeover\r\n"
                } else {
                    ""
                };
                let request = format!(
                    "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{offer}\r\n"
                );
                self.clean &= !self.open;
                self.open = true;
                self.say(request.as_bytes());
            }
            Framing::WebSocketClient { .. } => {
                let mut head = self.received.clone();
                let decoded =
                    http::HttpCodec::new().decode(&http::HttpConfig::default(), &mut head);
                if let Ok(Decoded::Frame {
                    frame: Frame::Request(request),
                    ..
                }) = decoded
                {
                    let accept = handshake::accept(&request).expect("our own request");
                    let mut out = Vec::new();
                    let deflate = accept.deflate().filter(|_| bits & 1 == 1);
                    accept.write_response(None, deflate, &mut out);
                    self.clean &= !self.open;
                    self.open = true;
                    self.say(&out);
                }
            }
            Framing::Tcp(_) => {}
        }
    }

    pub(super) fn request(&mut self, bits: usize) {
        if self.framing != Framing::Http {
            return;
        }
        self.clean &= !self.open;
        let close = if bits & 8 == 0 {
            ""
        } else {
            "Connection: close\r\n"
        };
        let body = vec![b'b'; (bits >> 4) * 50];
        let length = body.len();
        let (head, body) = match bits & 7 {
            0 | 1 => (format!("GET /a HTTP/1.1\r\nHost: a\r\n{close}\r\n"), vec![]),
            2 => (
                format!("HEAD /a HTTP/1.1\r\nHost: a\r\n{close}\r\n"),
                vec![],
            ),
            3 => ("GET / HTTP/1.0\r\n\r\n".to_owned(), vec![]),
            4 => {
                let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
                let mut chunked = format!("{length:x}\r\n").into_bytes();
                chunked.extend_from_slice(&body);
                if length > 0 {
                    chunked.extend_from_slice(b"\r\n0\r\n");
                }
                chunked.extend_from_slice(b"\r\n");
                (head.to_owned(), chunked)
            }
            5 => {
                let expect = "Expect: 100-continue\r\n";
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: a\r\n{expect}Content-Length: {length}\r\n\r\n"
                );
                (head, body)
            }
            _ => {
                let head = format!(
                    "POST / HTTP/1.1\r\nHost: a\r\n{close}Content-Length: {length}\r\n\r\n"
                );
                (head, body)
            }
        };
        self.say(head.as_bytes());
        self.push();
        self.say(&body);
    }

    pub(super) fn read(&mut self, bytes_max: usize) {
        let mut buffer = [0; 4096];
        let mut left = bytes_max;
        while left > 0 && !self.saw_end {
            let Some(stream) = &mut self.stream else {
                return;
            };
            let room = left.min(buffer.len());
            match stream.read(&mut buffer[..room]) {
                Ok(0) => self.saw_end = true,
                Ok(read) => {
                    self.received.extend_from_slice(&buffer[..read]);
                    left -= read;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    // A reset is the end, and not one in order.
                    self.hang_up();
                }
            }
        }
    }

    pub(super) fn end_output(&mut self) {
        self.ended = true;
        self.push();
    }

    pub(super) fn hang_up(&mut self) {
        self.ended = true;
        self.stream = None;
    }

    /// What the handler has heard is what this peer has said.
    pub(super) fn compare(&mut self, heard: &[Vec<u8>]) {
        if !self.clean {
            return;
        }
        assert!(heard.len() <= self.said.len(), "heard what was never said");
        let news = heard.iter().zip(&self.said).skip(self.compared);
        for (heard, said) in news {
            assert_eq!(heard, said);
        }
        self.compared = heard.len();
    }

    /// Looks at all that came, when all was read.
    pub(super) fn has_all(&self, log: &Log, rest: Rest) {
        let seen = self.look();
        let Seen { numbers, .. } = &seen;
        assert!(numbers.is_sorted_by(|a, b| a < b), "order: {numbers:?}");
        let mut missing = 0;
        let mut at = 0;
        let whole = match rest {
            Rest::Open => {
                self.stream.is_some() && !self.saw_end && !log.aborted && log.closed.is_none()
            }
            Rest::Ended { cut_short } => {
                let orderly = !log.aborted && log.closed.is_some_and(is_orderly);
                self.saw_end && !self.ended && orderly && !cut_short
            }
        };
        for sent in &log.sent {
            if numbers.get(at) == Some(&sent.number) {
                at += 1;
                continue;
            }
            if sent.may_be_dropped {
                missing += 1;
            } else {
                let lost = at < numbers.len() || whole;
                assert!(!lost, "{} lost: {log:?} {seen:?}", sent.number);
            }
        }
        assert_eq!(at, numbers.len(), "never sent: {numbers:?} {log:?}");
        if whole && rest == Rest::Open {
            assert_eq!(seen.rest, 0, "a part of a frame: {log:?}");
            assert_eq!(missing, log.told.oldest + log.told.superseded, "{log:?}");
            let keys: HashSet<_> = log.keys.iter().collect();
            let superseded = log.keys.len() - keys.len();
            assert!(log.told.superseded as usize <= superseded, "{log:?}");
            // Pings and pongs that found no room count as well.
            assert!(log.refused <= log.told.newest, "{log:?}");
        }
        if whole && rest != Rest::Open {
            assert_eq!(seen.rest, 0, "a part of a frame: {log:?}");
        }
    }

    /// Decodes what came.
    fn look(&self) -> Seen {
        let mut seen = Seen::default();
        match &self.framing {
            Framing::Tcp(TcpFraming::Length(config)) => {
                let mut codec = LengthCodec;
                seen.take(self.received.clone(), |input| codec.decode(config, input));
            }
            Framing::Tcp(TcpFraming::Line(_)) => {
                let (mut codec, config) = (LineCodec::default(), LineConfig::default());
                seen.take(self.received.clone(), |input| codec.decode(&config, input));
            }
            Framing::Http => {
                if let Some(at) = find(&self.received, b"HTTP/1.1 101 ") {
                    self.look_at_frames(&self.received[at..], Role::Client, &mut seen);
                }
            }
            Framing::WebSocketClient { .. } => {
                self.look_at_frames(&self.received, Role::Server, &mut seen);
            }
        }
        seen
    }

    /// Decodes frames behind a head.
    fn look_at_frames(&self, received: &[u8], role: Role, seen: &mut Seen) {
        let Some(end) = find(received, b"\r\n\r\n") else {
            seen.rest = received.len();
            return;
        };
        let config = WsConfig::default();
        let mut codec = if self.deflate {
            WsCodec::with_deflate(role, 15)
        } else {
            WsCodec::new(role)
        };
        let mut inflater = Inflater::default();
        let mut input = received[end + 4..].to_vec();
        let mut at = 0;
        while at < input.len() {
            assert!(!seen.closed, "bytes behind a close frame");
            // A decoder of the other role: what we write must be right in every respect.
            match codec.decode_with(&config, &mut inflater, &mut input[at..]) {
                Ok(Decoded::Partial) => break,
                Ok(Decoded::Skip(taken)) => {
                    at += taken;
                    seen.rest += taken;
                }
                Ok(Decoded::Frame { consumed, frame }) => {
                    at += consumed;
                    seen.rest = 0;
                    seen.note(frame);
                }
                Err(error) => panic!("we broke the framing: {error}"),
            }
        }
        seen.rest += input.len() - at;
    }
}

/// What a peer has read.
#[derive(Debug, Default)]
struct Seen {
    numbers: Vec<u32>,
    closed: bool,
    /// Bytes of a frame that is not whole.
    rest: usize,
}

impl Seen {
    fn note(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Text(payload) | Frame::Binary(payload) if &payload[..] != b"bye" => {
                let number = number(&payload).expect("a message of ours, as it was sent");
                self.numbers.push(number);
            }
            Frame::Close(_) => self.closed = true,
            _ => {}
        }
    }

    fn take<E: std::fmt::Debug>(
        &mut self,
        mut input: Vec<u8>,
        mut decode: impl for<'a> FnMut(&'a mut [u8]) -> Result<Decoded<'a>, E>,
    ) {
        let mut at = 0;
        loop {
            match decode(&mut input[at..]).expect("we keep to the framing") {
                Decoded::Partial => break,
                Decoded::Skip(taken) => at += taken,
                Decoded::Frame { consumed, frame } => {
                    at += consumed;
                    self.note(frame);
                }
            }
        }
        self.rest = input.len() - at;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

const fn opcode(kind: MessageKind) -> Opcode {
    match kind {
        MessageKind::Text => Opcode::Text,
        MessageKind::Binary => Opcode::Binary,
    }
}
