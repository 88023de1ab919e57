//! What a user keeps note of, so that nothing can be lost, doubled or exchanged unnoticed.

use std::collections::BTreeSet;

/// Numbers from 1 that have come, in any order and without repetition.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// All up to here have come.
    complete: u64,
    /// Others that have come. Empty but while something is on its way.
    above: BTreeSet<u64>,
}

impl Numbers {
    /// Takes note of one; true if it had not come before.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if number <= self.complete || !self.above.insert(number) {
            return false;
        }
        while self.above.remove(&(self.complete + 1)) {
            self.complete += 1;
        }
        true
    }

    /// All up to here have come.
    pub(super) const fn complete(&self) -> u64 {
        self.complete
    }

    /// Whether none is missing below the last.
    pub(super) fn is_dense(&self) -> bool {
        self.above.is_empty()
    }
}

/// A conversation, as one of its users knows it.
#[derive(Debug, Default)]
pub(super) struct Log {
    numbers: Numbers,
    /// All messages together: who has said which under which number, in any order.
    digest: u64,
    /// The last that was pushed on this connection.
    pushed: u64,
}

impl Log {
    /// Takes note of a message: its place, its sender, and the sender's own count of it. True if it
    /// had not come before.
    pub(super) fn note(&mut self, seq: u64, sender: u32, count: u64) -> bool {
        let new = self.numbers.insert(seq);
        if new {
            // Each message changes it in a way of its own, and twice is as never: two logs with the
            // same numbers have the same digest if they agree on every message.
            self.digest ^= mix(mix(mix(seq) ^ u64::from(sender)) ^ count);
        }
        new
    }

    /// Whether a push comes in order on its connection.
    pub(super) fn is_next_push(&mut self, seq: u64) -> bool {
        let in_order = seq > self.pushed;
        self.pushed = self.pushed.max(seq);
        in_order
    }

    /// Another connection begins: what it is pushed has an order of its own.
    pub(super) fn begin_connection(&mut self) {
        self.pushed = 0;
    }

    /// All up to here are known.
    pub(super) const fn complete(&self) -> u64 {
        self.numbers.complete()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            last: self.numbers.complete,
            dense: self.numbers.is_dense(),
            digest: self.digest,
        }
    }
}

/// What is compared between the users of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) last: u64,
    pub(super) dense: bool,
    digest: u64,
}

/// A number that looks drawn by lot (splitmix64).
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_any_order_and_once() {
        let mut numbers = Numbers::default();
        assert!(numbers.insert(2) && numbers.insert(3) && !numbers.is_dense());
        assert!(!numbers.insert(3));
        assert!(numbers.insert(1) && numbers.is_dense());
        assert_eq!(numbers.complete(), 3);
        assert!(!numbers.insert(2));
    }

    #[test]
    fn logs_agree_only_if_every_message_does() {
        let log = |messages: &[(u64, u32, u64)]| {
            let mut log = Log::default();
            for &(seq, sender, count) in messages {
                log.note(seq, sender, count);
            }
            log.standing()
        };
        let one = log(&[(1, 7, 1), (2, 8, 1), (3, 7, 2)]);
        assert_eq!(one, log(&[(3, 7, 2), (1, 7, 1), (1, 7, 1), (2, 8, 1)]));
        assert_ne!(one, log(&[(1, 7, 2), (2, 8, 1), (3, 7, 1)]), "exchanged");
        assert_ne!(one, log(&[(1, 8, 1), (2, 7, 1), (3, 7, 2)]), "another's");
        assert_ne!(one, log(&[(1, 7, 1), (3, 7, 2)]), "one is missing");
    }
}
