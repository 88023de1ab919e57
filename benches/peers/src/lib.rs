//! What the servers that stand side by side have in common: how they are told what to do, where
//! they listen, and, for those on tokio, how they accept and echo.
//!
//! The program `peers` starts each server as a process of its own, loads it and compares; this
//! library is the servers' side. `docs/benchmarks.md` says what is measured and how.

pub mod floor;
pub mod serve;
pub mod tasks;
pub mod wire;
