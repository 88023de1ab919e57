//! What this process uses of its host, from /proc.

use std::fs;

/// Bytes of memory that are this process's own (`Private_Clean` + `Private_Dirty`).
///
/// # Panics
/// If there is no such file in /proc.
#[must_use]
pub fn private_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/smaps_rollup").expect("a Linux with smaps_rollup");
    text.lines()
        .filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum::<u64>()
        * 1024
}

/// The threads of this process: their names, and the descriptors open in the table of each, which
/// may be one that they share.
#[must_use]
pub fn threads() -> Vec<(String, usize)> {
    let tasks = fs::read_dir("/proc/self/task").expect("a Linux with /proc");
    tasks
        .flatten()
        .filter_map(|task| {
            // A thread may end between the listing and this.
            let name = fs::read_to_string(task.path().join("comm")).ok()?;
            let descriptors = fs::read_dir(task.path().join("fd")).ok()?.count();
            Some((name.trim_end().to_owned(), descriptors))
        })
        .collect()
}

/// Threads whose name begins so.
#[must_use]
pub fn threads_named(prefix: &str) -> usize {
    threads()
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .count()
}

/// Descriptors in the tables of the threads whose name begins so, the fullest first.
#[must_use]
pub fn descriptors_of(prefix: &str) -> Vec<usize> {
    let mut counts: Vec<_> = threads()
        .into_iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .map(|(_, count)| count)
        .collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}
