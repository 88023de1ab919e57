//! One connection: a stream, the codec of its framing, and what waits to be written.

pub(crate) mod outbox;
pub(crate) mod read;
pub(crate) mod runs;
pub(crate) mod state;
pub(crate) mod table;

use std::io::{self, IoSlice};

use common::{CloseReason, Tick};

use crate::buffer::Spill;
use crate::codec::Stack;
use crate::reactor::ReactorStats;
use crate::sys;
use crate::timer::Links;
use outbox::Outbox;
use state::State;

/// What an outbox is written to, and which never blocks: a socket, one that seals what it is given
/// ([`crate::tls::stream::Sealed`]), or a pipe in tests.
pub(crate) trait Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Stream for mio::net::TcpStream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sys::send(self, bytes)
    }

    #[inline]
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        sys::send_vectored(self, slices)
    }
}

/// A connection in its slot. Idle, it owns no heap: the outbox and the spill are null.
#[derive(Debug)]
pub(crate) struct Connection<S = mio::net::TcpStream> {
    pub(crate) stream: S,
    pub(crate) generation: u32,
    pub(crate) outbox: Outbox,
    /// Input that is not decoded yet: the front of a frame, or what came while the connection was
    /// paused.
    pub(crate) spill: Spill,
    pub(crate) stack: Stack,
    pub(crate) links: Links,
    /// When something complete was last heard.
    pub(crate) heard: Tick,
    /// When the present unit began: the connection itself while it opens, an unfinished frame, or
    /// the close. Zero if there is none.
    pub(crate) since: Tick,
    /// When the handler wants to be asked; zero for never.
    pub(crate) handler_deadline: Tick,
    pub(crate) state: State,
    pub(crate) flags: Flags,
    /// Which of the reactor's profiles applies.
    pub(crate) profile: u16,
}

/// Idle connections dominate memory: a million of these is 80 MB before the kernel's share.
/// Debug builds of mio carry a check of their own in every socket.
const _: () = assert!(size_of::<Connection>() <= if cfg!(debug_assertions) { 96 } else { 80 });

impl<S> Connection<S> {
    pub(crate) fn new(stream: S, generation: u32, stack: Stack, profile: u16, now: Tick) -> Self {
        Self {
            stream,
            generation,
            outbox: Outbox::default(),
            spill: Spill::default(),
            stack,
            links: Links::default(),
            heard: now,
            since: now,
            handler_deadline: Tick::default(),
            state: State::Opening,
            flags: Flags::default(),
            profile,
        }
    }

    /// Whether there is nothing out of the ordinary about it, as nearly always: frames go both
    /// ways, in the clear, nothing holds them back, and none is unfinished.
    #[inline]
    pub(crate) fn is_calm(&self) -> bool {
        self.state.is_open() && !self.flags.has(Flags::UNUSUAL)
    }

    /// Whether it has something to write from now on, and had not before. While the kernel is full,
    /// its event starts the next write.
    #[inline]
    pub(crate) fn mark_dirty(&mut self) -> bool {
        let marks = !self.flags.has(Flags::DIRTY | Flags::BLOCKED);
        if marks {
            self.flags.set(Flags::DIRTY);
        }
        marks
    }

    /// Whether a frame has begun that is not complete, or what came is not decoded.
    #[inline]
    pub(crate) fn is_mid_input(&self) -> bool {
        !self.spill.is_empty() || self.stack.mid_frame()
    }

    /// Whether input may be decoded and handed up now.
    pub(crate) fn is_blocked(&self) -> bool {
        self.flags
            .has(Flags::WITH_HANDLER | Flags::CHOKED | Flags::MUTE)
    }

    /// Whether a request is with the handler, all of it or what has come so far.
    pub(crate) fn awaits_answer(&self) -> bool {
        self.flags.has(Flags::ANSWERING) || self.stack.is_receiving()
    }

    /// Time in which nothing was read of a body that is on its way is not its sender's.
    pub(crate) fn forgive(&mut self, now: Tick) {
        if self.stack.is_receiving() {
            self.since = self.since.after(now.0.saturating_sub(self.heard.0));
        }
        self.heard = now;
    }

    /// Bytes of heap behind input that is not complete or not decoded.
    #[inline]
    pub(crate) fn input_bytes(&self) -> usize {
        self.spill.held_bytes() + self.stack.held_bytes()
    }

    /// Bytes of memory that the peer makes us hold: what it does not read, and what it has begun
    /// and not finished. Input that waits because we do not take it is not its doing.
    pub(crate) fn footprint(&self) -> usize {
        let input = if self.flags.has(Flags::UNSEEN) {
            self.stack.held_bytes()
        } else {
            self.input_bytes()
        };
        input + self.outbox.footprint()
    }

    /// Goes over to another state, and is counted there.
    pub(crate) fn enter(&mut self, state: State, stats: &ReactorStats) {
        let (from, to) = (self.state.phase(), state.phase());
        self.state = state;
        if from != to {
            let counts = &stats.profiles[usize::from(self.profile)];
            counts.of(from).sub(1);
            counts.of(to).add(1);
        }
    }

    /// Ends the connection at the end of the turn, unless that is decided already.
    pub(crate) fn finish(&mut self, reason: CloseReason, stats: &ReactorStats) {
        if !matches!(self.state, State::Closed(_)) {
            let reason = self.state.reason().unwrap_or(reason);
            self.enter(State::Closed(reason), stats);
        }
    }
}

/// Small facts of a connection, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u16);

impl Flags {
    /// The socket may have input: an edge came and no read has seen its end yet.
    pub(crate) const READABLE: u16 = 1;
    /// The kernel did not take the last write whole.
    pub(crate) const BLOCKED: u16 = 1 << 1;
    /// The peer's end of the stream, or an error, was reported: reading must go on to find it.
    pub(crate) const ENDING: u16 = 1 << 2;
    /// On the list of outboxes to be flushed.
    pub(crate) const DIRTY: u16 = 1 << 3;
    /// On the list of connections to be served in the next turn.
    pub(crate) const CARRIED: u16 = 1 << 4;
    /// The handler wants no frames until it says so.
    pub(crate) const PAUSED: u16 = 1 << 5;
    /// An HTTP request is with the handler; the next one is not decoded before its answer.
    pub(crate) const ANSWERING: u16 = 1 << 6;
    /// The outbox is more than half full: a peer that does not read is not read either.
    pub(crate) const CHOKED: u16 = 1 << 7;
    /// On the list of connections to be freed at the end of the turn.
    pub(crate) const DOOMED: u16 = 1 << 8;
    /// The peer's close frame has come: it sends nothing more.
    pub(crate) const PEER_DONE: u16 = 1 << 9;
    /// The spill holds bytes that the codec has not seen, because the connection was blocked.
    pub(crate) const UNSEEN: u16 = 1 << 10;
    /// Nothing more is heard: the handler is about to end the connection.
    pub(crate) const MUTE: u16 = 1 << 11;
    /// The handler is told when the outbox has become empty.
    pub(crate) const WATCHED: u16 = 1 << 12;
    /// What goes in and out is not what the codec sees: TLS, or a header of a proxy is awaited.
    pub(crate) const WRAPPED: u16 = 1 << 13;
    /// When it was last served, something was left over: [`Connection::is_mid_input`].
    pub(crate) const MID_INPUT: u16 = 1 << 14;

    /// A piece of a request's body is with the handler; the next one is not decoded before it asks.
    pub(crate) const HELD: u16 = 1 << 15;

    /// With one of these it is not the peer's turn.
    pub(crate) const WITH_HANDLER: u16 = Self::PAUSED | Self::ANSWERING | Self::HELD;
    /// With one of these there is more to a write than its own success.
    pub(crate) const AFTER_WRITE: u16 =
        Self::BLOCKED | Self::CHOKED | Self::WATCHED | Self::WRAPPED;
    /// With one of these a connection is not read as all the others are.
    const UNUSUAL: u16 = Self::ENDING
        | Self::PAUSED
        | Self::ANSWERING
        | Self::HELD
        | Self::CHOKED
        | Self::DOOMED
        | Self::PEER_DONE
        | Self::UNSEEN
        | Self::MUTE
        | Self::WRAPPED
        | Self::MID_INPUT;

    #[inline]
    pub(crate) const fn has(self, any: u16) -> bool {
        self.0 & any != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, bits: u16) {
        self.0 |= bits;
    }

    #[inline]
    pub(crate) const fn clear(&mut self, bits: u16) {
        self.0 &= !bits;
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::Write;

    use super::*;

    /// A stream whose kernel takes `room` bytes at a time.
    #[derive(Debug, Default)]
    pub(crate) struct Pipe {
        pub(crate) room: usize,
        pub(crate) written: Vec<u8>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(self.room);
            self.room -= taken;
            self.written.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Stream for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Write::write(self, bytes)
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut taken = 0;
            for slice in slices {
                match Write::write(self, slice) {
                    Ok(n) => taken += n,
                    Err(_) if taken > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(taken)
        }
    }
}
