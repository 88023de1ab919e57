//! Numbers as people read them.

use bytesize::ByteSize;
use indicatif::HumanCount;

use crate::host::Resource;

/// Kernels write their "no limit" as numbers that nothing ever reaches.
const BEYOND_ALL: u64 = 1 << 40;

pub(super) fn count(n: u64) -> String {
    if n >= BEYOND_ALL {
        "unlimited".to_owned()
    } else {
        HumanCount(n).to_string()
    }
}

pub(super) fn bytes(n: u64) -> String {
    ByteSize::b(n).to_string()
}

pub(super) const fn name(resource: Resource) -> &'static str {
    match resource {
        Resource::Descriptors => "descriptors",
        Resource::Files => "open files, host",
        Resource::EpollWatches => "epoll watches",
        Resource::Conntrack => "conntrack",
        Resource::Memory => "memory",
        Resource::Commit => "overcommit",
        Resource::Budget => "memory budget",
        Resource::Threads => "threads",
    }
}
