//! What bounds connections on a host, as the kernel tells it.

use std::path::Path;

use serde::Serialize;

use super::cgroup::{ControlGroup, Usage};
use super::source::{Source, count, field};

/// Bit of CAP_SYS_RESOURCE among the capabilities (capabilities(7)).
const SYS_RESOURCE: u64 = 1 << 24;

/// What was found out about a host. `None` stands for what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HostFacts {
    /// Release of the kernel.
    pub kernel: Option<String>,
    /// Processors that the process may run on.
    pub processors: Option<u64>,
    /// RLIMIT_NOFILE.
    pub descriptors: Option<DescriptorLimits>,
    /// Whether the process may raise its hard limits (CAP_SYS_RESOURCE).
    pub may_raise_limits: bool,
    /// `fs.nr_open`: as far as a hard limit of descriptors can be raised.
    pub descriptors_ceiling: Option<u64>,
    /// `fs.file-max`, and the files that are open on the whole host.
    pub files: Option<Usage>,
    /// `fs.epoll.max_user_watches`, of which every connection takes one.
    pub epoll_watches: Option<u64>,
    /// `net.ipv4.ip_local_port_range`.
    pub ports: Option<Ports>,
    /// `net.core.somaxconn`.
    pub accept_queue: Option<u64>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub syn_queue: Option<u64>,
    /// `net.ipv4.tcp_mem`: pages that all TCP sockets may have data in.
    pub tcp_pages: Option<[u64; 3]>,
    /// `net.ipv4.tcp_rmem`: least, first and largest receive buffer in bytes.
    pub receive_buffer: Option<[u64; 3]>,
    /// `net.ipv4.tcp_wmem`: least, first and largest send buffer in bytes.
    pub send_buffer: Option<[u64; 3]>,
    /// Connection tracking, if it is loaded.
    pub conntrack: Option<Conntrack>,
    /// Memory.
    pub memory: Memory,
    /// Limits of the control group.
    pub group: ControlGroup,
    /// Threads: the tightest of `kernel.threads-max`, `kernel.pid_max`, RLIMIT_NPROC and the
    /// control group.
    pub threads: Option<Usage>,
    /// When the kernel backs memory with huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// Whether this is a container.
    pub container: bool,
}

/// Soft and hard limit of descriptors per table; a server raises the soft one itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DescriptorLimits {
    /// What holds until it is raised.
    pub soft: u64,
    /// As far as it can be raised without privilege.
    pub hard: u64,
}

/// Ports that outgoing connections may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ports {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Ports {
    /// Connections from one address to one address and port.
    #[must_use]
    pub const fn per_pair(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// Entries of connection tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Conntrack {
    /// `net.netfilter.nf_conntrack_max`.
    pub max: u64,
    /// Those in use.
    pub used: u64,
}

impl Conntrack {
    /// Whether anything is tracked. The module may be there without a rule that needs it, and
    /// then a host has no entry at all.
    #[must_use]
    pub const fn tracks(&self) -> bool {
        self.used > 0
    }
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Of the host; 0 if unknown.
    pub total: u64,
    /// What the host could still give without swapping.
    pub available: u64,
    /// Swap space.
    pub swap: u64,
    /// What may still be promised to processes, if the kernel promises no more than it has
    /// (`vm.overcommit_memory = 2`).
    pub commit_left: Option<u64>,
    /// The control group's limit and use.
    pub group: Option<Usage>,
}

impl Memory {
    /// What the process may use at all: the host's, or what the control group allows.
    #[must_use]
    pub fn allowed(&self) -> u64 {
        self.group.map_or(self.total, |g| g.max.min(self.total))
    }

    /// What it may use now, beyond what is in use.
    #[must_use]
    pub fn left(&self) -> u64 {
        let left = self.group.map_or(u64::MAX, |group| group.left());
        left.min(self.available)
    }

    /// Whether the control group has less left than the host.
    #[must_use]
    pub fn group_binds(&self) -> bool {
        self.group.is_some_and(|g| g.left() < self.available)
    }
}

impl HostFacts {
    /// Reads `proc` and `sys` under `root`, which is `/` for the host that this runs on.
    #[must_use]
    pub fn read(root: &Path) -> Self {
        let source = Source(root);
        let limits = source.text("proc/self/limits").unwrap_or_default();
        let status = source.text("proc/self/status").unwrap_or_default();
        let group = ControlGroup::read(source);
        let kernel = source.text("proc/sys/kernel/osrelease");
        Self {
            kernel: kernel.map(|release| release.trim().to_owned()),
            processors: field(&status, "Cpus_allowed_list:").and_then(listed),
            descriptors: limit(&limits, "Max open files")
                .map(|[soft, hard]| DescriptorLimits { soft, hard }),
            may_raise_limits: field(&status, "CapEff:")
                .and_then(|set| u64::from_str_radix(set, 16).ok())
                .is_some_and(|set| set & SYS_RESOURCE != 0),
            descriptors_ceiling: source.number("proc/sys/fs/nr_open"),
            files: source.number("proc/sys/fs/file-max").map(|max| Usage {
                max,
                used: source.number("proc/sys/fs/file-nr").unwrap_or(0),
            }),
            epoll_watches: source.number("proc/sys/fs/epoll/max_user_watches"),
            ports: source
                .numbers("proc/sys/net/ipv4/ip_local_port_range")
                .map(|[first, last]| Ports { first, last }),
            accept_queue: source.number("proc/sys/net/core/somaxconn"),
            syn_queue: source.number("proc/sys/net/ipv4/tcp_max_syn_backlog"),
            tcp_pages: source.numbers("proc/sys/net/ipv4/tcp_mem"),
            receive_buffer: source.numbers("proc/sys/net/ipv4/tcp_rmem"),
            send_buffer: source.numbers("proc/sys/net/ipv4/tcp_wmem"),
            conntrack: conntrack(source),
            memory: memory(source, group.memory),
            threads: threads(source, &limits, group.tasks),
            huge_pages: source
                .text("sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|text| Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())),
            container: container(source),
            group,
        }
    }
}

/// Soft and hard limit of a line of `/proc/self/limits`.
fn limit(text: &str, name: &str) -> Option<[u64; 2]> {
    let mut words = field(text, name)?.split_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        word => word.parse().ok(),
    };
    Some([next()?, next()?])
}

/// The length of a list like `0-3,8`.
fn listed(list: &str) -> Option<u64> {
    list.split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            (last + 1).checked_sub(first)
        })
        .sum()
}

fn conntrack(source: Source<'_>) -> Option<Conntrack> {
    Some(Conntrack {
        max: source.number("proc/sys/net/netfilter/nf_conntrack_max")?,
        used: source
            .number("proc/sys/net/netfilter/nf_conntrack_count")
            .unwrap_or(0),
    })
}

fn memory(source: Source<'_>, group: Option<Usage>) -> Memory {
    let text = source.text("proc/meminfo").unwrap_or_default();
    let bytes = |name| count(&text, name).map(|kib| kib * 1024);
    let strict = source.number("proc/sys/vm/overcommit_memory") == Some(2);
    Memory {
        total: bytes("MemTotal:").unwrap_or(0),
        available: bytes("MemAvailable:").unwrap_or(0),
        swap: bytes("SwapTotal:").unwrap_or(0),
        commit_left: bytes("CommitLimit:")
            .zip(bytes("Committed_AS:"))
            .filter(|_| strict)
            .map(|(max, used)| max.saturating_sub(used)),
        group,
    }
}

fn threads(source: Source<'_>, limits: &str, group: Option<Usage>) -> Option<Usage> {
    // `0.00 0.01 0.05 1/123 4567`: the number behind the stroke is that of all threads.
    let used = source.text("proc/loadavg").and_then(|text| {
        let (_, threads) = text.split_whitespace().nth(3)?.split_once('/')?;
        threads.parse().ok()
    });
    let used = used.unwrap_or(0);
    let of_host = ["proc/sys/kernel/threads-max", "proc/sys/kernel/pid_max"]
        .into_iter()
        .filter_map(|file| source.number(file));
    // How many threads the user has is not to be had cheaply, and mostly few.
    let of_user = limit(limits, "Max processes").map(|[soft, _]| Usage { max: soft, used: 0 });
    of_host
        .map(|max| Usage { max, used })
        .chain(of_user)
        .chain(group)
        .min_by_key(Usage::left)
}

fn container(source: Source<'_>) -> bool {
    let marks = [
        ".dockerenv",
        "run/.containerenv",
        "var/run/secrets/kubernetes.io",
    ];
    marks.iter().any(|file| source.exists(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tree::Tree;

    #[test]
    fn a_host_is_read_from_its_files() {
        let facts = Tree::sandbox().facts();
        assert_eq!(
            facts.descriptors,
            Some(DescriptorLimits {
                soft: 20_000,
                hard: 20_000
            })
        );
        assert!(!facts.may_raise_limits, "without CAP_SYS_RESOURCE");
        assert_eq!(facts.processors, Some(2));
        assert_eq!(facts.ports.unwrap().per_pair(), 28_232);
        assert!(!facts.conntrack.unwrap().tracks());
        assert_eq!(
            facts.threads.unwrap().max,
            32_768,
            "pid_max is the least of all"
        );
        assert_eq!(facts.huge_pages.as_deref(), Some("madvise"));
        assert_eq!(facts.memory.commit_left, None, "overcommitting is allowed");
        assert!(facts.container);
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        let facts = Tree::new().facts();
        assert_eq!(facts, HostFacts::default());
    }

    #[test]
    fn strict_accounting_leaves_what_is_not_promised() {
        let tree = Tree::laptop().file("proc/sys/vm/overcommit_memory", "2\n");
        let left = tree.facts().memory.commit_left;
        assert_eq!(left, Some((10_000_000 - 6_000_000) * 1024));
    }

    #[test]
    fn lists_of_processors_are_counted() {
        assert_eq!(listed("0-1"), Some(2));
        assert_eq!(listed("0-3,8,10-11"), Some(7));
        assert_eq!(listed("3-1"), None);
        assert_eq!(listed(""), None);
    }
}
