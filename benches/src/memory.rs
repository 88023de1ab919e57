//! What the kernel says of a process's memory.

use anyhow::Context;

/// Memory that a process has for itself.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Bytes of pages that it has written to and shares with nobody.
    pub private_dirty: u64,
    /// Bytes of pages that no file is behind: heap and stacks.
    pub anonymous: u64,
}

impl Footprint {
    /// That of a process (`/proc/<pid>/smaps_rollup`).
    ///
    /// # Errors
    /// If there is no such process, or the kernel says it in another way.
    pub fn of(process: u32) -> anyhow::Result<Self> {
        let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let bytes = |name: &str| -> anyhow::Result<u64> {
            let line = rollup.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1));
            let kib: u64 = kib.with_context(|| format!("no {name}"))?.parse()?;
            Ok(kib * 1024)
        };
        Ok(Self {
            private_dirty: bytes("Private_Dirty:")?,
            anonymous: bytes("Anonymous:")?,
        })
    }
}
