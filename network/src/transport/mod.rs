//! What lies between a socket and the codec of those connections that need something there: the
//! header of a proxy, and TLS.
//!
//! ```text
//!   socket ──▶ header of a proxy ──▶ TLS ──▶ codec        read: whom it names, what it opens
//!   socket ◀───────────────────────── TLS ◀── outbox       flush: sealed as it is written
//! ```
//!
//! It stands in a table beside the connections, which therefore do not grow by it: a reactor none
//! of whose listeners has it owns an empty vector.

pub(crate) mod proxy;
mod read;
mod write;

use std::fmt;
use std::net::SocketAddr;

pub(crate) use read::read;

use crate::reactor::Offer;
use crate::tls::Tls;
use crate::tls::session::{PARTIAL_BYTES_MAX, Session};
use crate::tls::stream::Seals;

/// Ciphertext that one read may bring, beside what is left of the one before.
const READ_BYTES: usize = 64 * 1024;
/// Bytes of an idle session, measured as the growth of a server by 4,000 idle connections with TLS
/// 1.3 and AES-256: `gatehouse-bench connect --target wss://… --connections 4000 --pid …` said
/// 3,758 a connection, where one without TLS takes 133. rustls' own state has 1,088 of them; keys
/// and secrets of both directions, with the tables that ring makes of them, are on top.
const SESSION_BYTES: usize = 3600;
/// Slots that an empty table keeps.
const EMPTY_CAPACITY_MAX: usize = 1024;

/// The transports of one reactor's connections, by slot, and the buffers that they share.
#[derive(Debug)]
pub(crate) struct Transports {
    slots: Vec<Option<Box<Transport>>>,
    len: usize,
    /// How many of them have a session.
    sessions: usize,
    buffers: Buffers,
    /// Handshake steps that may still be made in this turn.
    steps_left: usize,
    steps_per_turn: usize,
}

/// What is between one socket and its codec.
#[derive(Debug, Default)]
pub(crate) struct Transport {
    /// Who wants in, as long as the handler has not been told that the connection is there.
    offer: Option<Box<Offer>>,
    /// The header of a proxy is still to come.
    awaits_header: bool,
    /// The address that counts, once a proxy has named it.
    peer: Option<SocketAddr>,
    /// Made when the first bytes come: who only connects costs nothing.
    session: Option<Session>,
    /// When the TLS handshake began, in milliseconds on the reactor's clock.
    begun_ms: u64,
}

/// Buffers that are made for the first connection that needs them.
#[derive(Default)]
struct Buffers {
    /// ```text
    ///   [ rest of the last read | read now           ]
    ///     0 to PARTIAL_BYTES_MAX  at least READ_BYTES
    /// ```
    sealed: Box<[u8]>,
    seals: Seals,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

impl Buffers {
    fn prepare(&mut self) {
        if self.sealed.is_empty() {
            self.sealed = vec![0; PARTIAL_BYTES_MAX + READ_BYTES].into_boxed_slice();
        }
    }
}

impl Transports {
    pub(crate) fn new(steps_per_turn: usize) -> Self {
        Self {
            slots: Vec::new(),
            len: 0,
            sessions: 0,
            buffers: Buffers::default(),
            steps_left: steps_per_turn,
            steps_per_turn,
        }
    }

    /// A new turn has a new budget.
    #[inline]
    pub(crate) const fn begin_turn(&mut self) {
        self.steps_left = self.steps_per_turn;
    }

    /// Bytes that sessions take.
    #[inline]
    pub(crate) const fn bytes(&self) -> usize {
        self.sessions * SESSION_BYTES
    }

    /// The transport of a connection that a listener has accepted.
    pub(crate) fn insert(&mut self, slot: u32, offer: Offer, awaits_header: bool) {
        self.put(
            slot,
            Transport {
                offer: Some(Box::new(offer)),
                awaits_header,
                ..Transport::default()
            },
        );
    }

    fn put(&mut self, slot: u32, transport: Transport) {
        let slot = slot as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(Box::new(transport));
        self.len += 1;
    }

    fn at(&mut self, slot: u32) -> Option<&mut Transport> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    fn get(&self, slot: u32) -> Option<&Transport> {
        self.slots.get(slot as usize)?.as_deref()
    }

    /// Forgets the transport of a connection that has ended.
    #[inline]
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(place) = self.slots.get_mut(slot as usize) else {
            return;
        };
        if let Some(transport) = place.take() {
            self.len -= 1;
            self.sessions -= usize::from(transport.session.is_some());
            if self.len == 0 && self.slots.capacity() > EMPTY_CAPACITY_MAX {
                // After a burst the memory goes back.
                self.slots = Vec::new();
            }
        }
    }

    /// Begins the handshake of a connection that was made; what it says first is pending.
    pub(crate) fn begin(&mut self, slot: u32, tls: &Tls, now_ms: u64) -> Result<(), rustls::Error> {
        let mut session = Session::new(tls)?;
        session.open(&mut [], &mut [], &mut self.buffers.seals.scratch)?;
        self.sessions += 1;
        self.put(
            slot,
            Transport {
                session: Some(session),
                begun_ms: now_ms,
                ..Transport::default()
            },
        );
        Ok(())
    }

    /// The session of a connection, and what it is sealed with.
    fn sealing(&mut self, slot: u32) -> Option<(&mut Session, &mut Buffers)> {
        let transport = self.slots.get_mut(slot as usize)?.as_deref_mut()?;
        Some((transport.session.as_mut()?, &mut self.buffers))
    }

    /// Who wanted in, if the handler was never told that the connection is there.
    #[inline]
    pub(crate) fn take_offer(&mut self, slot: u32) -> Option<Offer> {
        self.at(slot)?.offer.take().map(|offer| *offer)
    }

    /// The address that a proxy has named.
    pub(crate) fn peer(&self, slot: u32) -> Option<SocketAddr> {
        self.get(slot)?.peer
    }

    /// The verified certificate of the peer, DER.
    pub(crate) fn peer_certificate(&self, slot: u32) -> Option<&[u8]> {
        let session = self.get(slot)?.session.as_ref()?;
        session.peer_certificate().map(AsRef::as_ref)
    }

    /// Whether input has begun that makes nothing whole yet.
    pub(crate) fn is_mid_unit(&self, slot: u32) -> bool {
        self.get(slot)
            .and_then(|transport| transport.session.as_ref())
            .is_some_and(|session| session.is_handshaking() || !session.partial().is_empty())
    }
}
