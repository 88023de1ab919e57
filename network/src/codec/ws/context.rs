//! Context takeover (RFC 7692 section 7.1.1): windows that live from message to message, and the
//! budget of memory that all of them share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Compress, Decompress};

use super::deflate::{DeflateForm, deflate, inflate, new_inflate};
use crate::codec::ProtocolError;
use crate::memory::{MemoryBudget, Pressure};

/// Heap of a decompressor, whatever its window: zlib-rs 0.6 allocates for the largest. Measured
/// with a counting allocator; a test of the benches measures it again.
pub const INFLATE_CONTEXT_BYTES: usize = 47_552;

/// Heap of a compressor with a window of `window_bits`: two windows of text and as many links, and
/// tables that do not depend on it. Measured as above: 251 kB for 9, 380 kB for 15.
#[must_use]
pub const fn deflate_context_bytes(window_bits: u8) -> usize {
    248_960 + (4 << window_bits)
}

/// Memory that the contexts of connections may take together, in bytes. Clones share it, so that
/// one budget serves every listener and reactor of a node.
#[derive(Clone, Debug)]
pub struct ContextBudget {
    left: Arc<AtomicUsize>,
    /// The budget that this one is a part of.
    memory: Arc<MemoryBudget>,
}

impl ContextBudget {
    /// A budget of so many bytes, for which no other one has to have room.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self::within(Arc::new(MemoryBudget::unlimited()), bytes)
    }

    /// A budget of so many bytes at most, accounted to the node's `memory`. While that is short no
    /// further context is granted.
    #[must_use]
    pub fn within(memory: Arc<MemoryBudget>, bytes: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(bytes)),
            memory,
        }
    }

    /// Bytes that nobody has taken.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Takes `bytes` out until the lease is dropped; `None` if there are not as many.
    fn lease(&self, bytes: usize) -> Option<Lease> {
        if self.memory.pressure() != Pressure::Low {
            return None;
        }
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            })
            .ok()?;
        self.memory.take(bytes);
        Some(Lease {
            budget: self.clone(),
            bytes,
        })
    }
}

impl PartialEq for ContextBudget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.left, &other.left)
    }
}

impl Eq for ContextBudget {}

/// A part of the budget.
#[derive(Debug)]
struct Lease {
    budget: ContextBudget,
    bytes: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
        self.budget.memory.give_back(self.bytes);
    }
}

/// What a connection with context takeover has of its own. Neither context is made before the
/// first message that needs it.
#[derive(Debug, Default)]
pub(crate) struct Contexts {
    pub(crate) send: Option<SendContext>,
    pub(crate) receive: Option<ReceiveContext>,
}

impl Contexts {
    pub(crate) const fn is_empty(&self) -> bool {
        self.send.is_none() && self.receive.is_none()
    }
}

/// A compressor that goes on from message to message.
#[derive(Debug)]
pub(crate) struct SendContext {
    stream: Option<Box<Compress>>,
    /// The peer's window holds something else than ours, which must be emptied before its next use.
    stale: bool,
    _lease: Lease,
}

impl SendContext {
    /// A context for windows of up to `window_bits`, if the budget has room for it.
    pub(crate) fn new(budget: &ContextBudget, window_bits: u8) -> Option<Self> {
        Some(Self {
            stream: None,
            stale: false,
            _lease: budget.lease(deflate_context_bytes(window_bits))?,
        })
    }

    /// Compresses `payload` into `scratch`; `None` if that makes it much longer.
    pub(crate) fn compress<'a>(
        &mut self,
        form: DeflateForm,
        payload: &[u8],
        scratch: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let stream = self
            .stream
            .get_or_insert_with(|| Box::new(form.new_stream()));
        if std::mem::take(&mut self.stale) {
            stream.reset();
        }
        // A message that becomes a little longer is sent compressed all the same, since those after
        // it will refer to it.
        let bytes_end = payload.len() + payload.len() / 32 + 8;
        let compressed = deflate(stream, payload, bytes_end, scratch);
        // What is sent plain after all is in our window and not in the peer's.
        self.stale = compressed.is_none();
        compressed
    }

    /// The peer was, or may yet be, sent what this context has not compressed: its window has
    /// moved on. Emptied, ours refers to nothing before the next message, which is always right.
    pub(crate) const fn forget(&mut self) {
        self.stale = true;
    }
}

/// A decompressor that goes on from message to message.
#[derive(Debug)]
pub(crate) struct ReceiveContext {
    stream: Option<Box<Decompress>>,
    _lease: Lease,
}

impl ReceiveContext {
    pub(crate) fn new(budget: &ContextBudget) -> Option<Self> {
        Some(Self {
            stream: None,
            _lease: budget.lease(INFLATE_CONTEXT_BYTES)?,
        })
    }

    pub(super) fn inflate<'a>(
        &mut self,
        payload: &[u8],
        bytes_max: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Result<&'a mut [u8], ProtocolError> {
        let stream = self.stream.get_or_insert_with(|| Box::new(new_inflate()));
        inflate(stream, true, payload, bytes_max, scratch)
    }
}
