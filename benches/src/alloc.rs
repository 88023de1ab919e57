//! An allocator that counts by thread, so that a server's allocations can be told from those of the
//! clients beside it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Threads that are counted apart; those beyond share the last row.
const THREADS_MAX: usize = 256;
const UNASSIGNED: usize = usize::MAX;

static ROWS: [Row; THREADS_MAX] = [const { Row::new() }; THREADS_MAX];
static ROWS_USED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Without a destructor, so that it may be looked at as long as the thread allocates.
    static ROW: Cell<usize> = const { Cell::new(UNASSIGNED) };
}

struct Row {
    /// As the kernel numbers threads; 0 if the row is free.
    thread: AtomicI32,
    allocations: AtomicU64,
    bytes: AtomicU64,
}

impl Row {
    const fn new() -> Self {
        Self {
            thread: AtomicI32::new(0),
            allocations: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    fn count(&self) -> Count {
        Count {
            allocations: self.allocations.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }
}

/// The system's allocator with a count in front.
#[derive(Debug)]
pub struct Counting;

#[expect(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every call is passed on unchanged to the system's allocator, and counting neither
// allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's obligations are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn note(bytes: usize) {
    let row = &ROWS[own_row()];
    row.allocations.fetch_add(1, Relaxed);
    row.bytes.fetch_add(bytes as u64, Relaxed);
}

#[inline]
fn own_row() -> usize {
    let row = ROW.get();
    if row == UNASSIGNED { assign_row() } else { row }
}

#[cold]
fn assign_row() -> usize {
    let row = ROWS_USED.fetch_add(1, Relaxed).min(THREADS_MAX - 1);
    ROWS[row]
        .thread
        .store(nix::unistd::gettid().as_raw(), Relaxed);
    ROW.set(row);
    row
}

/// Blocks asked for, grown ones included, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Calls that asked for a block.
    pub allocations: u64,
    /// Bytes asked for in them.
    pub bytes: u64,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            allocations: self.allocations + other.allocations,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Sub for Count {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            allocations: self.allocations - earlier.allocations,
            bytes: self.bytes - earlier.bytes,
        }
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

/// What the calling thread has asked for so far.
#[must_use]
pub fn of_this_thread() -> Count {
    ROWS[own_row()].count()
}

/// What the living threads have asked for so far whose name begins with `prefix`.
#[must_use]
pub fn of_threads(prefix: &str) -> Count {
    let used = ROWS_USED.load(Relaxed).min(THREADS_MAX);
    ROWS[..used]
        .iter()
        .filter(|row| thread_name(row.thread.load(Relaxed)).starts_with(prefix))
        .map(Row::count)
        .sum()
}

/// Empty if the thread has ended.
fn thread_name(thread: i32) -> String {
    std::fs::read_to_string(format!("/proc/self/task/{thread}/comm")).unwrap_or_default()
}
