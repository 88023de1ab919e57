//! What the host has to give: [`HostFacts`] are read, and [`Capacity`] says how many connections
//! they allow a node of a given [`Shape`].
//!
//! ```text
//!   /proc, /sys ──▶ HostFacts ─┐
//!                              ├──▶ Capacity: one Bound for each resource, the least binds
//!   Config ───────▶ Shape ─────┘
//! ```

mod capacity;
mod cgroup;
mod facts;
mod shape;
mod source;
#[cfg(test)]
pub(crate) mod tree;

use std::path::Path;

pub use capacity::{Bound, Capacity, KERNEL_BYTES, Resource};
pub use cgroup::{ControlGroup, Usage};
pub use facts::{Conntrack, DescriptorLimits, HostFacts, Memory, Ports};
pub use shape::{ACCOUNTED_BYTES, Shape, TLS_USER_BYTES, USER_BYTES};

/// Bytes of memory that this process may use: the host's, or what its control group has.
#[must_use]
pub fn memory_bytes() -> usize {
    let bytes = HostFacts::read(Path::new("/")).memory.allowed();
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
