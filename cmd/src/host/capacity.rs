//! How many connections a host can hold, and what binds first.

use serde::Serialize;

use super::facts::HostFacts;
use super::shape::{ACCOUNTED_BYTES, Shape, USER_BYTES};

/// Bytes of kernel memory of an idle TCP connection on each side: socket, file, inode, directory
/// entry and what epoll keeps of it. 8.2 kB a pair were measured with a million of them.
pub const KERNEL_BYTES: u64 = 4_100;
/// One part in so many of the memory that is left is kept for everybody else.
const KEPT: u64 = 20;

/// Something of which every connection takes a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Descriptors of the tables (RLIMIT_NOFILE).
    Descriptors,
    /// Files open on the host (`fs.file-max`).
    Files,
    /// Registrations with epoll (`fs.epoll.max_user_watches`).
    EpollWatches,
    /// Entries of connection tracking (`net.netfilter.nf_conntrack_max`).
    Conntrack,
    /// Memory of the host or of the control group, the kernel's part included.
    Memory,
    /// What the kernel may still promise (`vm.overcommit_memory = 2`).
    Commit,
    /// The node's own budget for its clients (`memory`).
    Budget,
    /// Threads: a node of which not all threads start holds nothing.
    Threads,
}

impl Resource {
    /// Whether an operator can have more of it by a setting alone.
    #[must_use]
    pub const fn can_be_raised(self) -> bool {
        !matches!(self, Self::Memory | Self::Commit)
    }
}

/// How many connections one resource allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// Of what.
    pub resource: Resource,
    /// Connections; `u64::MAX` where it does not depend on their number.
    pub connections: u64,
}

/// How many connections a host can hold for a node of a given shape: one bound for each resource
/// of which something is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    bounds: Vec<Bound>,
}

impl Capacity {
    /// Works it out.
    #[must_use]
    pub fn of(facts: &HostFacts, shape: &Shape) -> Self {
        let mut bounds = Vec::new();
        let mut add = |resource, connections: Option<u64>| {
            bounds.extend(connections.map(|connections| Bound {
                resource,
                connections,
            }));
        };
        let sides = if shape.clients_here { 2 } else { 1 };
        let descriptors = facts.descriptors.map(|limits| limits.hard);
        add(
            Resource::Descriptors,
            descriptors.map(|limit| shape.connections_with(limit)),
        );
        add(
            Resource::Files,
            facts.files.map(|files| files.left() / sides),
        );
        add(
            Resource::EpollWatches,
            facts.epoll_watches.map(|watches| watches / sides),
        );
        let conntrack = facts.conntrack.filter(|conntrack| conntrack.tracks());
        add(
            Resource::Conntrack,
            conntrack.map(|c| c.max.saturating_sub(c.used)),
        );
        // An unreadable /proc says nothing about memory, rather than that there is none.
        let memory = (facts.memory.total > 0).then(|| facts.memory.left());
        add(
            Resource::Memory,
            memory.map(|left| {
                let usable = (left - left / KEPT).saturating_sub(shape.process_bytes());
                usable / (sides * KERNEL_BYTES + shape.user_bytes)
            }),
        );
        let commit = facts.memory.commit_left;
        add(
            Resource::Commit,
            commit.map(|left| left.saturating_sub(shape.process_bytes()) / shape.user_bytes),
        );
        add(
            Resource::Budget,
            Some(shape.budget_bytes / 4 * 3 / accounted(shape)),
        );
        add(
            Resource::Threads,
            facts.threads.map(|threads| {
                if threads.left() < shape.threads() {
                    0
                } else {
                    u64::MAX
                }
            }),
        );
        Self { bounds }
    }

    /// The bounds, in the order of [`Resource`].
    #[must_use]
    pub fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// What one resource allows; `None` if nothing is known of it.
    #[must_use]
    pub fn allowed_by(&self, resource: Resource) -> Option<u64> {
        let bound = self.bounds.iter().find(|b| b.resource == resource)?;
        Some(bound.connections)
    }

    /// The bound that binds first.
    ///
    /// # Panics
    /// Never: the budget is always known.
    #[must_use]
    pub fn binding(&self) -> Bound {
        let least = self.bounds.iter().min_by_key(|bound| bound.connections);
        *least.expect("the budget is always known")
    }

    /// Connections that the host can hold.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.binding().connections
    }

    /// Connections that it could hold if all were raised that can be raised.
    #[must_use]
    pub fn connections_at_best(&self) -> u64 {
        let fixed = self.bounds.iter().filter(|b| !b.resource.can_be_raised());
        fixed.map(|b| b.connections).min().unwrap_or(u64::MAX)
    }

    /// The bounds that do not allow `connections`, the tightest first.
    #[must_use]
    pub fn short_of(&self, connections: u64) -> Vec<Bound> {
        let mut short: Vec<_> = self.bounds.clone();
        short.retain(|bound| bound.connections < connections);
        short.sort_by_key(|bound| bound.connections);
        short
    }

    /// Bytes of memory that a node with so many connections takes, the kernel's part included.
    #[must_use]
    pub const fn memory_for(shape: &Shape, connections: u64) -> u64 {
        let sides = if shape.clients_here { 2 } else { 1 };
        let each = sides * KERNEL_BYTES + shape.user_bytes;
        let clients = connections.saturating_mul(each);
        // So much that what remains after the share of others is enough.
        let bytes = clients.saturating_add(shape.process_bytes());
        bytes.saturating_add(bytes / (KEPT - 1) + 1)
    }

    /// Bytes of budget (`memory`) that so many idle connections need before nobody is accepted.
    #[must_use]
    pub const fn budget_for(shape: &Shape, connections: u64) -> u64 {
        let held = connections.saturating_mul(accounted(shape));
        held.saturating_add(held / 3 + 4)
    }
}

/// Bytes that a connection counts for in the budget.
const fn accounted(shape: &Shape) -> u64 {
    shape.user_bytes + (ACCOUNTED_BYTES - USER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::TLS_USER_BYTES;
    use crate::host::tree::Tree;

    fn shape(reactors: u64) -> Shape {
        Shape {
            reactors,
            workers: 2,
            other_threads: 19,
            private_fd_tables: true,
            listeners: 2,
            user_bytes: USER_BYTES,
            budget_bytes: 8 << 30,
            clients_here: false,
        }
    }

    #[test]
    fn a_laptop_holds_a_million_as_it_is() {
        let capacity = Capacity::of(&Tree::laptop().facts(), &shape(4));
        assert!(capacity.connections() > 1_000_000, "{capacity:?}");
    }

    #[test]
    fn descriptors_bind_a_sandbox_until_it_has_reactors_enough() {
        let facts = Tree::sandbox().facts();
        let capacity = Capacity::of(&facts, &shape(2));
        assert_eq!(capacity.binding().resource, Resource::Descriptors);
        assert!(capacity.connections() < 40_000);
        assert!(capacity.connections_at_best() > 2_000_000, "{capacity:?}");
        let reactors = shape(2).reactors_for(1_000_000, 20_000).unwrap();
        let capacity = Capacity::of(&facts, &shape(reactors));
        assert!(capacity.connections() >= 1_000_000, "{capacity:?}");
        assert_eq!(
            capacity.allowed_by(Resource::Conntrack),
            None,
            "nothing is tracked"
        );
    }

    #[test]
    fn with_both_ends_here_a_connection_takes_twice_as_much() {
        let facts = Tree::sandbox().facts();
        let both = Shape {
            clients_here: true,
            ..shape(52)
        };
        let (one, two) = (
            Capacity::of(&facts, &shape(52)),
            Capacity::of(&facts, &both),
        );
        for resource in [Resource::Files, Resource::EpollWatches] {
            assert_eq!(
                one.allowed_by(resource).unwrap() / 2,
                two.allowed_by(resource).unwrap()
            );
        }
        assert!(two.connections() >= 1_000_000, "a million pairs fit 24 GiB");
    }

    #[test]
    fn the_memory_of_a_container_is_its_groups() {
        let facts = Tree::container().facts();
        let capacity = Capacity::of(&facts, &shape(2));
        assert_eq!(capacity.binding().resource, Resource::Memory);
        let plain = capacity.connections();
        assert!((100_000..125_000).contains(&plain), "{plain}");
        let secured = Shape {
            user_bytes: TLS_USER_BYTES,
            ..shape(2)
        };
        let secured = Capacity::of(&facts, &secured).connections();
        assert!(
            (50_000..plain * 6 / 10).contains(&secured),
            "TLS doubles a connection: {secured}"
        );
        let needed = Capacity::memory_for(&shape(2), plain);
        let left = facts.memory.left();
        assert!(needed <= left && needed > left - left / 1000, "{needed}");
    }

    #[test]
    fn a_firewall_that_tracks_binds_a_big_server() {
        let capacity = Capacity::of(&Tree::server().facts(), &shape(32));
        let binding = capacity.binding();
        assert_eq!(binding.resource, Resource::Conntrack);
        assert_eq!(binding.connections, 262_144 - 180);
        let short: Vec<_> = capacity.short_of(50_000_000);
        assert_eq!(short[0], binding);
        assert!(short.len() < capacity.bounds().len(), "threads are enough");
    }

    #[test]
    fn without_threads_there_is_no_node() {
        let facts = Tree::container().facts();
        let capacity = Capacity::of(&facts, &shape(300));
        assert_eq!(capacity.binding().resource, Resource::Threads);
        assert_eq!(capacity.connections(), 0);
    }

    #[test]
    fn the_budget_that_is_asked_for_is_enough() {
        let budget_bytes = Capacity::budget_for(&shape(1), 1_000_000);
        let shape = Shape {
            budget_bytes,
            ..shape(1)
        };
        let allowed = Capacity::of(&HostFacts::default(), &shape).connections();
        assert!((1_000_000..1_000_010).contains(&allowed), "{allowed}");
    }
}
