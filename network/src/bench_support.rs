//! The parts that are measured alone although nobody outside may use them. Open to the benches
//! only, and no part of the interface.

use common::Tick;

use crate::codec::ws::{mask, utf8};
use crate::conn::Connection;
use crate::timer::{LinkStore, Links, TimerWheel};

/// Bytes of a connection in its slot.
pub const CONNECTION_BYTES: usize = size_of::<Connection>();

/// Masks `bytes` in place (RFC 6455 section 5.3).
#[inline]
pub fn mask(key: [u8; 4], bytes: &mut [u8]) {
    mask::apply(key, bytes);
}

/// Whether `bytes` are UTF-8, as a text message must be.
#[inline]
#[must_use]
pub fn is_utf8(bytes: &[u8]) -> bool {
    utf8::check(bytes).is_ok()
}

/// A timer wheel with entries to time, as far apart in memory as those of connections are.
#[derive(Debug)]
pub struct Wheel {
    wheel: TimerWheel,
    entries: Entries,
}

impl Wheel {
    /// A wheel at tick 0 with so many entries, none of them linked.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            wheel: TimerWheel::new(Tick(0)),
            entries: Entries(vec![Entry::default(); entries]),
        }
    }

    /// Links an entry, or moves it.
    #[inline]
    pub fn schedule(&mut self, entry: u32, at: u32) {
        self.wheel.schedule(&mut self.entries, entry, Tick(at));
    }

    /// Unlinks an entry.
    #[inline]
    pub fn cancel(&mut self, entry: u32) {
        self.wheel.cancel(&mut self.entries, entry);
    }

    /// The next entry to be looked at by `now`.
    #[inline]
    pub fn pop_due(&mut self, now: u32) -> Option<u32> {
        self.wheel.pop_due(&mut self.entries, Tick(now))
    }
}

#[derive(Debug)]
struct Entries(Vec<Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    links: Links,
    _rest: [u8; CONNECTION_BYTES - size_of::<Links>()],
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            links: Links::default(),
            _rest: [0; CONNECTION_BYTES - size_of::<Links>()],
        }
    }
}

impl LinkStore for Entries {
    #[inline]
    fn links(&mut self, entry: u32) -> &mut Links {
        &mut self.0[entry as usize].links
    }
}
