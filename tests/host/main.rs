//! What needs the process for itself: the limit of descriptors, memory, threads. One test at a
//! time, whether they share a process (cargo test) or not (cargo nextest).

mod budget;
mod descriptors;
mod memory;
mod threads;

use std::sync::{Mutex, MutexGuard, PoisonError};

static PROCESS: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    // A test that failed leaves nothing behind that the next one could trip over.
    PROCESS.lock().unwrap_or_else(PoisonError::into_inner)
}
