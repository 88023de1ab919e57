//! What the benches share: a counting allocator, rounds and medians, tables, the traffic to
//! measure with, a server to measure.
//!
//! Each file in `benches/` answers the question that it opens with. Counts (allocations, system
//! calls, instructions, bytes) are the same on every machine and at every load, so they are what to
//! compare between commits; times are medians and come with a ratio to something that the same
//! machine did in the same minute.
//!
//! `cargo bench -p gatehouse-benches` runs them all; `-- --quick` with fewer rounds.

pub mod alloc;
pub mod child;
pub mod client;
pub mod corpus;
pub mod memory;
pub mod server;
pub mod serving;
pub mod table;
pub mod timing;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;
