//! Who is let in: caps on connections per node, listener and client address.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Locks over which the counts per address are spread.
const SHARDS: usize = 16;

/// Counts shared by all reactors of a node; touched when a connection comes and goes, never by a
/// message.
#[derive(Debug)]
pub(crate) struct Doorman {
    node: Cap,
    listeners: Vec<Cap>,
    per_address_max: Vec<usize>,
    /// Keyed by fingerprints and not by addresses, so that a session keeps four bytes of its own.
    /// Among a million addresses some hundred pairs share a fingerprint, and so a count; nobody
    /// can aim at it, since the key is random.
    addresses: [Mutex<FxHashMap<u32, u32>>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug)]
struct Cap {
    count: AtomicUsize,
    max: usize,
}

impl Cap {
    const fn new(max: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            max,
        }
    }

    fn enter(&self) -> bool {
        if self.count.fetch_add(1, Ordering::Relaxed) < self.max {
            return true;
        }
        self.leave();
        false
    }

    fn leave(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Doorman {
    /// `per_listener` gives the caps of each listener: its own, and the one per client address.
    pub(crate) fn new(node_max: usize, per_listener: &[(usize, usize)]) -> Self {
        Self {
            node: Cap::new(node_max),
            listeners: per_listener.iter().map(|&(max, _)| Cap::new(max)).collect(),
            per_address_max: per_listener.iter().map(|&(_, max)| max).collect(),
            addresses: Default::default(),
            hasher: RandomState::new(),
        }
    }

    /// The fingerprint of a peer that counts for no address.
    pub(crate) const UNCOUNTED: u32 = 0;

    /// A fingerprint of the address, under a key of this process. IPv6 clients are told apart by
    /// their /64, since each of them has one to itself.
    pub(crate) fn fingerprint(&self, address: IpAddr) -> u32 {
        let hash = match address.to_canonical() {
            IpAddr::V4(v4) => self.hasher.hash_one(v4.octets()) as u32,
            IpAddr::V6(v6) => self.hasher.hash_one(&v6.octets()[..8]) as u32,
        };
        hash.max(Self::UNCOUNTED + 1)
    }

    /// Whether the connections of this listener are counted by address.
    pub(crate) fn counts_addresses(&self, listener: usize) -> bool {
        self.per_address_max[listener] < usize::MAX
    }

    /// Lets a connection in, or not, as far as the node and the listener go.
    pub(crate) fn enter(&self, listener: usize) -> bool {
        if !self.node.enter() {
            return false;
        }
        if !self.listeners[listener].enter() {
            self.node.leave();
            return false;
        }
        true
    }

    /// Lets a connection that has entered in as far as its address goes, or not.
    pub(crate) fn enter_address(&self, listener: usize, address: u32) -> bool {
        let max = self.per_address_max[listener];
        if self.counts_addresses(listener) && address != Self::UNCOUNTED {
            let mut counts = self.shard(address).lock();
            let count = counts.entry(address).or_insert(0);
            if *count as usize >= max {
                return false;
            }
            *count += 1;
        }
        true
    }

    /// A connection that had entered has gone.
    pub(crate) fn leave(&self, listener: usize) {
        self.node.leave();
        self.listeners[listener].leave();
    }

    /// A connection whose address was let in has gone.
    pub(crate) fn leave_address(&self, listener: usize, address: u32) {
        if self.counts_addresses(listener) && address != Self::UNCOUNTED {
            let mut counts = self.shard(address).lock();
            if let Some(count) = counts.get_mut(&address) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(&address);
                }
            }
        }
    }

    fn shard(&self, address: u32) -> &Mutex<FxHashMap<u32, u32>> {
        &self.addresses[address as usize % SHARDS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cap_refuses_and_a_leave_makes_room() {
        let doorman = Doorman::new(3, &[(2, 1), (9, usize::MAX)]);
        let (a, b) = (
            doorman.fingerprint([127, 0, 0, 1].into()),
            doorman.fingerprint([127, 0, 0, 2].into()),
        );
        assert!(doorman.enter(0) && doorman.enter_address(0, a));
        assert!(!doorman.enter_address(0, a), "per address");
        assert!(doorman.enter(0) && doorman.enter_address(0, b));
        assert!(!doorman.enter(0), "per listener");
        assert!(doorman.enter(1) && doorman.enter_address(1, a));
        assert!(!doorman.enter(1), "per node");
        doorman.leave(0);
        doorman.leave_address(0, a);
        assert!(doorman.enter(0) && doorman.enter_address(0, a));
    }
}
