//! What the kernel tells about processes: memory, processor time.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Ticks per second in `/proc/PID/stat`; Linux shows 100 to user space whatever it runs at.
const TICKS_PER_SECOND: u64 = 100;

/// Pages have 4 KiB, on every architecture that we build for by default.
pub(crate) const PAGE_BYTES: u64 = 4096;

/// Memory of a process in bytes, from `/proc/PID/smaps_rollup`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident, shared pages of files included.
    pub(crate) rss: u64,
    /// Anonymous (heap, stacks), shared pages by share: what the connections cost.
    pub(crate) pss_anon: u64,
    /// Written to and not shared.
    pub(crate) private_dirty: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path)
            .with_context(|| format!("reading {path}: is {pid} a process of yours, and alive?"))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kib| kib * 1024)
        };
        Self {
            rss: field("Rss:"),
            pss_anon: field("Pss_Anon:"),
            private_dirty: field("Private_Dirty:"),
        }
    }
}

/// Resident memory of a process in bytes, from `/proc/PID/statm`: to be had so quickly that it can
/// be watched.
pub(crate) fn resident_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}

/// Memory of all TCP sockets of this host in bytes, from `/proc/net/sockstat`.
pub(crate) fn kernel_tcp_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|&word| word == "mem")?;
    words
        .next()?
        .parse::<u64>()
        .ok()
        .map(|pages| pages * PAGE_BYTES)
}

/// The short name of a process.
pub(crate) fn process_name(pid: u32) -> anyhow::Result<String> {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => Ok(name.trim().to_owned()),
        Err(_) => bail!("--pid {pid}: there is no such process"),
    }
}

/// Processor time that this process and the server have used, from now on.
#[derive(Debug)]
pub(crate) struct Processor {
    since: Instant,
    client: Duration,
    server: Option<(u32, Duration)>,
}

/// Cores kept busy, on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    pub(crate) client: f64,
    pub(crate) server: Option<f64>,
}

impl Processor {
    pub(crate) fn watch(server: Option<u32>) -> Self {
        Self {
            since: Instant::now(),
            client: used("self").unwrap_or_default(),
            server: server.and_then(|pid| Some((pid, used(&pid.to_string())?))),
        }
    }

    pub(crate) fn cores(&self) -> Cores {
        let span = self.since.elapsed().as_secs_f64().max(1e-3);
        let cores =
            |now: Duration, before: Duration| now.saturating_sub(before).as_secs_f64() / span;
        Cores {
            client: cores(used("self").unwrap_or_default(), self.client),
            server: self
                .server
                .and_then(|(pid, before)| Some(cores(used(&pid.to_string())?, before))),
        }
    }
}

/// User and system time of a process so far.
pub(crate) fn used(process: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold blanks; what follows it does not.
    let (_, fields) = text.rsplit_once(')')?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<u64>().ok())
        .sum();
    Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_figures_can_be_read() {
        let own = std::process::id();
        assert!(Memory::of(own).unwrap().rss > 0);
        assert!(resident_bytes(own).unwrap() > 0);
        assert!(process_name(own).is_ok());
        assert!(used("self").is_some());
        assert!(process_name(u32::MAX).is_err());
    }

    #[test]
    fn smaps_are_in_kibibytes() {
        let memory = Memory::parse("Rss:   12 kB\nPss_Anon:   4 kB\nPrivate_Dirty: 8 kB\n");
        assert_eq!(
            (memory.rss, memory.pss_anon, memory.private_dirty),
            (12288, 4096, 8192)
        );
    }
}
