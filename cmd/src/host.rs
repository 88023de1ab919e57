//! What the host has to give.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory that this process may use: the host's, or what its control group has.
#[must_use]
pub fn memory_bytes() -> usize {
    let refresh = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(refresh);
    let host = system.total_memory();
    let bytes = system
        .cgroup_limits()
        .map_or(host, |limits| limits.total_memory.min(host));
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_has_some_memory() {
        assert!(memory_bytes() > 1 << 24);
    }
}
