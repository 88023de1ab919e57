//! The control group of the process: what a container or a unit of systemd may use.

use std::path::{Component, Path};

use serde::Serialize;

use super::source::{Source, count};

/// A resource that is counted against a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// What may be used.
    pub max: u64,
    /// What is in use.
    pub used: u64,
}

impl Usage {
    /// What is left of it.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.max.saturating_sub(self.used)
    }
}

/// The limits of the group and of those that it is in: for each resource the one with the least
/// left. `None` stands for no limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ControlGroup {
    /// Bytes of memory; what can be taken back from files at once is not counted as used. The
    /// kernel's memory for sockets counts.
    pub memory: Option<Usage>,
    /// Threads.
    pub tasks: Option<Usage>,
    /// Processors' worth of time.
    pub processors: Option<f64>,
}

impl ControlGroup {
    pub(super) fn read(source: Source<'_>) -> Self {
        let text = source.text("proc/self/cgroup").unwrap_or_default();
        let mut group = Self::default();
        for line in text.lines() {
            // hierarchy-ID:controller-list:cgroup-path (cgroups(7)); version 2 names no controller.
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
                continue;
            };
            if controllers.is_empty() {
                group.add_unified(source, path);
            }
            for controller in controllers.split(',') {
                group.add_version_1(source, controller, path);
            }
        }
        group
    }

    fn add_unified(&mut self, source: Source<'_>, path: &str) {
        for at in ancestors("sys/fs/cgroup", path) {
            let file = |name: &str| format!("{at}/{name}");
            if let Some(max) = source.number(&file("memory.max")) {
                let used = source.number(&file("memory.current")).unwrap_or(0);
                let stat = source.text(&file("memory.stat")).unwrap_or_default();
                let files = count(&stat, "inactive_file ").unwrap_or(0);
                let used = used.saturating_sub(files);
                tighten(&mut self.memory, Usage { max, used });
            }
            if let Some(max) = source.number(&file("pids.max")) {
                let used = source.number(&file("pids.current")).unwrap_or(0);
                tighten(&mut self.tasks, Usage { max, used });
            }
            if let Some([quota, period]) = source.numbers(&file("cpu.max")) {
                self.limit_processors(quota, period);
            }
        }
    }

    fn add_version_1(&mut self, source: Source<'_>, controller: &str, path: &str) {
        for at in ancestors(&format!("sys/fs/cgroup/{controller}"), path) {
            let file = |name: &str| format!("{at}/{name}");
            match controller {
                "memory" => {
                    // No limit is a number beyond any memory; the host's is less then.
                    let Some(max) = source.number(&file("memory.limit_in_bytes")) else {
                        continue;
                    };
                    let used = source.number(&file("memory.usage_in_bytes")).unwrap_or(0);
                    let stat = source.text(&file("memory.stat")).unwrap_or_default();
                    let files = count(&stat, "total_inactive_file ").unwrap_or(0);
                    if max < u64::MAX >> 2 {
                        let used = used.saturating_sub(files);
                        tighten(&mut self.memory, Usage { max, used });
                    }
                }
                "pids" => {
                    if let Some(max) = source.number(&file("pids.max")) {
                        let used = source.number(&file("pids.current")).unwrap_or(0);
                        tighten(&mut self.tasks, Usage { max, used });
                    }
                }
                "cpu" => {
                    let quota = source.number(&file("cpu.cfs_quota_us"));
                    let period = source.number(&file("cpu.cfs_period_us"));
                    if let (Some(quota), Some(period)) = (quota, period) {
                        self.limit_processors(quota, period);
                    }
                }
                _ => {}
            }
        }
    }

    fn limit_processors(&mut self, quota: u64, period: u64) {
        let processors = quota as f64 / period.max(1) as f64;
        self.processors = Some(self.processors.map_or(processors, |p| p.min(processors)));
    }
}

fn tighten(least: &mut Option<Usage>, usage: Usage) {
    if least.is_none_or(|least| usage.left() < least.left()) {
        *least = Some(usage);
    }
}

/// The directories of a group and of those that it is in. A container sees its own group as the
/// root of the file system of groups, whatever it is called outside; so the root is always one.
fn ancestors(root: &str, path: &str) -> Vec<String> {
    let mut at = root.to_owned();
    let mut all = vec![at.clone()];
    for part in Path::new(path).components() {
        // A group outside of the namespace is written with `..`, and cannot be seen.
        if let Component::Normal(part) = part {
            at = format!("{at}/{}", part.to_string_lossy());
            all.push(at.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tree::Tree;

    #[test]
    fn the_tightest_of_the_groups_around_it_counts() {
        let tree = Tree::new()
            .file("proc/self/cgroup", "0::/system.slice/gatehouse.service\n")
            .file("sys/fs/cgroup/system.slice/memory.max", "1000000\n")
            .file("sys/fs/cgroup/system.slice/memory.current", "400000\n")
            .file(
                "sys/fs/cgroup/system.slice/memory.stat",
                "anon 1\ninactive_file 100000\n",
            )
            .file(
                "sys/fs/cgroup/system.slice/gatehouse.service/memory.max",
                "max\n",
            )
            .file(
                "sys/fs/cgroup/system.slice/gatehouse.service/pids.max",
                "40\n",
            )
            .file(
                "sys/fs/cgroup/system.slice/gatehouse.service/pids.current",
                "10\n",
            )
            .file("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n");
        let group = ControlGroup::read(tree.source());
        let (max, used) = (1_000_000, 300_000);
        assert_eq!(group.memory, Some(Usage { max, used }));
        assert_eq!(group.tasks.unwrap().left(), 30);
        assert_eq!(group.processors, Some(1.5));
    }

    #[test]
    fn version_1_has_a_hierarchy_for_each_controller() {
        let tree = Tree::new()
            .file(
                "proc/self/cgroup",
                "8:pids:/docker/abc\n4:memory:/docker/abc\n1:cpu,cpuacct:/docker/abc\n0::/\n",
            )
            // In the container the group is mounted as the root.
            .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n")
            .file("sys/fs/cgroup/memory/memory.usage_in_bytes", "36870912\n")
            .file("sys/fs/cgroup/pids/pids.max", "max\n")
            .file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
            .file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
        let group = ControlGroup::read(tree.source());
        assert_eq!(group.memory.unwrap().left(), 500_000_000);
        assert_eq!((group.tasks, group.processors), (None, None));
        let unlimited = Tree::new().file("proc/self/cgroup", "4:memory:/\n").file(
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        );
        assert_eq!(ControlGroup::read(unlimited.source()).memory, None);
    }
}
