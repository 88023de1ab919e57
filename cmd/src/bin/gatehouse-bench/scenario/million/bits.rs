//! A set of slots: one bit a connection, since there may be a million of them beside the server.

/// Slots in a word.
const WORD: u32 = u64::BITS;

#[derive(Debug, Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// One beyond the greatest slot that may be in it.
    pub(super) fn extent(&self) -> u32 {
        self.words.len() as u32 * WORD
    }

    pub(super) fn contains(&self, slot: u32) -> bool {
        let word = self.words.get((slot / WORD) as usize);
        word.is_some_and(|word| word & (1 << (slot % WORD)) != 0)
    }

    /// Adds a slot; false if it is there already.
    pub(super) fn insert(&mut self, slot: u32) -> bool {
        let (at, bit) = ((slot / WORD) as usize, 1 << (slot % WORD));
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        new
    }

    /// Takes a slot out; false if it is not there.
    pub(super) fn remove(&mut self, slot: u32) -> bool {
        let there = self.contains(slot);
        if there {
            self.words[(slot / WORD) as usize] &= !(1 << (slot % WORD));
        }
        there
    }

    /// The first slot from `slot` on.
    pub(super) fn next_from(&self, slot: u32) -> Option<u32> {
        let first = (slot / WORD) as usize;
        let mut mask = u64::MAX << (slot % WORD);
        for (at, word) in self.words.iter().enumerate().skip(first) {
            let word = word & mask;
            if word != 0 {
                return Some(at as u32 * WORD + word.trailing_zeros());
            }
            mask = u64::MAX;
        }
        None
    }

    /// Takes all out, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_and_go() {
        let mut bits = Bits::default();
        assert_eq!(bits.next_from(0), None);
        for slot in [0, 63, 64, 700] {
            assert!(bits.insert(slot) && !bits.insert(slot));
        }
        let all = std::iter::successors(bits.next_from(0), |at| bits.next_from(at + 1));
        assert_eq!(all.collect::<Vec<_>>(), [0, 63, 64, 700]);
        assert!(bits.remove(63) && !bits.remove(63) && !bits.remove(9000));
        assert!(!bits.contains(63) && bits.contains(64) && bits.next_from(1) == Some(64));
        bits.clear();
        assert_eq!(bits.next_from(0), None);
    }
}
