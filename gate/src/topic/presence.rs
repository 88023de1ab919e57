//! Which reactors have subscribers of a topic, for those who publish.

use std::sync::atomic::{AtomicU32, Ordering};

use common::TopicId;

/// Rows of counts; topics that fall into the same row share it, which costs a wake-up too many and
/// never one too few.
const ROWS: usize = 1024;

/// Counts subscriptions per row and reactor, without a lock. A subscription counts from when it is
/// asked for, so that who subscribes and then publishes never misses anybody.
#[derive(Debug)]
pub(crate) struct TopicPresence {
    reactors: usize,
    counts: Box<[AtomicU32]>,
}

impl TopicPresence {
    pub(crate) fn new(reactors: usize) -> Self {
        Self {
            reactors,
            counts: (0..ROWS * reactors).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn row(&self, topic: TopicId) -> &[AtomicU32] {
        // Fibonacci hashing: the high bits of the product mix all bits of the id.
        let row = (topic.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize;
        &self.counts[row * self.reactors..(row + 1) * self.reactors]
    }

    pub(crate) fn enter(&self, topic: TopicId, reactor: u16) {
        self.row(topic)[usize::from(reactor)].fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn leave(&self, topic: TopicId, reactor: u16) {
        self.row(topic)[usize::from(reactor)].fetch_sub(1, Ordering::SeqCst);
    }

    /// The reactors that may have subscribers.
    pub(crate) fn reactors(&self, topic: TopicId) -> impl Iterator<Item = u16> + '_ {
        let all = topic == TopicId::ALL;
        self.row(topic)
            .iter()
            .enumerate()
            .filter(move |(_, count)| all || count.load(Ordering::SeqCst) > 0)
            .map(|(reactor, _)| reactor as u16)
    }
}

const _: () = assert!(ROWS == 1 << (64 - 54));
