//! How many threads, and which source addresses: what the limits of this host ask for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;

use anyhow::bail;
use common::REACTORS_MAX;

use crate::options::Common;
use crate::target::Target;
use crate::units;

/// Descriptors that are not connections: standard streams, files, what a library may open.
const RESERVE: u64 = 32;
/// Descriptors that each reactor costs in every table: its epoll instance, once more by its
/// registry, and its waker.
const PER_REACTOR: u64 = 3;
/// Source addresses of a churn. A closed connection keeps its pair of ports for a minute
/// (TIME_WAIT), so each carries only so many new ones a second.
const CHURN_SOURCES: u32 = 64;

/// Source addresses of attackers, who connect over and over too.
const ATTACK_SOURCES: u32 = 64;

/// The shape of the load.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) connections: u32,
    pub(crate) threads: u16,
    /// Addresses to connect from; empty leaves it to the kernel.
    pub(crate) sources: Vec<SocketAddr>,
}

impl Plan {
    /// `limit` is the number of descriptors that a table may hold.
    pub(crate) fn new(
        common: &Common,
        targets: &[Target],
        connections: u32,
        churn: bool,
        limit: u64,
    ) -> anyhow::Result<Self> {
        let threads = match common.threads {
            Some(threads) if room(limit, threads.into()) >= connections.into() => threads,
            Some(threads) => bail!(
                "{threads} load threads hold {} at most, since each has its own table of {limit} \
                 descriptors.\nLeave --threads away, or raise the hard limit (ulimit -Hn).",
                units::plural(room(limit, threads.into()), "connection")
            ),
            None => match threads_for(limit, connections) {
                Some(threads) => threads,
                None => bail!(
                    "{} do not fit under the hard limit of {limit} descriptors (ulimit -Hn), \
                     however many threads share them.\nRaise it (`ulimit -Hn 20000` as root, \
                     LimitNOFILE= under systemd), or ask for fewer.",
                    units::plural(connections.into(), "connection")
                ),
            },
        };
        let sources = if churn {
            CHURN_SOURCES
        } else {
            connections.div_ceil(common.per_source)
        };
        let loopback = targets
            .iter()
            .all(|target| target.addr.is_ipv4() && target.addr.ip().is_loopback());
        let sources = if loopback && sources > 1 {
            (0..sources).map(source).collect()
        } else {
            vec![]
        };
        Ok(Self {
            connections,
            threads,
            sources,
        })
    }

    /// One thread for up to `connections` of an attack on a server of this host. They come from
    /// addresses of their own, so that the server can tell them from its users.
    pub(crate) fn of_attackers(connections: u32, limit: u64) -> anyhow::Result<Self> {
        if room(limit, 1) < connections.into() {
            bail!(
                "one part of the attack may come to hold {}, under a limit of {limit} descriptors \
                 (ulimit -Hn).\nAsk for less of it, or raise the limit.",
                units::plural(connections.into(), "connection"),
            );
        }
        Ok(Self {
            connections,
            threads: 1,
            sources: (0..ATTACK_SOURCES).map(attack_source).collect(),
        })
    }

    /// Connections of thread `thread`: as even as can be.
    pub(crate) fn share(&self, thread: u16) -> u32 {
        let (all, threads) = (self.connections, u32::from(self.threads));
        all / threads + u32::from(u32::from(thread) < all % threads)
    }
}

/// One thread per core, or as many as it takes.
pub(crate) fn threads_for(limit: u64, connections: u32) -> Option<u16> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let first = cores.min(connections.into()).max(1);
    (first..=REACTORS_MAX as u64)
        .find(|&threads| room(limit, threads) >= connections.into())
        .map(|threads| threads as u16)
}

/// Connections that so many threads can hold.
const fn room(limit: u64, threads: u64) -> u64 {
    threads * limit.saturating_sub(RESERVE + PER_REACTOR * threads)
}

/// Connections that can be held by as many threads as serve best, up to `threads_max`: each one
/// more costs descriptors in the tables of all.
pub(crate) fn room_at_most(limit: u64, threads_max: u64) -> u64 {
    (1..=threads_max)
        .map(|threads| room(limit, threads))
        .max()
        .unwrap_or(0)
}

/// The `index`th loopback address, any port.
fn source(index: u32) -> SocketAddr {
    // 127.1.0.1 and on: 127.0.0.x is where people bind their servers.
    let [_, b, c, d] = (index + 0x0001_0001).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, b, c, d)), 0)
}

/// The `index`th address of attackers: 127.66.0.1 and on.
fn attack_source(index: u32) -> SocketAddr {
    let [_, _, c, d] = (index + 1).to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 66, c, d)), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_follow_the_limit() {
        assert!(threads_for(20_000, 10_000).unwrap() >= 1);
        let threads = threads_for(20_000, 1_000_000).unwrap();
        assert!((50..60).contains(&threads), "{threads}");
        assert!(room(20_000, threads.into()) >= 1_000_000);
        assert_eq!(threads_for(100, 10_000), None);
        assert_eq!(threads_for(20_000, 1), Some(1));
    }

    #[test]
    fn sources_are_loopback_and_distinct() {
        let all: std::collections::HashSet<_> = (0..1000).map(source).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|source| source.ip().is_loopback()));
        assert_eq!(source(0).to_string(), "127.1.0.1:0");
    }

    #[test]
    fn shares_add_up() {
        let plan = Plan {
            connections: 1001,
            threads: 7,
            sources: vec![],
        };
        assert_eq!((0..7).map(|thread| plan.share(thread)).sum::<u32>(), 1001);
    }
}
