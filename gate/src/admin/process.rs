//! What the kernel says of this process: memory, processor time of its threads, and what the
//! sockets of the host take.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// How old an answer may be: who asks often is not answered from the kernel each time.
const FRESH: Duration = Duration::from_secs(1);

/// The kernel's caches of objects that connections are made of. Where a cache is merged with others
/// of its size, the kernel shows it under another name, and it is not found here.
const SOCKET_CACHES: [&str; 8] = [
    "TCP",
    "TCPv6",
    "eventpoll_epi",
    "eventpoll_pwq",
    "filp",
    "request_sock_TCP",
    "sock_inode_cache",
    "tw_sock_TCP",
];

/// What the kernel said at one moment; what it does not say is missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    /// Bytes of memory in RAM, shared pages of files included.
    pub(super) resident_bytes: Option<u64>,
    /// Bytes of them that are the process's own: heaps and stacks.
    pub(super) private_bytes: Option<u64>,
    /// The most bytes that were in RAM at once.
    pub(super) resident_peak_bytes: Option<u64>,
    /// Threads by name, those of one name together.
    pub(super) threads: BTreeMap<String, Thread>,
    /// TCP sockets of the host, and the bytes of their buffers.
    pub(super) tcp: Option<Tcp>,
    /// Bytes of the host's objects, by cache; only the superuser may see them.
    pub(super) slabs: BTreeMap<&'static str, u64>,
}

/// How a thread got on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Thread {
    /// Seconds on a processor.
    pub(super) running_seconds: f64,
    /// Seconds in which it could run and no processor was free.
    pub(super) waiting_seconds: f64,
}

/// TCP on this host, in this network namespace; its memory in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tcp {
    pub(super) sockets: u64,
    pub(super) buffer_bytes: u64,
}

impl Process {
    fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        // The sum that the kernel keeps. Going through the pages (smaps) would hold the lock that
        // every allocation of a reactor may need, for seconds with a large heap.
        let kilobytes = |key| field(&status, key).map(|kilobytes| kilobytes * 1024);
        Self {
            resident_bytes: kilobytes("VmRSS:"),
            private_bytes: kilobytes("RssAnon:"),
            resident_peak_bytes: kilobytes("VmHWM:"),
            threads: threads(),
            tcp: fs::read_to_string("/proc/net/sockstat")
                .ok()
                .and_then(|text| tcp(&text, network::sys::page_bytes())),
            slabs: fs::read_to_string("/proc/slabinfo")
                .map(|text| slabs(&text))
                .unwrap_or_default(),
        }
    }

    /// Bytes that the kernel takes for one of the host's TCP sockets, buffers and objects together;
    /// `None` where it does not say.
    pub(super) fn kernel_bytes_per_socket(&self) -> Option<f64> {
        let tcp = self.tcp.filter(|tcp| tcp.sockets > 0)?;
        let objects: u64 = self.slabs.values().sum();
        (objects > 0).then(|| (objects + tcp.buffer_bytes) as f64 / tcp.sockets as f64)
    }
}

/// The latest answer of the kernel.
#[derive(Debug, Default)]
pub(super) struct ProcessCache {
    latest: Option<(Instant, Process)>,
}

impl ProcessCache {
    /// What the kernel says now, or said a moment ago.
    pub(super) fn get(&mut self) -> &Process {
        let now = Instant::now();
        if let Some((at, _)) = self.latest
            && now.duration_since(at) >= FRESH
        {
            self.latest = None;
        }
        &self.latest.get_or_insert_with(|| (now, Process::read())).1
    }
}

/// The first number behind `key`, which begins a line.
fn field(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn threads() -> BTreeMap<String, Thread> {
    let mut threads = BTreeMap::<_, Thread>::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten() {
        // A thread may end while it is looked at.
        let Ok(path) = task.map(|task| task.path()) else {
            continue;
        };
        let (Ok(name), Ok(times)) = (
            fs::read_to_string(path.join("comm")),
            fs::read_to_string(path.join("schedstat")),
        ) else {
            continue;
        };
        let mut seconds = times
            .split_whitespace()
            .map(|nanos| nanos.parse().map_or(0.0, |nanos: u64| nanos as f64 / 1e9));
        let thread = threads.entry(name.trim_end().to_owned()).or_default();
        thread.running_seconds += seconds.next().unwrap_or_default();
        thread.waiting_seconds += seconds.next().unwrap_or_default();
    }
    threads
}

/// From `TCP: inuse 1 orphan 0 tw 1 alloc 1 mem 118`, where memory is counted in pages.
fn tcp(sockstat: &str, page_bytes: u64) -> Option<Tcp> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))?;
    let words: Vec<_> = line.split_whitespace().collect();
    let number = |key| {
        let pair = words.chunks_exact(2).find(|pair| pair[0] == key)?;
        pair[1].parse::<u64>().ok()
    };
    Some(Tcp {
        sockets: number("alloc")?,
        buffer_bytes: number("mem")? * page_bytes,
    })
}

/// From lines of `name active all bytes …`: the objects in use.
fn slabs(slabinfo: &str) -> BTreeMap<&'static str, u64> {
    let mut slabs = BTreeMap::new();
    for line in slabinfo.lines() {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let Some(cache) = SOCKET_CACHES.into_iter().find(|cache| *cache == name) else {
            continue;
        };
        let mut numbers = words.map_while(|word| word.parse::<u64>().ok());
        if let (Some(active), Some(_), Some(bytes)) =
            (numbers.next(), numbers.next(), numbers.next())
        {
            slabs.insert(cache, active * bytes);
        }
    }
    slabs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_something_of_this_process() {
        let process = Process::read();
        assert!(process.private_bytes.unwrap() > 0);
        assert!(process.resident_peak_bytes >= process.resident_bytes);
        assert!(!process.threads.is_empty());
    }

    #[test]
    fn sockets_and_caches_are_found_in_their_lines() {
        let sockstat = "sockets: used 21\nTCP: inuse 1 orphan 0 tw 1 alloc 5 mem 118\nUDP: inuse 0";
        let found = tcp(sockstat, 4096).unwrap();
        assert_eq!((found.sockets, found.buffer_bytes), (5, 118 * 4096));
        assert_eq!(tcp("UDP: inuse 0 mem 0", 4096), None);

        let slabinfo = "slabinfo - version: 2.1\n# name <active_objs> …\n\
                        TCPv6 3 26 2496 13 8 : tunables 0 0 0\nTCP 10 26 2304 13 8 : tunables\n\
                        kmalloc-8 9 9 8";
        assert_eq!(
            slabs(slabinfo),
            BTreeMap::from([("TCP", 23040), ("TCPv6", 7488)])
        );
    }

    #[test]
    fn what_a_socket_costs_the_kernel_is_said_only_when_it_is_known() {
        let mut process = Process {
            tcp: tcp("TCP: alloc 100 mem 10", 4096),
            ..Process::default()
        };
        assert_eq!(process.kernel_bytes_per_socket(), None, "caches are hidden");
        process.slabs.insert("TCP", 230_400);
        assert_eq!(process.kernel_bytes_per_socket(), Some(2713.6));
    }
}
