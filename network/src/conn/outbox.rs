//! What waits to be written to one connection.
//!
//! ```text
//!   bytes     [ written | frame frame | frame ]        small frames, copied one behind another
//!                         start ▲
//!   segments  Copied(n), Shared(Bytes), Copied(m) …    only once a shared payload is among them
//!   runs      which frames may be dropped              only once there is one that may
//! ```
//!
//! An empty outbox is one null word. The queue behind a filled one comes from a pool of its reactor
//! and goes back there, so that a connection that answers at once never allocates.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use super::Stream;
use super::runs::{RunKind, Runs};
use crate::reactor::ReactorStats;

/// Slices passed to one vectored write; the kernel takes up to 1024, but beyond some tens the gain
/// is nil and the array is on the stack.
const SLICES_MAX: usize = 64;
/// Payloads from here on are queued by reference and not copied; below, a copy is cheaper than the
/// extra slice.
pub(crate) const SHARE_BYTES_MIN: usize = 4096;
/// A queue that grew beyond this is freed and not pooled.
const POOLED_BYTES_MAX: usize = 64 * 1024;
/// From this capacity on a queue grows by quarters.
const LONG_BYTES: usize = 16 * 1024;
/// Bytes that a pool keeps at most. A turn has no more than some hundred outboxes filled at a time,
/// and a node with a million connections has many pools.
const POOL_BYTES_MAX: usize = 256 * 1024;

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
    runs: Runs,
}

#[derive(Debug)]
enum Segment {
    Copied(usize),
    Shared(Bytes),
}

/// What was dropped from an outbox to make room in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evicted {
    /// Frames that a later one of the same key supersedes.
    pub(crate) superseded: u32,
    /// Frames that were the oldest.
    pub(crate) oldest: u32,
}

/// Empty queues for the outboxes of one reactor, and the count of what the filled ones take.
#[derive(Debug, Default)]
pub(crate) struct QueuePool {
    #[expect(
        clippy::vec_box,
        reason = "the outboxes hold boxes, so that an empty one is a word"
    )]
    free: Vec<Box<Queue>>,
    /// Bytes of heap behind the free ones.
    kept: usize,
    /// Bytes of heap behind the queues that are lent out, shared payloads left out.
    lent: usize,
    /// Bytes of the shared payloads in them, each as often as it is queued.
    shared: usize,
}

impl QueuePool {
    /// Bytes of heap behind the outboxes that are not empty. A shared payload is not theirs alone
    /// and is counted by whoever made it.
    pub(crate) fn lent(&self) -> usize {
        self.lent
    }

    /// Bytes that wait by reference, each as often as somebody does not read it.
    pub(crate) fn shared(&self) -> usize {
        self.shared
    }

    #[inline]
    fn take(&mut self) -> Box<Queue> {
        let queue = match self.free.pop() {
            Some(queue) => {
                self.kept -= queue.footprint();
                queue
            }
            None => Box::default(),
        };
        self.lent += queue.footprint();
        queue
    }

    #[inline]
    fn give(&mut self, mut queue: Box<Queue>) {
        debug_assert_eq!(queue.shared, 0, "counted here no more");
        let bytes = queue.footprint();
        self.lent -= bytes;
        if bytes <= POOLED_BYTES_MAX && self.kept + bytes <= POOL_BYTES_MAX {
            queue.clear();
            self.kept += bytes;
            self.free.push(queue);
        }
    }
}

/// Heap of an empty queue.
const QUEUE_BYTES: usize = size_of::<Queue>();

impl Queue {
    /// Bytes of heap, shared payloads left out.
    #[inline]
    fn footprint(&self) -> usize {
        QUEUE_BYTES + self.bytes.capacity()
    }

    #[inline]
    fn len(&self) -> usize {
        self.bytes.len() - self.start + self.shared
    }

    #[cold]
    fn grow(&mut self, pool: &mut QueuePool, bytes: usize) {
        let capacity = self.bytes.capacity();
        if capacity >= LONG_BYTES {
            self.bytes.reserve_exact(bytes.max(capacity / 4));
            pool.lent += self.bytes.capacity() - capacity;
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        // Clearing an empty deque costs more than asking.
        if !self.segments.is_empty() {
            self.segments.clear();
        }
        if !self.runs.is_empty() {
            self.runs.clear();
        }
        self.shared = 0;
    }

    /// Counts `n` bytes that were just appended to `bytes`.
    #[inline]
    fn note_copied(&mut self, n: usize) {
        self.runs.note_fixed(n);
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
        self.runs.note_fixed(payload.len());
        self.shared += payload.len();
        self.segments.push_back(Segment::Shared(payload));
    }

    /// Keeps only those runs of which `keep` says so.
    fn retain(&mut self, keep: &[bool]) {
        let mut old = std::mem::take(&mut self.segments);
        if old.is_empty() {
            old.push_back(Segment::Copied(self.bytes.len() - self.start));
        }
        let (mut from, mut to) = (self.start, 0);
        self.shared = 0;
        for (run, &keep) in self.runs.iter().zip(keep) {
            let mut left = run.bytes;
            while left > 0 {
                let Some(segment) = old.front_mut() else {
                    break;
                };
                match segment {
                    Segment::Copied(length) => {
                        let piece = left.min(*length);
                        if keep {
                            self.bytes.copy_within(from..from + piece, to);
                            to += piece;
                            match self.segments.back_mut() {
                                Some(Segment::Copied(known)) => *known += piece,
                                _ => self.segments.push_back(Segment::Copied(piece)),
                            }
                        }
                        from += piece;
                        left -= piece;
                        *length -= piece;
                        if *length == 0 {
                            old.pop_front();
                        }
                    }
                    // A shared payload is one frame, or the rest of one, and so in one run.
                    Segment::Shared(payload) => {
                        left = left.saturating_sub(payload.len());
                        if keep {
                            self.shared += payload.len();
                            let payload = std::mem::take(payload);
                            self.segments.push_back(Segment::Shared(payload));
                        }
                        old.pop_front();
                    }
                }
            }
        }
        self.bytes.truncate(to);
        self.start = 0;
        if self.shared == 0 {
            self.segments.clear();
        }
        self.runs.retain(keep);
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
    #[inline]
    fn advance(&mut self, mut n: usize) {
        if !self.runs.is_empty() {
            self.runs.advance(n);
        }
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
        if self.start >= POOLED_BYTES_MAX && self.start * 2 >= self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is empty and has no queue.
    #[inline]
    pub(crate) const fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len())
    }

    /// Appends what `encode` writes and returns how many bytes that was.
    #[inline(always)]
    pub(crate) fn append(
        &mut self,
        pool: &mut QueuePool,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let queue = self.0.get_or_insert_with(|| pool.take());
        let (before, capacity) = (queue.bytes.len(), queue.bytes.capacity());
        encode(&mut queue.bytes);
        let added = queue.bytes.len() - before;
        pool.lent += queue.bytes.capacity() - capacity;
        queue.note_copied(added);
        added
    }

    /// Makes room for `bytes` more in a long queue, a quarter at a time: many of them growing at
    /// once, as those of a topic do, must not double what they take together.
    #[inline]
    pub(crate) fn reserve(&mut self, pool: &mut QueuePool, bytes: usize) {
        if let Some(queue) = &mut self.0
            && queue.bytes.capacity() - queue.bytes.len() < bytes
        {
            queue.grow(pool, bytes);
        }
    }

    /// Says that the last `bytes` of the outbox are one frame that may be dropped.
    pub(crate) fn mark_last(&mut self, bytes: usize, kind: RunKind) {
        if let Some(queue) = &mut self.0 {
            let total = queue.len();
            queue.runs.mark_last(total, bytes, kind);
        }
    }

    /// Bytes of frames that must stay.
    pub(crate) fn fixed_len(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |queue| queue.len() - queue.runs.droppable())
    }

    /// Drops frames that may be dropped until at most `target` bytes are left, or none of them.
    /// With the key of a frame that is about to come, those that are superseded go first.
    pub(crate) fn evict(
        &mut self,
        pool: &mut QueuePool,
        target: usize,
        incoming: Option<u64>,
    ) -> Evicted {
        let Some(queue) = &mut self.0 else {
            return Evicted::default();
        };
        if queue.runs.is_empty() {
            return Evicted::default();
        }
        let choice = queue.runs.choose(queue.len(), target, incoming);
        if choice.superseded + choice.oldest > 0 {
            let shared = queue.shared;
            queue.retain(&choice.keep);
            pool.shared -= shared - queue.shared;
        }
        Evicted {
            superseded: choice.superseded,
            oldest: choice.oldest,
        }
    }

    /// Bytes of memory that closing the connection would free, shared payloads in full.
    pub(crate) fn footprint(&self) -> usize {
        self.0
            .as_ref()
            .map_or(0, |queue| queue.footprint() + queue.shared)
    }

    /// Bytes of heap, shared payloads left out.
    #[cfg(feature = "fuzz")]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.footprint())
    }

    /// Bytes of shared payloads.
    #[cfg(feature = "fuzz")]
    pub(crate) fn shared_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.shared)
    }

    /// Checks that what the queue says of itself adds up.
    #[cfg(feature = "fuzz")]
    pub(crate) fn audit(&self) {
        let Some(queue) = &self.0 else {
            return;
        };
        assert!(queue.start <= queue.bytes.len());
        let (mut copied, mut shared) = (0, 0);
        for segment in &queue.segments {
            match segment {
                Segment::Copied(bytes) => copied += bytes,
                Segment::Shared(payload) => shared += payload.len(),
            }
        }
        assert_eq!(queue.shared, shared);
        if !queue.segments.is_empty() {
            assert_eq!(queue.bytes.len() - queue.start, copied);
        }
        if !queue.runs.is_empty() {
            let runs: usize = queue.runs.iter().map(|run| run.bytes).sum();
            assert_eq!(queue.len(), runs);
        }
    }

    /// Appends `payload` by reference if it is long, by copy if it is short.
    /// Returns how many bytes that was.
    pub(crate) fn append_shared(&mut self, pool: &mut QueuePool, payload: Bytes) -> usize {
        let added = payload.len();
        if added < SHARE_BYTES_MIN {
            self.reserve(pool, added);
            self.append(pool, |out| out.extend_from_slice(&payload));
        } else {
            self.0
                .get_or_insert_with(|| pool.take())
                .push_shared(payload);
            pool.shared += added;
        }
        added
    }

    /// Writes an outbox of copied frames that nothing has been written of yet. `None` if it is not
    /// one, or on an error: [`flush`](Outbox::flush) knows what to do.
    #[inline]
    pub(crate) fn write_at_once(
        &mut self,
        pool: &mut QueuePool,
        stream: &mut impl Stream,
        stats: &ReactorStats,
    ) -> Option<Flush> {
        let Some(queue) = &mut self.0 else {
            return Some(Flush::Done);
        };
        if queue.start > 0 || !queue.segments.is_empty() || !queue.runs.is_empty() {
            return None;
        }
        stats.writes.add(1);
        let written = stream.write(&queue.bytes).ok()?;
        stats.bytes_out.add(written as u64);
        if written < queue.bytes.len() {
            queue.advance(written);
            return Some(Flush::Blocked);
        }
        if let Some(queue) = self.0.take() {
            pool.give(queue);
        }
        Some(Flush::Done)
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
                    let shared = queue.shared;
                    queue.advance(n);
                    pool.shared -= shared - queue.shared;
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
        if let Some(mut queue) = self.0.take() {
            pool.shared -= std::mem::take(&mut queue.shared);
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

    /// A frame that says which one it is and where it ends.
    fn frame(number: u32, length: usize) -> Vec<u8> {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.resize(8 + length, number as u8);
        bytes
    }

    /// The numbers of the frames in `bytes`, all of which must be whole.
    fn numbers(mut bytes: &[u8]) -> Vec<u32> {
        let mut numbers = Vec::new();
        while let Some((number, rest)) = bytes.split_first_chunk() {
            let (length, rest) = rest.split_first_chunk().expect("a whole frame");
            let (body, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
            let number = u32::from_le_bytes(*number);
            assert!(body.iter().all(|&byte| byte == number as u8));
            numbers.push(number);
            bytes = rest;
        }
        numbers
    }

    #[derive(Clone, Debug)]
    enum Turn {
        Queue(RunKind, usize),
        Write(usize),
        Evict(usize, Option<u64>),
    }

    fn turn() -> impl Strategy<Value = Turn> {
        let kind = prop_oneof![
            Just(RunKind::Fixed),
            Just(RunKind::Free),
            (0u64..4).prop_map(RunKind::Keyed),
        ];
        let length = prop_oneof![0usize..200, SHARE_BYTES_MIN..SHARE_BYTES_MIN + 50];
        prop_oneof![
            4 => (kind, length).prop_map(|(kind, length)| Turn::Queue(kind, length)),
            2 => (0usize..6_000).prop_map(Turn::Write),
            1 => (0usize..9_000, proptest::option::of(0u64..4))
                .prop_map(|(target, key)| Turn::Evict(target, key)),
        ]
    }

    proptest! {
        /// Whatever is dropped when: whole frames come out in order, those that must stay do, and
        /// of the others as many are missing as were said to be dropped.
        #[test]
        fn only_droppable_frames_are_dropped_and_only_whole(
            turns in proptest::collection::vec(turn(), 1..80),
        ) {
            let mut pool = QueuePool::default();
            let mut outbox = Outbox::default();
            let mut pipe = Pipe::default();
            let mut queued = Vec::new();
            let mut dropped = 0;
            for turn in turns {
                match turn {
                    Turn::Queue(kind, length) => {
                        let number = queued.len() as u32;
                        let bytes = frame(number, length);
                        let added = outbox.append_shared(&mut pool, Bytes::from(bytes));
                        outbox.mark_last(added, kind);
                        queued.push(kind);
                    }
                    Turn::Write(room) => {
                        pipe.room = room;
                        outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
                    }
                    Turn::Evict(target, incoming) => {
                        let fixed = outbox.fixed_len();
                        let evicted = outbox.evict(&mut pool, target, incoming);
                        dropped += evicted.superseded + evicted.oldest;
                        prop_assert_eq!(outbox.fixed_len(), fixed);
                        prop_assert!(outbox.len() <= target || outbox.len() == fixed);
                    }
                }
            }
            pipe.room = usize::MAX;
            outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
            let numbers = numbers(&pipe.written);
            prop_assert!(numbers.is_sorted());
            prop_assert_eq!(numbers.len() + dropped as usize, queued.len());
            for (number, kind) in queued.iter().enumerate() {
                if *kind == RunKind::Fixed {
                    prop_assert!(numbers.contains(&(number as u32)));
                }
            }
            prop_assert_eq!((pool.lent(), pool.shared()), (0, 0));
        }
    }

    #[test]
    fn a_full_outbox_keeps_the_latest_of_each_key_and_then_the_newest() {
        let keyed = |outbox: &mut Outbox, pool: &mut QueuePool, number, key| {
            let added = outbox.append_shared(pool, Bytes::from(frame(number, 92)));
            outbox.mark_last(added, RunKind::Keyed(key));
        };
        let mut pool = QueuePool::default();
        let mut outbox = Outbox::default();
        for (number, key) in [7, 8, 7, 9, 8, 7].into_iter().enumerate() {
            keyed(&mut outbox, &mut pool, number as u32, key);
        }
        // One of key 9 comes: 7 and 8 have an old one in front of their latest, 9 is superseded.
        let evicted = outbox.evict(&mut pool, usize::MAX, Some(9));
        assert_eq!((evicted.superseded, evicted.oldest), (4, 0));
        keyed(&mut outbox, &mut pool, 6, 9);
        let evicted = outbox.evict(&mut pool, 200, None);
        assert_eq!((evicted.superseded, evicted.oldest), (0, 1));
        let mut pipe = Pipe {
            room: usize::MAX,
            ..Pipe::default()
        };
        outbox.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
        assert_eq!(numbers(&pipe.written), [5, 6]);
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
    fn what_waits_by_reference_is_counted_until_it_is_written_or_dropped() {
        let mut pool = QueuePool::default();
        let mut outboxes = [Outbox::default(), Outbox::default(), Outbox::default()];
        let payload = Bytes::from(vec![7; 10_000]);
        for outbox in &mut outboxes {
            let added = outbox.append_shared(&mut pool, payload.clone());
            outbox.mark_last(added, RunKind::Free);
        }
        assert_eq!(pool.shared(), 30_000);
        let [taken, dropped, closed] = &mut outboxes;
        let mut pipe = Pipe {
            room: 4_000,
            ..Pipe::default()
        };
        taken.flush(&mut pool, &mut pipe, &mut 0, &mut 0).unwrap();
        assert_eq!(pool.shared(), 26_000, "what is written is not held");
        assert_eq!(dropped.evict(&mut pool, 0, None).oldest, 1);
        assert_eq!(pool.shared(), 16_000);
        closed.clear(&mut pool);
        taken.clear(&mut pool);
        assert_eq!(pool.shared(), 0);
    }

    #[test]
    fn a_queue_that_grew_large_is_not_kept() {
        let mut pool = QueuePool::default();
        let mut outbox = Outbox::default();
        outbox.append(&mut pool, |out| out.resize(POOLED_BYTES_MAX + 1, 0));
        outbox.clear(&mut pool);
        assert!(pool.free.is_empty());
    }
}
