//! The connections of one reactor.

use common::{ConnId, GENERATION_MAX, SLOTS_MAX};
use mio::Token;
use slab::Slab;

use super::Connection;
use crate::timer::{LinkStore, Links};

/// Slots that an empty table keeps.
const EMPTY_CAPACITY_MAX: usize = 1024;

/// A slab of connections. An id is good only while its generation is the one in the slot.
///
/// The generation is counted once for the table and not per slot, which keeps freed slots free of
/// bookkeeping: an id comes round again only if its slot is taken anew after exactly a multiple of
/// 2^30 - 2 connections.
#[derive(Debug)]
pub(crate) struct ConnTable {
    reactor: u16,
    slab: Slab<Connection>,
    generation: u32,
    /// No slot from here on is occupied.
    extent: u32,
}

impl ConnTable {
    pub(crate) fn new(reactor: u16) -> Self {
        Self {
            reactor,
            slab: Slab::new(),
            generation: 0,
            extent: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.slab.len() >= SLOTS_MAX
    }

    /// Puts a connection into a free slot, under a generation of its own.
    pub(crate) fn insert(&mut self, make: impl FnOnce(u32) -> Connection) -> ConnId {
        // The last generation is not given, so that the reactor has tokens left that are no id's.
        self.generation = if self.generation >= GENERATION_MAX - 1 {
            1
        } else {
            self.generation + 1
        };
        let slot = self.slab.insert(make(self.generation)) as u32;
        self.extent = self.extent.max(slot + 1);
        ConnId::new(self.reactor, slot, self.generation)
    }

    #[inline]
    pub(crate) fn get(&self, id: ConnId) -> Option<&Connection> {
        self.slab
            .get(id.slot() as usize)
            .filter(|conn| conn.generation == id.generation())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.slab
            .get_mut(id.slot() as usize)
            .filter(|conn| conn.generation == id.generation())
    }

    /// The connection in `slot`, whatever its generation.
    #[inline]
    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slab.get_mut(slot as usize)
    }

    /// The id of the connection in `slot`.
    pub(crate) fn id_at(&self, slot: u32) -> Option<ConnId> {
        self.slab
            .get(slot as usize)
            .map(|conn| ConnId::new(self.reactor, slot, conn.generation))
    }

    /// Every connection with its slot.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Connection)> {
        self.slab.iter().map(|(slot, conn)| (slot as u32, conn))
    }

    /// Visits at most `limit` connections from slot `from` on; the slot to go on from, if the walk
    /// is not at its end. Slots are taken in the order of acceptance, lowest first, so the walk
    /// goes through memory in order, ours and the kernel's.
    pub(crate) fn walk(
        &self,
        from: u32,
        limit: usize,
        mut visit: impl FnMut(ConnId),
    ) -> Option<u32> {
        let mut left = limit;
        for slot in from..self.extent {
            if left == 0 {
                return Some(slot);
            }
            if let Some(conn) = self.slab.get(slot as usize) {
                visit(ConnId::new(self.reactor, slot, conn.generation));
                left -= 1;
            }
        }
        None
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Connection {
        let conn = self.slab.remove(slot as usize);
        if self.slab.is_empty() {
            self.extent = 0;
            // After a burst the memory goes back, and the free list starts in order again.
            if self.slab.capacity() > EMPTY_CAPACITY_MAX {
                self.slab = Slab::new();
            }
        }
        conn
    }

    /// The token under which mio reports on the connection: its id.
    pub(crate) fn token(id: ConnId) -> Token {
        Token(id.as_u64() as usize)
    }

    /// The connection that an event speaks of; `None` if the token is stale.
    #[inline]
    pub(crate) fn resolve(&mut self, token: Token) -> Option<(ConnId, &mut Connection)> {
        let id = ConnId::from_u64(token.0 as u64);
        self.get_mut(id).map(|conn| (id, conn))
    }
}

impl LinkStore for ConnTable {
    /// # Panics
    /// If there is no such connection: an entry is cancelled before its connection is removed.
    fn links(&mut self, entry: u32) -> &mut Links {
        &mut self.slab[entry as usize].links
    }
}
