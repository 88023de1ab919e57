//! What waits to be written to one connection.
//!
//! ```text
//!   bytes     [ written | frame frame | frame ]        small frames, copied one behind another
//!                         start ▲
//!   segments  Copied(n), Shared(Bytes), Copied(m) …    only once a shared payload is among them
//! ```
//!
//! An empty outbox is one null word. The queue behind a filled one comes from a pool of its reactor
//! and goes back there, so that a connection that answers at once never allocates.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use super::Stream;

/// Slices passed to one vectored write; the kernel takes up to 1024, but beyond some tens the gain
/// is nil and the array is on the stack.
const SLICES_MAX: usize = 64;
/// Payloads from here on are queued by reference and not copied; below, a copy is cheaper than the
/// extra slice.
pub(crate) const SHARE_BYTES_MIN: usize = 4096;
/// A queue that grew beyond this is freed and not pooled.
const POOLED_CAPACITY_MAX: usize = 64 * 1024;
/// Bytes of capacity that a pool keeps at most.
const POOL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a flush left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Everything was handed to the kernel.
    Done,
    /// The kernel is full; an event will say when it has room.
    Blocked,
}

/// The outbox of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Option<Box<Queue>>);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    /// `0 <= start <= bytes.len()`: what lies before is written already.
    start: usize,
    /// Empty as long as only `bytes` are queued. The `Copied` lengths add up to
    /// `bytes.len() - start`.
    segments: VecDeque<Segment>,
    /// Bytes of the `Shared` segments.
    shared: usize,
}

#[derive(Debug)]
enum Segment {
    Copied(usize),
    Shared(Bytes),
}

/// Empty queues for the outboxes of one reactor.
#[derive(Debug, Default)]
pub(crate) struct QueuePool {
    #[expect(
        clippy::vec_box,
        reason = "the outboxes hold boxes, so that an empty one is a word"
    )]
    free: Vec<Box<Queue>>,
    capacity: usize,
}

impl QueuePool {
    fn take(&mut self) -> Box<Queue> {
        let queue = self.free.pop().unwrap_or_default();
        self.capacity -= queue.bytes.capacity();
        queue
    }

    fn give(&mut self, mut queue: Box<Queue>) {
        let capacity = queue.bytes.capacity();
        if capacity <= POOLED_CAPACITY_MAX && self.capacity + capacity <= POOL_BYTES_MAX {
            queue.clear();
            self.capacity += capacity;
            self.free.push(queue);
        }
    }
}

impl Queue {
    fn len(&self) -> usize {
        self.bytes.len() - self.start + self.shared
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.segments.clear();
        self.shared = 0;
    }

    /// Counts `n` bytes that were just appended to `bytes`.
    fn note_copied(&mut self, n: usize) {
        if self.shared > 0 {
            match self.segments.back_mut() {
                Some(Segment::Copied(length)) => *length += n,
                _ => self.segments.push_back(Segment::Copied(n)),
            }
        }
    }

    fn push_shared(&mut self, payload: Bytes) {
        if self.segments.is_empty() && self.start < self.bytes.len() {
            self.segments
                .push_back(Segment::Copied(self.bytes.len() - self.start));
        }
        self.shared += payload.len();
        self.segments.push_back(Segment::Shared(payload));
    }

    fn write(&self, stream: &mut impl Stream) -> io::Result<usize> {
        if self.segments.is_empty() {
            return stream.write(&self.bytes[self.start..]);
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        let mut at = self.start;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = match segment {
                Segment::Copied(length) => {
                    at += length;
                    IoSlice::new(&self.bytes[at - length..at])
                }
                Segment::Shared(payload) => IoSlice::new(payload),
            };
            count += 1;
        }
        stream.write_vectored(&slices[..count])
    }

    /// Drops `n` bytes from the front.
    fn advance(&mut self, mut n: usize) {
        if self.segments.is_empty() {
            self.start += n;
        }
        while n > 0 && !self.segments.is_empty() {
            let taken = match &mut self.segments[0] {
                Segment::Copied(length) => {
                    let taken = n.min(*length);
                    *length -= taken;
                    self.start += taken;
                    (taken, *length == 0)
                }
                Segment::Shared(payload) => {
                    let taken = n.min(payload.len());
                    payload.advance(taken);
                    self.shared -= taken;
                    (taken, payload.is_empty())
                }
            };
            n -= taken.0;
            if taken.1 {
                self.segments.pop_front();
            }
        }
        if self.shared == 0 {
            self.segments.clear();
        }
        // A peer that is never quite caught up must not make the written part grow for ever.
        if self.start >= POOLED_CAPACITY_MAX && self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len())
    }

    /// Appends what `encode` writes and returns how many bytes that was.
    #[inline]
    pub(crate) fn append(
        &mut self,
        pool: &mut QueuePool,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let queue = self.0.get_or_insert_with(|| pool.take());
        let before = queue.bytes.len();
        encode(&mut queue.bytes);
        let added = queue.bytes.len() - before;
        queue.note_copied(added);
        added
    }

    /// Appends `payload` by reference if it is long, by copy if it is short.
    pub(crate) fn append_shared(&mut self, pool: &mut QueuePool, payload: Bytes) {
        if payload.len() < SHARE_BYTES_MIN {
            self.append(pool, |out| out.extend_from_slice(&payload));
        } else {
            self.0
                .get_or_insert_with(|| pool.take())
                .push_shared(payload);
        }
    }

    /// Writes what the kernel takes.
    ///
    /// # Errors
    /// What the socket answers, `WouldBlock` and `Interrupted` excepted.
    #[inline]
    pub(crate) fn flush(
        &mut self,
        pool: &mut QueuePool,
        stream: &mut impl Stream,
        written: &mut u64,
        calls: &mut u64,
    ) -> io::Result<Flush> {
        let Some(queue) = &mut self.0 else {
            return Ok(Flush::Done);
        };
        while queue.len() > 0 {
            let slices = queue.segments.len();
            let wanted = queue.len();
            *calls += 1;
            match queue.write(stream) {
                Ok(n) => {
                    *written += n as u64;
                    queue.advance(n);
                    // A short write means that the kernel's buffer is full: the next one would
                    // only say so. Unless there were more slices than one write takes.
                    if n < wanted && slices <= SLICES_MAX {
                        return Ok(Flush::Blocked);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flush::Blocked);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(queue) = self.0.take() {
            pool.give(queue);
        }
        Ok(Flush::Done)
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self, pool: &mut QueuePool) {
        if let Some(queue) = self.0.take() {
            pool.give(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::testing::Pipe;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Copy(Vec<u8>),
        Share(Vec<u8>),
        Write(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..300).prop_map(Step::Copy),
            (SHARE_BYTES_MIN..SHARE_BYTES_MIN + 50, any::<u8>())
                .prop_map(|(length, byte)| Step::Share(vec![byte; length])),
            (0usize..12_000).prop_map(Step::Write),
        ]
    }

    proptest! {
        /// Whatever the kernel takes at a time, the bytes come out whole and in order.
        #[test]
        fn bytes_come_out_in_order(steps in proptest::collection::vec(step(), 1..80)) {
            let mut pool = QueuePool::default();
            let mut outbox = Outbox::default();
            let mut pipe = Pipe::default();
            let mut expected = Vec::new();
            for step in steps {
                match step {
                    Step::Copy(bytes) => {
                        expected.extend_from_slice(&bytes);
                        outbox.append(&mut pool, |out| out.extend_from_slice(&bytes));
                    }
                    Step::Share(bytes) => {
                        expected.extend_from_slice(&bytes);
                        outbox.append_shared(&mut pool, Bytes::from(bytes));
                    }
                    Step::Write(room) => {
                        pipe.room = room;
                        let flush = outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
                        prop_assert_eq!(flush == Flush::Done, outbox.is_empty());
                    }
                }
                prop_assert_eq!(outbox.len(), expected.len() - pipe.written.len());
            }
            pipe.room = usize::MAX;
            prop_assert_eq!(
                outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap(),
                Flush::Done
            );
            prop_assert!(outbox.is_empty());
            prop_assert_eq!(pipe.written, expected);
        }
    }

    #[test]
    fn an_emptied_outbox_gives_its_queue_back() {
        let mut pool = QueuePool::default();
        let mut outbox = Outbox::default();
        let mut pipe = Pipe {
            room: usize::MAX,
            ..Pipe::default()
        };
        outbox.append(&mut pool, |out| out.extend_from_slice(b"hello"));
        assert!(pool.free.is_empty());
        outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
        assert_eq!(pool.free.len(), 1);
        outbox.append(&mut pool, |out| out.extend_from_slice(b"again"));
        assert!(pool.free.is_empty(), "the pooled queue is used again");
    }

    #[test]
    fn a_queue_that_grew_large_is_not_kept() {
        let mut pool = QueuePool::default();
        let mut outbox = Outbox::default();
        outbox.append(&mut pool, |out| out.resize(POOLED_CAPACITY_MAX + 1, 0));
        outbox.clear(&mut pool);
        assert!(pool.free.is_empty());
    }
}
