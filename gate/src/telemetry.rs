//! Everything that a gate counts, in one place for those who show it.

use std::sync::Arc;

use network::{MemoryBudget, ReactorStats};

use crate::handle::GateHandle;
use crate::mailbox::MailboxDepth;
use crate::stats::{GateStats, WorkerStats};

/// The counters of a gate, readable from any thread and as long as one likes: also while the gate
/// stops, and afterwards. Reading them costs the gate nothing. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pub(crate) listeners: Arc<[Arc<str>]>,
    pub(crate) reactors: Arc<[ReactorView]>,
    pub(crate) workers: Arc<[WorkerView]>,
    pub(crate) handle: GateHandle,
    pub(crate) mailbox_events_max: usize,
}

#[derive(Debug)]
pub(crate) struct ReactorView {
    pub(crate) stats: Arc<ReactorStats>,
    pub(crate) gate: Arc<GateStats>,
}

#[derive(Debug)]
pub(crate) struct WorkerView {
    pub(crate) stats: Arc<WorkerStats>,
    pub(crate) mailbox: MailboxDepth,
}

impl Telemetry {
    /// Names of the listeners, in the order of [`ReactorStats::profiles`].
    pub fn listeners(&self) -> impl Iterator<Item = &str> {
        self.listeners.iter().map(AsRef::as_ref)
    }

    /// The counters of each reactor.
    pub fn reactors(&self) -> impl Iterator<Item = &ReactorStats> {
        self.reactors.iter().map(|view| view.stats.as_ref())
    }

    /// The counters of each reactor's gate.
    pub fn gates(&self) -> impl Iterator<Item = &GateStats> {
        self.reactors.iter().map(|view| view.gate.as_ref())
    }

    /// The counters of each worker.
    pub fn workers(&self) -> impl Iterator<Item = &WorkerStats> {
        self.workers.iter().map(|view| view.stats.as_ref())
    }

    /// Events that wait in the mailbox of each worker, or are being worked on.
    pub fn mailbox_events(&self) -> impl Iterator<Item = usize> {
        self.workers.iter().map(|view| view.mailbox.events())
    }

    /// Events that one mailbox may hold.
    #[must_use]
    pub const fn mailbox_events_max(&self) -> usize {
        self.mailbox_events_max
    }

    /// Batches of commands that wait for each reactor.
    pub fn command_batches(&self) -> impl Iterator<Item = usize> {
        self.handle.reactors.iter().map(|reactor| reactor.waiting())
    }

    /// The memory that is held for clients, and its limit.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        &self.handle.memory
    }
}
