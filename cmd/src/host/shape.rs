//! What of a node decides how much of a host its connections take.

use common::REACTORS_MAX;
use serde::Serialize;

use crate::config::Config;

/// Bytes of user-space memory of an idle connection without TLS: a `Connection` and its session.
pub const USER_BYTES: u64 = 128;
/// Bytes of user-space memory of an idle connection with TLS, most of them rustls' state and keys,
/// measured over a process with 4,000 of them.
pub const TLS_USER_BYTES: u64 = 3_771;
/// Bytes that an idle connection without TLS counts for in the budget of memory (`memory`), which
/// is the network's own estimate.
pub const ACCOUNTED_BYTES: u64 = 144;

/// Descriptors that a table has beside connections and listeners: standard streams, log, signals,
/// the reserve of a full table, files of storage.
const DESCRIPTORS_FIXED: u64 = 24;
/// A `Poll` (two descriptors with its registry) and a waker; every table has those of all reactors.
const DESCRIPTORS_PER_REACTOR: u64 = 3;
/// Threads beside reactors and workers: main, log, signals, storage, passwords, the times at which
/// tokens expire, attachments, the admin listener.
const THREADS_FIXED: u64 = 19;
/// Those that ask and tell the operator's own servers.
const WEBHOOK_THREADS: u64 = 20;
/// Those that ask them whose a token is.
const AUTH_WEBHOOK_THREADS: u64 = 4;
/// The program, its log and its modules before the first client.
const PROCESS_BYTES: u64 = 32 << 20;
/// The read buffer, the buffers of compression and the pools of a reactor, and its stack.
const REACTOR_BYTES: u64 = 512 << 10;
/// How many standard deviations the fullest reactor may be above the mean. The kernel deals
/// connections to reactors by a hash, so that their numbers spread like throws of dice; with a
/// thousand reactors one in thirty nodes has one that is further off.
const SPREAD: f64 = 4.0;

/// What of a node decides how much of a host its connections take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Reactor threads.
    pub reactors: u64,
    /// Worker threads.
    pub workers: u64,
    /// Threads beside these.
    pub other_threads: u64,
    /// Whether each reactor has a descriptor table of its own.
    pub private_fd_tables: bool,
    /// Listeners.
    pub listeners: u64,
    /// Bytes of user-space memory of an idle connection: [`USER_BYTES`], or [`TLS_USER_BYTES`].
    pub user_bytes: u64,
    /// Bytes that the node may hold for its clients; `u64::MAX` for no limit.
    pub budget_bytes: u64,
    /// Whether the clients run on this host too, as a load test's do: then a connection has two
    /// sockets here. The client's memory and descriptors in user space are its own affair.
    pub clients_here: bool,
}

impl Shape {
    /// The node that a configuration describes. If any listener has TLS, all connections are taken
    /// to have it.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let when = |there: bool, threads| if there { threads } else { 0 };
        let telling = when(config.webhooks.is_some(), WEBHOOK_THREADS);
        let asking = when(config.accounts.auth_webhook.is_some(), AUTH_WEBHOOK_THREADS);
        let secured = config.listeners.iter().any(|l| l.tls.is_some());
        Self {
            reactors: config.reactors as u64,
            workers: config.workers as u64,
            other_threads: THREADS_FIXED + asking + telling,
            private_fd_tables: config.private_fd_tables,
            listeners: config.listeners.len() as u64,
            user_bytes: if secured { TLS_USER_BYTES } else { USER_BYTES },
            budget_bytes: config.memory_bytes_max as u64,
            clients_here: false,
        }
    }

    /// The same with another number of reactors.
    #[must_use]
    pub const fn with_reactors(self, reactors: u64) -> Self {
        Self { reactors, ..self }
    }

    /// Connections that reactors with so many descriptors per table hold before the first of them
    /// is full.
    #[must_use]
    pub fn connections_with(&self, descriptors: u64) -> u64 {
        let room = descriptors.saturating_sub(self.descriptors_reserved());
        if !self.private_fd_tables || self.reactors < 2 {
            return room;
        }
        // The mean m for which m + SPREAD * sqrt(m) is the room.
        let half = SPREAD / 2.0;
        let root = (half * half + room as f64).sqrt() - half;
        ((root * root) as u64).saturating_mul(self.reactors)
    }

    /// Descriptors per table that `connections` need.
    #[must_use]
    pub fn descriptors_for(&self, connections: u64) -> u64 {
        let mut room = connections;
        if self.private_fd_tables && self.reactors > 1 {
            let mean = connections.div_ceil(self.reactors);
            // One more on each side for what the inverse loses to rounding.
            room = mean + 1 + (SPREAD * ((mean + 1) as f64).sqrt()).ceil() as u64;
        }
        room.saturating_add(self.descriptors_reserved())
    }

    /// The least number of reactors, with a table each, that holds `connections` with so many
    /// descriptors per table; `None` if no number does.
    #[must_use]
    pub fn reactors_for(&self, connections: u64, descriptors: u64) -> Option<u64> {
        (1..=REACTORS_MAX as u64).find(|&reactors| {
            let shape = Self {
                private_fd_tables: true,
                ..self.with_reactors(reactors)
            };
            shape.connections_with(descriptors) >= connections
        })
    }

    /// Threads of the process.
    #[must_use]
    pub const fn threads(&self) -> u64 {
        self.reactors + self.workers + self.other_threads
    }

    /// Bytes of the process before the first client.
    #[must_use]
    pub const fn process_bytes(&self) -> u64 {
        PROCESS_BYTES + self.reactors * REACTOR_BYTES
    }

    const fn descriptors_reserved(&self) -> u64 {
        DESCRIPTORS_FIXED + self.listeners + DESCRIPTORS_PER_REACTOR * self.reactors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        reactors: 2,
        workers: 2,
        other_threads: THREADS_FIXED,
        private_fd_tables: true,
        listeners: 2,
        user_bytes: USER_BYTES,
        budget_bytes: u64::MAX,
        clients_here: false,
    };

    #[test]
    fn a_private_table_each_multiplies_the_limit() {
        let two = SHAPE.connections_with(20_000);
        assert!((38_500..40_000).contains(&two), "{two}");
        let shared = Shape {
            private_fd_tables: false,
            ..SHAPE
        };
        assert_eq!(shared.connections_with(20_000), 20_000 - 24 - 2 - 6);
        assert_eq!(SHAPE.connections_with(20), 0, "not even the reactors fit");
    }

    /// Fifty tables of 20,000 are a million descriptors, and no more: what reactors keep for
    /// themselves and the unevenness of the kernel's dealing take the rest.
    #[test]
    fn a_million_with_a_limit_of_20_000_takes_more_than_fifty_reactors() {
        let reactors = SHAPE.reactors_for(1_000_000, 20_000).unwrap();
        assert!((51..=53).contains(&reactors), "{reactors}");
        let shape = SHAPE.with_reactors(reactors);
        assert!(shape.connections_with(20_000) >= 1_000_000);
        let fewer = SHAPE.with_reactors(reactors - 1);
        assert!(fewer.connections_with(20_000) < 1_000_000);
        assert_eq!(SHAPE.reactors_for(10_000_000, 1024), None);
    }

    #[test]
    fn what_is_asked_for_is_enough() {
        for reactors in [1, 2, 7, 64] {
            for connections in [1, 500, 10_000, 1_000_000] {
                let shape = SHAPE.with_reactors(reactors);
                let descriptors = shape.descriptors_for(connections);
                assert!(
                    shape.connections_with(descriptors) >= connections,
                    "{reactors} reactors, {connections} connections"
                );
            }
        }
    }
}
