//! What a reactor is told before it starts.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use common::limits;

use crate::codec::{Framing, StackConfig};
use crate::memory::MemoryBudget;
use crate::sys::ListenOptions;
use crate::tls::Tls;

use super::delivery::Overflow;

/// Budgets and capacities of one reactor. `Default` suits a server.
#[derive(Clone, Debug)]
pub struct ReactorConfig {
    /// Events that one wait may return. More means fewer waits under load and longer turns.
    pub events_per_turn: usize,
    /// Connections accepted per listener and turn, so that a connect storm leaves room for those
    /// who are connected.
    pub accepts_per_turn: usize,
    /// Bytes read from one connection per turn, so that a busy one cannot starve the others.
    pub read_bytes_per_turn: usize,
    /// Steps of TLS handshakes made per turn, each of which may cost a millisecond of public-key
    /// work, so that a connect storm leaves time for those who are connected; at least 1.
    pub tls_handshakes_per_turn: usize,
    /// Batches of commands taken per turn.
    pub command_batches_per_turn: usize,
    /// Timer entries looked at per turn.
    pub deadlines_per_turn: usize,
    /// Batches of commands that may wait; a sender beyond that waits for the reactor.
    pub command_batches_max: usize,
    /// Give the reactor's thread a descriptor table of its own (Linux): accept and close no longer
    /// contend on one lock, and the limit of descriptors applies to each reactor.
    pub private_fd_tables: bool,
    /// The memory that all reactors of the node may take together.
    pub memory: Arc<MemoryBudget>,
    /// Seed of the masks and nonces of the client role (RFC 6455 section 5.3 asks for strong
    /// entropy); `None` takes it from the host.
    pub seed: Option<[u8; 32]>,
}

impl Default for ReactorConfig {
    fn default() -> Self {
        Self {
            events_per_turn: 1024,
            accepts_per_turn: 256,
            read_bytes_per_turn: limits::READ_BUF_BYTES,
            tls_handshakes_per_turn: 16,
            command_batches_per_turn: 256,
            deadlines_per_turn: 4096,
            command_batches_max: limits::COMMAND_BATCHES_MAX,
            private_fd_tables: cfg!(target_os = "linux"),
            memory: Arc::new(MemoryBudget::unlimited()),
            seed: None,
        }
    }
}

/// What the connections of one listener, or the outgoing ones of one kind, have in common.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What they speak.
    pub framing: Framing,
    /// Limits and options of the codecs.
    pub stack: StackConfig,
    /// How they are secured; `None` for not at all.
    pub tls: Option<Tls>,
    /// Whether accepted ones begin with the header by which a proxy says for whom it speaks (PROXY
    /// protocol, version 1 or 2), before TLS. The handler decides in [`super::Handler::on_accept`]
    /// whose word is taken.
    pub proxy_protocol: bool,
    /// Seconds from the accept to the first complete frame or request, the header of a proxy and
    /// the TLS handshake included; and for the TCP handshake of an outgoing connection.
    pub handshake_seconds: u32,
    /// Seconds from the first byte of a frame to its last.
    pub frame_seconds: u32,
    /// Seconds without a sign of life until the handler is asked; 0 for never.
    pub idle_seconds: u32,
    /// Seconds that a close may take until the socket is reset.
    pub close_seconds: u32,
    /// Bytes that may wait to be written to one connection.
    pub outbox_bytes_max: usize,
    /// What happens beyond that.
    pub overflow: Overflow,
    /// Written before the close when a peer breaks a TCP framing, which has no close frame to say
    /// so.
    pub farewell: Option<Bytes>,
}

impl Profile {
    /// The defaults for `framing`.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self {
            stack: StackConfig::for_framing(&framing),
            framing,
            tls: None,
            proxy_protocol: false,
            handshake_seconds: limits::HANDSHAKE_SECONDS,
            frame_seconds: limits::FRAME_SECONDS,
            idle_seconds: limits::IDLE_SECONDS,
            close_seconds: limits::CLOSE_SECONDS,
            outbox_bytes_max: limits::OUTBOX_BYTES_MAX,
            overflow: Overflow::Close,
            farewell: None,
        }
    }

    /// Whether something has to happen on an accepted connection before it is there.
    pub(crate) const fn greets(&self) -> bool {
        self.proxy_protocol || self.tls.is_some()
    }
}

/// Where a reactor listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address with its real port, as [`crate::sys::Reservation`] gives it.
    pub addr: SocketAddr,
    /// Index into the reactor's profiles.
    pub profile: u16,
    /// Options of the socket.
    pub options: ListenOptions,
}
