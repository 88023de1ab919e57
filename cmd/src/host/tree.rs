//! Hosts that are made up, for tests.

use std::fs;

use tempfile::TempDir;

use super::facts::HostFacts;
use super::source::Source;

/// A directory with a `proc` and a `sys`.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source(self.0.path())
    }

    pub(crate) fn facts(&self) -> HostFacts {
        HostFacts::read(self.0.path())
    }

    /// What a distribution ships, with `kib` of memory of which most is free.
    fn distribution(kib: u64, processors: &str, descriptors: (u64, u64), caps: &str) -> Self {
        let (soft, hard) = descriptors;
        let sys = |tree: Self, name: &str, text: &str| tree.file(&format!("proc/sys/{name}"), text);
        let tree = Self::new()
            .file(
                "proc/self/limits",
                &format!(
                    "Limit           Soft Limit  Hard Limit  Units\n\
                     Max processes   96365       96365       processes\n\
                     Max open files  {soft}      {hard}      files\n"
                ),
            )
            .file(
                "proc/self/status",
                &format!("CapEff:\t{caps}\nCpus_allowed_list:\t{processors}\n"),
            )
            .file(
                "proc/meminfo",
                &format!(
                    "MemTotal: {kib} kB\nMemAvailable: {} kB\nSwapTotal: 0 kB\n\
                     CommitLimit: 10000000 kB\nCommitted_AS: 6000000 kB\n",
                    kib / 10 * 8
                ),
            )
            .file("proc/loadavg", "0.10 0.20 0.30 1/900 12345\n")
            .file("proc/self/cgroup", "0::/\n")
            .file(
                "sys/kernel/mm/transparent_hugepage/enabled",
                "always [madvise] never\n",
            );
        let settings = [
            ("kernel/osrelease", "6.12.0"),
            ("kernel/threads-max", "192731"),
            ("kernel/pid_max", "4194304"),
            ("fs/nr_open", "1048576"),
            ("fs/file-max", "9223372036854775807"),
            ("fs/file-nr", "9000 0 9223372036854775807"),
            ("fs/epoll/max_user_watches", "3500000"),
            ("net/ipv4/ip_local_port_range", "32768\t60999"),
            ("net/core/somaxconn", "4096"),
            ("net/ipv4/tcp_max_syn_backlog", "2048"),
            ("net/ipv4/tcp_mem", "187901\t250869\t375802"),
            ("net/ipv4/tcp_rmem", "4096\t131072\t6291456"),
            ("net/ipv4/tcp_wmem", "4096\t16384\t4194304"),
            ("vm/overcommit_memory", "0"),
        ];
        settings.iter().fold(tree, |tree, (n, v)| sys(tree, n, v))
    }

    /// 16 GiB, 8 cores, nothing set.
    pub(crate) fn laptop() -> Self {
        Self::distribution(16 << 20, "0-7", (1024, 524_288), "0000000000000000")
    }

    /// 24 GiB, 2 cores, a hard limit of descriptors of 20,000 that nobody may raise.
    pub(crate) fn sandbox() -> Self {
        Self::distribution(24_684_096, "0-1", (20_000, 20_000), "000001fffeffffff")
            .file("proc/sys/fs/file-max", "2466183\n")
            .file("proc/sys/fs/file-nr", "685 0 2466183\n")
            .file("proc/sys/fs/epoll/max_user_watches", "5491533\n")
            .file("proc/sys/kernel/pid_max", "32768\n")
            .file("proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
            .file("proc/sys/net/netfilter/nf_conntrack_count", "0\n")
            .file(".dockerenv", "")
    }

    /// 512 MiB and 200 tasks for a container on a host of 64 GiB.
    pub(crate) fn container() -> Self {
        Self::distribution(64 << 20, "0-15", (1_048_576, 1_048_576), "00000000a80425fb")
            .file("sys/fs/cgroup/memory.max", "536870912\n")
            .file("sys/fs/cgroup/memory.current", "10485760\n")
            .file("sys/fs/cgroup/memory.stat", "inactive_file 0\n")
            .file("sys/fs/cgroup/pids.max", "200\n")
            .file("sys/fs/cgroup/pids.current", "3\n")
            .file("sys/fs/cgroup/cpu.max", "200000 100000\n")
            .file("run/.containerenv", "")
    }

    /// 256 GiB, 64 cores, set up for very many connections, with a firewall.
    pub(crate) fn server() -> Self {
        Self::distribution(
            256 << 20,
            "0-63",
            (4_194_304, 4_194_304),
            "000001ffffffffff",
        )
        .file("proc/sys/fs/nr_open", "4194304\n")
        .file("proc/sys/fs/epoll/max_user_watches", "58000000\n")
        .file("proc/sys/net/core/somaxconn", "65535\n")
        .file("proc/sys/net/ipv4/tcp_max_syn_backlog", "65535\n")
        .file("proc/sys/net/ipv4/tcp_mem", "8388608 12582912 16777216\n")
        .file("proc/sys/net/netfilter/nf_conntrack_max", "262144\n")
        .file("proc/sys/net/netfilter/nf_conntrack_count", "180\n")
    }
}
