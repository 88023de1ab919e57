//! The sessions of one reactor, by the slot of their connection.

use common::SessionId;

use super::Session;
use crate::topic::{MembershipStore, Memberships};

/// Sessions in a vector parallel to the connections: looking one up is an index and a compare.
#[derive(Debug, Default)]
pub(crate) struct SessionTable {
    slots: Vec<Option<Session>>,
    len: usize,
}

const _: () = assert!(size_of::<Option<Session>>() == size_of::<Session>());

impl SessionTable {
    #[inline]
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.slots
            .get(id.slot() as usize)?
            .as_ref()
            .filter(|session| session.generation == id.generation())
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.slots
            .get_mut(id.slot() as usize)?
            .as_mut()
            .filter(|session| session.generation == id.generation())
    }

    /// The id of the session in `slot`.
    #[inline]
    pub(crate) fn id_at(&self, reactor: u16, slot: u32) -> Option<SessionId> {
        let session = self.slots.get(slot as usize)?.as_ref()?;
        Some(SessionId::new(reactor, slot, session.generation))
    }

    pub(crate) fn insert(&mut self, id: SessionId, session: Session) {
        let slot = id.slot() as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(session);
        self.len += 1;
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.get(id)?;
        let session = self.slots[id.slot() as usize].take();
        self.len -= 1;
        if self.len == 0 && self.slots.capacity() > 1024 {
            // After a burst the memory goes back.
            self.slots = Vec::new();
        }
        session
    }
}

impl MembershipStore for SessionTable {
    fn memberships(&mut self, slot: u32) -> Option<&mut Memberships> {
        self.slots
            .get_mut(slot as usize)?
            .as_mut()
            .map(|session| &mut session.topics)
    }
}
