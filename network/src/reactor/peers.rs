//! The addresses of peers that were accepted a moment ago.

use std::net::{SocketAddr, SocketAddrV4};

use common::ConnId;

/// Peers that are remembered; with those of a burst of connects, one system call less for each.
const RECENT: usize = 512;

/// The kernel tells a peer's address at the accept, and a handler asks for it a moment later, when
/// the request for an upgrade has come. In between it is kept here, by slot, until another
/// connection takes the place; who asks later asks the kernel.
///
/// IPv4 only: with room for the longer addresses the table would be twice as large, which with a
/// million connections on many reactors counts.
#[derive(Debug, Default)]
pub(super) struct RecentPeers {
    places: Vec<Option<(ConnId, SocketAddrV4)>>,
}

impl RecentPeers {
    pub(super) fn note(&mut self, conn: ConnId, peer: SocketAddr) {
        let SocketAddr::V4(peer) = peer else {
            return;
        };
        if self.places.is_empty() {
            self.places.resize(RECENT, None);
        }
        self.places[conn.slot() as usize % RECENT] = Some((conn, peer));
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<SocketAddr> {
        match self.places.get(conn.slot() as usize % RECENT)? {
            Some((known, peer)) if *known == conn => Some(SocketAddr::V4(*peer)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_known_until_another_takes_its_place() {
        let mut peers = RecentPeers::default();
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let conn = |slot, generation| ConnId::new(0, slot, generation);
        assert_eq!(peers.get(conn(3, 1)), None);
        peers.note(conn(3, 1), addr(1));
        peers.note(conn(4, 2), addr(2));
        assert_eq!(peers.get(conn(3, 1)), Some(addr(1)));
        assert_eq!(peers.get(conn(4, 2)), Some(addr(2)));
        assert_eq!(peers.get(conn(3, 2)), None, "another in the same slot");
        peers.note(conn(3 + RECENT as u32, 3), addr(3));
        assert_eq!(peers.get(conn(3, 1)), None);
        peers.note(conn(4, 4), SocketAddr::from(([0; 16], 4)));
        assert_eq!(peers.get(conn(4, 4)), None, "longer addresses are not kept");
    }
}
