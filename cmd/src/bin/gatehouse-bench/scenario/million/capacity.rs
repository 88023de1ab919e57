//! How many connections this host can hold, both ends of each being here.

use std::path::Path;

use common::REACTORS_MAX;
use gatehouse::host::{Conntrack, HostFacts};

use crate::plan;

/// What a pair of ends takes: 8.2 kB of the kernel's memory, as measured; the rest is both
/// processes', the buffers of what is under way, and a margin.
const PAIR_BYTES: u64 = 9728;
/// Memory left to others, at least.
const RESERVE_BYTES: u64 = 1 << 30;
/// Files that the system has open beside the connections, and may open meanwhile.
const FILES_RESERVED: u64 = 4096;

/// A limit of this host, in connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) what: &'static str,
    pub(super) connections: u64,
}

/// What bounds the connections here, the tightest first.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    pub(super) bounds: Vec<Bound>,
    /// Memory that can be had now, and below which the run is given up.
    pub(super) available_bytes: u64,
    pub(super) floor_bytes: u64,
    pub(super) total_bytes: u64,
}

impl Capacity {
    /// Looks at this host, where a table may hold `descriptors`.
    pub(super) fn of_host(descriptors: u64) -> Self {
        let facts = HostFacts::read(Path::new("/"));
        let (total, available) = (facts.memory.allowed(), facts.memory.left());
        let reserve = RESERVE_BYTES.max(total / 20);
        let mut bounds = vec![
            Bound {
                what: "memory that is available",
                connections: available.saturating_sub(reserve) / PAIR_BYTES,
            },
            Bound {
                what: "descriptors in the tables of all threads (ulimit -Hn)",
                // The kernel does not deal connections out to the reactors quite evenly.
                connections: plan::room_at_most(descriptors, REACTORS_MAX as u64) / 20 * 19,
            },
        ];
        if let Some(files) = facts.files {
            bounds.push(Bound {
                what: "files of the whole system (fs.file-max)",
                connections: files.left().saturating_sub(FILES_RESERVED) / 2,
            });
        }
        if let Some(tracked) = facts.conntrack.filter(Conntrack::tracks) {
            bounds.push(Bound {
                what: "tracked connections (net.netfilter.nf_conntrack_max)",
                connections: tracked.max.saturating_sub(tracked.used + tracked.used / 10),
            });
        }
        bounds.sort_by_key(|bound| bound.connections);
        Self {
            bounds,
            available_bytes: available,
            // Half of what was to stay free may be used up in passing.
            floor_bytes: reserve / 2,
            total_bytes: total,
        }
    }

    /// What binds first.
    pub(super) fn tightest(&self) -> Bound {
        self.bounds[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_descriptors_hold_more_connections() {
        let of = |limit| {
            let capacity = Capacity::of_host(limit);
            let found = capacity.bounds.iter().find(|b| b.what.contains("ulimit"));
            found.unwrap().connections
        };
        assert!(of(256) < of(1024) && of(1024) < 100_000);
        assert!(of(20_000) > 1_000_000);
        assert!(Capacity::of_host(1024).tightest().connections <= of(1024));
    }
}
