//! What the kernel holds for the connections. Nothing is read here that takes longer the more
//! connections there are: no list of sockets.

use std::fs;

use crate::host::{PAGE_BYTES, kernel_tcp_bytes};

/// Caches of the kernel whose objects a connection is made of.
const CACHES: [&str; 9] = [
    "TCP",
    "sock_inode_cache",
    "dentry",
    "filp",
    "eventpoll_epi",
    "eventpoll_pwq",
    "tcp_bind2_bucket",
    "tcp_bind_bucket",
    "tw_sock_TCP",
];

/// The kernel's memory at a moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Kernel {
    /// Objects of all kinds.
    pub(super) slab: u64,
    /// Data in the buffers of TCP sockets.
    pub(super) tcp: u64,
    /// Bytes by cache; empty for who may not read that.
    pub(super) caches: Vec<(&'static str, u64)>,
}

impl Kernel {
    pub(super) fn now() -> Self {
        Self {
            slab: meminfo("Slab:").unwrap_or_default(),
            tcp: kernel_tcp_bytes().unwrap_or_default(),
            caches: fs::read_to_string("/proc/slabinfo")
                .map(|text| caches(&text))
                .unwrap_or_default(),
        }
    }

    /// All of it.
    pub(super) fn bytes(&self) -> u64 {
        self.slab + self.tcp
    }

    /// All of it now: quicker to be had than [`Kernel::now`].
    pub(super) fn bytes_now() -> u64 {
        meminfo("Slab:").unwrap_or_default() + kernel_tcp_bytes().unwrap_or_default()
    }

    /// What each cache has grown by since `before`, the largest first.
    pub(super) fn growth(&self, before: &Self) -> Vec<(&'static str, u64)> {
        let mut growth: Vec<_> = self
            .caches
            .iter()
            .map(|&(name, bytes)| {
                let known = before.caches.iter().find(|(other, _)| *other == name);
                let was = known.map_or(0, |&(_, bytes)| bytes);
                (name, bytes.saturating_sub(was))
            })
            .filter(|&(_, bytes)| bytes > 0)
            .collect();
        growth.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
        growth
    }
}

/// A line of `/proc/meminfo`, in bytes.
pub(super) fn meminfo(field: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// `name active objects size per-slab pages-per-slab : tunables … : slabdata active slabs shared`
fn caches(text: &str) -> Vec<(&'static str, u64)> {
    let line = |name: &&'static str| {
        let line = text.lines().find(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(' '))
        })?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let pages: u64 = words.get(5)?.parse().ok()?;
        let at = words.iter().position(|&word| word == "slabdata")?;
        let slabs: u64 = words.get(at + 2)?.parse().ok()?;
        Some((*name, slabs * pages * PAGE_BYTES))
    };
    CACHES.iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_found_by_their_whole_name() {
        let text = "slabinfo - version: 2.1\n\
             TCPv6  9 9 2496 13 8 : tunables 0 0 0 : slabdata 7 7 0\n\
             TCP    20 26 2368 13 8 : tunables 0 0 0 : slabdata 2 3 0\n\
             dentry 5 42 192 21 1 : tunables 0 0 0 : slabdata 2 2 0\n";
        assert_eq!(caches(text), [("TCP", 3 * 8 * 4096), ("dentry", 2 * 4096)]);
        let grown = Kernel {
            caches: caches(text),
            ..Kernel::default()
        };
        let before = Kernel {
            caches: vec![("TCP", 4096), ("dentry", 9000)],
            ..Kernel::default()
        };
        assert_eq!(grown.growth(&before), [("TCP", 23 * 4096)]);
    }

    #[test]
    fn this_kernel_says_what_it_holds() {
        assert!(Kernel::now().bytes() > 0);
        assert!(meminfo("MemAvailable:").is_some());
    }
}
