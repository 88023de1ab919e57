//! The TLS session of one connection: records in, plaintext and records out, without a socket.
//!
//! ```text
//!   ciphertext ──▶ open ──▶ plaintext, one record behind the other
//!        rest of a record ─▶ partial        handshake, tickets, alerts ─▶ pending
//!   plaintext  ──▶ seal ──▶ records in the reactor's scratch
//!        what the kernel does not take ─▶ pending
//! ```
//!
//! rustls keeps the keys and no buffers (its unbuffered interface); `partial` and `pending` are
//! freed when they are empty. So an idle session owns its keys, and nothing else that grows.

use std::fmt;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};

use super::{Tls, TlsClient, TlsServer};

/// Ciphertext of a unit that is not complete, at most. A record has 16 KiB and a handshake message,
/// which may come in many records, 64 KiB.
pub(crate) const PARTIAL_BYTES_MAX: usize = 96 * 1024;

/// The session of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    side: Side,
    /// Ciphertext whose record or handshake message is not complete;
    /// `partial.len() <= PARTIAL_BYTES_MAX`.
    partial: Vec<u8>,
    /// Records to be written before any other.
    pending: Vec<u8>,
    /// Nothing more can be sealed: our close_notify or a fatal alert was the last.
    ended: bool,
}

/// The two roles, whose types rustls tells apart.
enum Side {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Client(_) => "Client",
        })
    }
}

/// What input gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Bytes of plaintext.
    pub(crate) plain: usize,
    /// The peer has said that it sends no more (close_notify, RFC 8446 section 6.1).
    pub(crate) ended: bool,
    /// A step of the handshake was made, which may have cost public-key work.
    pub(crate) stepped: bool,
}

impl Session {
    pub(crate) fn new(tls: &Tls) -> Result<Self, Error> {
        match tls {
            Tls::Server(server) => Self::server(server),
            Tls::Client(client) => Self::client(client),
        }
    }

    fn server(server: &TlsServer) -> Result<Self, Error> {
        let conn = UnbufferedServerConnection::new(server.config())?;
        Ok(Self::of(Side::Server(Box::new(conn))))
    }

    fn client(client: &TlsClient) -> Result<Self, Error> {
        let conn = UnbufferedClientConnection::new(client.config(), client.server_name())?;
        Ok(Self::of(Side::Client(Box::new(conn))))
    }

    const fn of(side: Side) -> Self {
        Self {
            side,
            partial: Vec::new(),
            pending: Vec::new(),
            ended: false,
        }
    }

    fn common(&self) -> &CommonState {
        match &self.side {
            Side::Server(conn) => conn,
            Side::Client(conn) => conn,
        }
    }

    /// Whether the handshake is still to be finished.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.common().is_handshaking()
    }

    /// Whether plaintext may be sealed.
    pub(crate) fn may_seal(&self) -> bool {
        !self.ended && !self.is_handshaking()
    }

    /// Certificate of the peer, DER, once it is verified.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.common().peer_certificates()?.first()
    }

    /// Input of which a part came already.
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Whether records wait to be written.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Records that wait to be written, before any other.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// Sets what waits to be written.
    pub(crate) fn keep_pending(&mut self, rest: &[u8]) {
        self.pending = rest.to_vec();
    }

    /// Takes in `input`: what [`Session::partial`] gave, followed by what has come since. The
    /// plaintext goes to the front of `plain`, which must have room for as much as `input` has.
    ///
    /// # Errors
    /// What is wrong with the peer or its records. The alert that says so is pending, and nothing
    /// more may be taken in.
    pub(crate) fn open(
        &mut self,
        input: &mut [u8],
        plain: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<Opened, Error> {
        let handshaking = self.is_handshaking();
        let mut opened = Opened::default();
        let mut at = 0;
        scratch.clear();
        let outcome = loop {
            let sink = Sink {
                plain,
                opened: &mut opened,
                scratch,
                wish: Wish::Nothing,
            };
            match self.advance(&mut input[at..], sink) {
                (discard, Ok(Next::Again)) => at += discard,
                (discard, Ok(Next::Wait)) => {
                    at += discard;
                    break Ok(());
                }
                (_, Ok(Next::Ended)) => {
                    // What is behind the end is not ours to read.
                    opened.ended = true;
                    at = input.len();
                    break Ok(());
                }
                (_, Err(error)) => break Err(error),
            }
        };
        opened.stepped = handshaking && at > 0;
        let rest = &input[at..];
        let outcome = outcome.and_then(|()| {
            if rest.len() > PARTIAL_BYTES_MAX {
                return Err(Error::General("a handshake message is too long".to_owned()));
            }
            if rest.len() != self.partial.len() || at > 0 {
                self.partial = rest.to_vec();
            }
            Ok(opened)
        });
        if outcome.is_err() {
            self.ended = true;
            self.partial = Vec::new();
            self.encode_alert(scratch);
        }
        self.pending.extend_from_slice(scratch.filled());
        outcome
    }

    /// Seals `plain` behind what the scratch holds.
    pub(crate) fn seal(&mut self, plain: &[u8], scratch: &mut Scratch) -> Result<(), Error> {
        self.ask(Wish::Seal(plain), scratch)
    }

    /// Puts our end of the stream behind what is pending; once.
    pub(crate) fn end(&mut self, scratch: &mut Scratch) -> Result<(), Error> {
        if !self.may_seal() {
            return Ok(());
        }
        scratch.clear();
        self.ask(Wish::End, scratch)?;
        self.ended = true;
        self.pending.extend_from_slice(scratch.filled());
        Ok(())
    }

    fn ask(&mut self, wish: Wish<'_>, scratch: &mut Scratch) -> Result<(), Error> {
        // The unfinished input goes along, since rustls remembers places in it.
        let mut input = std::mem::take(&mut self.partial);
        let mut opened = Opened::default();
        let mut at = 0;
        let outcome = loop {
            let sink = Sink {
                plain: &mut [],
                opened: &mut opened,
                scratch,
                wish,
            };
            match self.advance(&mut input[at..], sink) {
                (discard, Ok(Next::Again | Next::Ended)) => at += discard,
                (discard, Ok(Next::Wait)) => {
                    at += discard;
                    break Ok(());
                }
                (_, Err(error)) => break Err(error),
            }
        };
        input.drain(..at);
        self.partial = input;
        outcome
    }

    /// The alert that says what was wrong.
    fn encode_alert(&mut self, scratch: &mut Scratch) {
        while self.common().wants_write() {
            let mut opened = Opened::default();
            let sink = Sink {
                plain: &mut [],
                opened: &mut opened,
                scratch,
                wish: Wish::Nothing,
            };
            if self.advance(&mut [], sink).1.is_err() {
                return;
            }
        }
    }

    /// One step of rustls: how many bytes it is done with, and what comes next.
    fn advance(&mut self, input: &mut [u8], mut sink: Sink<'_>) -> (usize, Result<Next, Error>) {
        match &mut self.side {
            Side::Server(conn) => {
                let UnbufferedStatus { discard, state, .. } = conn.process_tls_records(input);
                (discard, state.and_then(|state| step(state, &mut sink)))
            }
            Side::Client(conn) => {
                let UnbufferedStatus { discard, state, .. } = conn.process_tls_records(input);
                (discard, state.and_then(|state| step(state, &mut sink)))
            }
        }
    }
}

/// Where a step puts what it gives, and what is wished of it.
struct Sink<'a> {
    plain: &'a mut [u8],
    opened: &'a mut Opened,
    scratch: &'a mut Scratch,
    wish: Wish<'a>,
}

/// What is to be written once the session is ready for it.
#[derive(Clone, Copy)]
enum Wish<'a> {
    Nothing,
    Seal(&'a [u8]),
    End,
}

enum Next {
    /// There is more to do.
    Again,
    /// The wish is done, and more input is needed for anything else.
    Wait,
    /// The peer has ended.
    Ended,
}

fn step<Data>(state: ConnectionState<'_, '_, Data>, sink: &mut Sink<'_>) -> Result<Next, Error> {
    match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let payload = record?.payload;
                let end = sink.opened.plain + payload.len();
                sink.plain[sink.opened.plain..end].copy_from_slice(payload);
                sink.opened.plain = end;
            }
            Ok(Next::Again)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            sink.scratch.append(|room| match data.encode(room) {
                Ok(n) => Ok(n),
                Err(EncodeError::InsufficientSize(size)) => Err(Some(size.required_size)),
                Err(EncodeError::AlreadyEncoded) => Err(None),
            })?;
            Ok(Next::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            // It is in the scratch, and will be written before anything else.
            data.done();
            Ok(Next::Again)
        }
        ConnectionState::WriteTraffic(mut traffic) => {
            let insufficient = |error| match error {
                EncryptError::InsufficientSize(size) => Some(size.required_size),
                EncryptError::EncryptExhausted => None,
            };
            match sink.wish {
                Wish::Nothing => {}
                Wish::Seal(plain) => sink
                    .scratch
                    .append(|room| traffic.encrypt(plain, room).map_err(insufficient))?,
                Wish::End => sink
                    .scratch
                    .append(|room| traffic.queue_close_notify(room).map_err(insufficient))?,
            }
            Ok(Next::Wait)
        }
        ConnectionState::PeerClosed => Ok(Next::Ended),
        ConnectionState::BlockedHandshake | ConnectionState::Closed => Ok(Next::Wait),
        // Early data is not offered to clients, as it could be replayed (RFC 8446 section 8).
        _ => Err(Error::General(
            "early data, which was not offered".to_owned(),
        )),
    }
}

/// Room for records that are about to be written; one per reactor, grown once.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    /// `filled <= bytes.len()`
    filled: usize,
}

impl Scratch {
    pub(crate) const fn clear(&mut self) {
        self.filled = 0;
    }

    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Appends `bytes`.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        self.reserve(end);
        self.bytes[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// Appends what `write` writes, which may ask for so much room once.
    fn append(
        &mut self,
        mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
    ) -> Result<(), Error> {
        let mut written = write(&mut self.bytes[self.filled..]);
        if let Err(Some(needed)) = written {
            self.reserve(self.filled + needed);
            written = write(&mut self.bytes[self.filled..]);
        }
        self.filled += written.map_err(|_| Error::EncryptError)?;
        Ok(())
    }

    fn reserve(&mut self, end: usize) {
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
    }
}
