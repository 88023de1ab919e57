//! How to raise what binds.

use serde::Serialize;

use crate::host::{Capacity, HostFacts, Resource, Shape};

use super::words;

/// What systemd, container engines and kernels take for the largest limit of descriptors that
/// needs no further setting (`fs.nr_open`).
const DESCRIPTORS_USUAL: u64 = 1 << 20;
/// Largest queue that the kernel takes without further ado; the default `backlog` of a listener.
const QUEUE: u64 = 65_535;
/// A part in so many of all connections should fit into the queues of listeners: after a restart
/// they all come at once, and who finds a queue full tries again after a second.
const QUEUED: u64 = 20;
/// Pages are charged to a socket as a whole.
const PAGE_BYTES: u64 = 4096;

/// A kernel setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sysctl {
    /// Its name.
    pub name: &'static str,
    /// What it should be.
    pub value: String,
    /// Whether each container has its own; others are set on the host.
    pub per_container: bool,
}

impl Sysctl {
    fn new(name: &'static str, value: impl ToString) -> Self {
        // tcp_mem is the one of these that all network namespaces share.
        let per_container = name != "net.ipv4.tcp_mem"
            && (name.starts_with("net.ipv4.") || name == "net.core.somaxconn");
        Self {
            name,
            value: value.to_string(),
            per_container,
        }
    }
}

/// How to hold a number of connections: settings of the server first, which need no privilege.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Remedies {
    /// Lines of the configuration.
    pub settings: Vec<String>,
    /// Lines of `/etc/sysctl.d`.
    pub sysctls: Vec<Sysctl>,
    /// Lines of the `[Service]` section of a unit.
    pub unit: Vec<String>,
    /// Flags of `docker run`, and of podman.
    pub container: Vec<String>,
    /// What no setting can do, and what is set elsewhere.
    pub notes: Vec<String>,
}

impl Remedies {
    /// What to do so that `connections` fit.
    #[must_use]
    pub fn towards(connections: u64, facts: &HostFacts, shape: &Shape) -> Self {
        let mut remedies = Self::default();
        let capacity = Capacity::of(facts, shape);
        for bound in capacity.short_of(connections) {
            remedies.raise(bound.resource, connections, facts, shape);
        }
        remedies.relieve(connections, facts, shape);
        remedies
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn raise(&mut self, resource: Resource, connections: u64, facts: &HostFacts, shape: &Shape) {
        let sides = if shape.clients_here { 2 } else { 1 };
        match resource {
            Resource::Descriptors => self.raise_descriptors(connections, facts, shape),
            Resource::Files => {
                let used = facts.files.map_or(0, |files| files.used);
                let files = rounded(connections.saturating_mul(sides).saturating_add(used));
                self.sysctls.push(Sysctl::new("fs.file-max", files));
            }
            Resource::EpollWatches => {
                let watches = rounded(connections.saturating_mul(sides));
                let name = "fs.epoll.max_user_watches";
                self.sysctls.push(Sysctl::new(name, watches));
            }
            Resource::Conntrack => {
                let used = facts.conntrack.map_or(0, |conntrack| conntrack.used);
                let entries = rounded(connections.saturating_add(used));
                let name = "net.netfilter.nf_conntrack_max";
                self.sysctls.push(Sysctl::new(name, entries));
                self.notes.push(
                    "or have the firewall not track the server's ports (nft: `tcp dport 8080 \
                     notrack`), which spares 320 bytes a connection"
                        .to_owned(),
                );
            }
            Resource::Memory => self.raise_memory(connections, facts, shape),
            Resource::Commit => self.notes.push(
                "vm.overcommit_memory = 2 promises no more memory than there is: raise \
                 vm.overcommit_ratio, or set it to 0"
                    .to_owned(),
            ),
            Resource::Budget => {
                let bytes = Capacity::budget_for(shape, connections);
                let mib = bytes.div_ceil(1 << 20);
                self.settings.push(format!("memory = \"{mib}MiB\""));
            }
            Resource::Threads => {
                let used = facts.threads.map_or(0, |threads| threads.used);
                let tasks = (used + shape.threads()).next_power_of_two();
                self.unit.push(format!("TasksMax={tasks}"));
                self.container.push(format!("--pids-limit {tasks}"));
                if facts.threads != facts.group.tasks {
                    self.sysctls.push(Sysctl::new("kernel.threads-max", tasks));
                    self.sysctls.push(Sysctl::new("kernel.pid_max", tasks));
                    self.unit.push(format!("LimitNPROC={tasks}"));
                }
            }
        }
    }

    fn raise_descriptors(&mut self, connections: u64, facts: &HostFacts, shape: &Shape) {
        let hard = facts.descriptors.map_or(0, |limits| limits.hard);
        if let Some(reactors) = shape.reactors_for(connections, hard) {
            self.settings.push(format!("reactors = {reactors}"));
            if !shape.private_fd_tables {
                self.settings.push("private_fd_tables = true".to_owned());
            }
        }
        let needed = shape.descriptors_for(connections);
        let limit = needed.max(DESCRIPTORS_USUAL).next_power_of_two();
        if facts.descriptors_ceiling.is_some_and(|max| max < limit) {
            self.sysctls.push(Sysctl::new("fs.nr_open", limit));
        }
        self.unit.push(format!("LimitNOFILE={limit}"));
        self.container
            .push(format!("--ulimit nofile={limit}:{limit}"));
        if facts.container {
            let here = if facts.may_raise_limits {
                ""
            } else {
                "nobody in here may raise the limit of descriptors (CAP_SYS_RESOURCE); "
            };
            self.notes.push(format!(
                "{here}in Kubernetes it is the container runtime's: LimitNOFILE={limit} in its \
                 unit on the host"
            ));
        }
    }

    fn raise_memory(&mut self, connections: u64, facts: &HostFacts, shape: &Shape) {
        let needed = Capacity::memory_for(shape, connections);
        let missing = needed.saturating_sub(facts.memory.left());
        if facts.memory.group_binds()
            && let Some(group) = facts.memory.group
        {
            let limit = group.used.saturating_add(needed).div_ceil(1 << 20);
            self.unit.push(format!("MemoryMax={limit}M"));
            self.container.push(format!("--memory {limit}m"));
            self.notes.push(format!(
                "in Kubernetes: resources.limits.memory: {limit}Mi; the sockets' memory counts"
            ));
        }
        self.notes.push(format!(
            "{} of memory are missing: {} connections take {}, {} of it in the kernel",
            words::bytes(missing),
            words::count(connections),
            words::bytes(needed),
            words::bytes(connections.saturating_mul(crate::host::KERNEL_BYTES)),
        ));
    }

    /// What does not bind, but is felt with so many connections.
    fn relieve(&mut self, connections: u64, facts: &HostFacts, shape: &Shape) {
        let queues = [
            ("net.core.somaxconn", facts.accept_queue),
            ("net.ipv4.tcp_max_syn_backlog", facts.syn_queue),
        ];
        for (name, queue) in queues {
            if queue.is_some_and(|queue| is_short(queue, connections, shape)) {
                self.sysctls.push(Sysctl::new(name, QUEUE));
            }
        }
        if let Some(pages) = facts.tcp_pages
            && holds_too_little(pages, connections)
        {
            // Beyond half of the memory there would be nothing left for the sockets themselves.
            let most = facts.memory.total / PAGE_BYTES / 2;
            let most = connections.saturating_mul(2).min(most.max(pages[2]));
            let value = format!("{} {} {most}", most / 2, most / 4 * 3);
            self.sysctls.push(Sysctl::new("net.ipv4.tcp_mem", value));
        }
        if let Some(ports) = facts.ports
            && connections > ports.per_pair()
        {
            self.notes.push(format!(
                "a proxy or load client with these ports makes {} connections from each of its \
                 addresses to each of ours: there, net.ipv4.ip_local_port_range = 1024 65535, and \
                 as many addresses as it takes",
                words::count(ports.per_pair())
            ));
        }
        if facts.huge_pages.as_deref() == Some("always") {
            self.notes.push(
                "huge pages for all memory let it grow in steps of 2 MiB and return late: echo \
                 madvise > /sys/kernel/mm/transparent_hugepage/enabled"
                    .to_owned(),
            );
        }
    }
}

/// What to do about one resource, in a line.
pub(super) fn in_a_line(
    resource: Resource,
    connections: u64,
    facts: &HostFacts,
    shape: &Shape,
) -> String {
    let mut remedies = Remedies::default();
    remedies.raise(resource, connections, facts, shape);
    let sysctls = remedies
        .sysctls
        .iter()
        .map(|sysctl| format!("sysctl -w {}={}", sysctl.name, sysctl.value));
    let ways = [
        remedies.settings.join(", "),
        sysctls.collect::<Vec<_>>().join(", "),
        remedies.unit.join(", "),
    ];
    let ways: Vec<_> = ways.into_iter().filter(|way| !way.is_empty()).collect();
    match (ways.is_empty(), resource) {
        (true, _) => remedies.notes.join("; "),
        // A ceiling is of no use without the limit that it is for.
        (false, Resource::Descriptors) if !remedies.sysctls.is_empty() => {
            let mut ways = ways;
            let unit = ways.pop().unwrap_or_default();
            let ceiling = ways.pop().unwrap_or_default();
            ways.push(format!("{ceiling} and {unit}"));
            ways.join(", or ")
        }
        (false, Resource::Threads) => ways.join(" and "),
        (false, _) => ways.join(", or "),
    }
}

/// Whether a storm of all clients would overflow queues of this length, one for each reactor.
pub(super) const fn is_short(queue: u64, connections: u64, shape: &Shape) -> bool {
    queue < QUEUE && queue.saturating_mul(shape.reactors) < connections / QUEUED
}

/// Whether less than a page each would be left if all connections had data on the way.
pub(super) const fn holds_too_little(pages: [u64; 3], connections: u64) -> bool {
    pages[2] < connections
}

/// A quarter more, as a round number.
fn rounded(n: u64) -> u64 {
    let more = n.saturating_add(n / 4);
    more.checked_next_power_of_two().unwrap_or(more)
}
