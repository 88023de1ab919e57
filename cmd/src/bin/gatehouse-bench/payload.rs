//! Payloads that tell whose they are.
//!
//! ```text
//!   [ sequence, lowest digit first | connection number | a stretch of the pattern ]
//!     binary: 8 bytes                4 bytes             starts elsewhere in each message
//!     text:   11 digits of 6 bits    6 digits
//! ```
//!
//! A payload too short for that carries the front of it: the low digits of the sequence.

/// Where the stretch of a message starts in the pattern is one of so many; a prime, so that
/// neighbours in sequence or number do not share it.
const STARTS: usize = 251;
/// How far from its place a reply is looked for before it counts as corrupted.
const WINDOW: u64 = 4096;

/// Makes and checks the payloads of one thread.
#[derive(Debug)]
pub(crate) struct Stamp {
    digits: Digits,
    /// `size + STARTS` bytes.
    pattern: Box<[u8]>,
    /// The payload made last; made anew for each, never allocated again.
    buffer: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
enum Digits {
    Bytes,
    /// Six bits each, `0` to `o`: valid in text, JSON lines included.
    Printable,
}

/// What a reply turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The one that was due.
    Due,
    /// A whole one, so many places early: those before it were lost or overtaken.
    Early(u64),
    /// A whole one that had been there before, or was given up.
    Stale,
    /// None that was sent.
    Corrupted,
}

impl Stamp {
    pub(crate) fn new(size: usize, text: bool) -> Self {
        let digits = if text {
            Digits::Printable
        } else {
            Digits::Bytes
        };
        // Any fixed sequence without short periods will do (Knuth's MMIX generator).
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let pattern = (0..size + STARTS)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                digits.digit(state >> 40)
            })
            .collect();
        Self {
            digits,
            pattern,
            buffer: vec![0; size].into(),
        }
    }

    /// The payload of message `sequence` of connection `number`.
    #[inline]
    pub(crate) fn make(&mut self, number: u32, sequence: u64) -> &[u8] {
        let mut buffer = std::mem::take(&mut self.buffer);
        let (head, used) = self.digits.head(number, sequence);
        let used = used.min(buffer.len());
        buffer[..used].copy_from_slice(&head[..used]);
        let rest = buffer.len() - used;
        buffer[used..].copy_from_slice(&self.pattern[start(number, sequence)..][..rest]);
        self.buffer = buffer;
        &self.buffer
    }

    /// Whether `payload` is, byte by byte, message `sequence` of connection `number`.
    #[inline]
    fn is(&self, payload: &[u8], number: u32, sequence: u64) -> bool {
        let (head, used) = self.digits.head(number, sequence);
        let used = used.min(self.buffer.len());
        payload.len() == self.buffer.len()
            && payload[..used] == head[..used]
            && payload[used..]
                == self.pattern[start(number, sequence)..][..self.buffer.len() - used]
    }

    /// Judges a reply on connection `number`, where `due` is next and all below `sent` were sent.
    #[inline]
    pub(crate) fn judge(&self, payload: &[u8], number: u32, due: u64, sent: u64) -> Verdict {
        if due < sent && self.is(payload, number, due) {
            return Verdict::Due;
        }
        self.search(payload, number, due, sent)
    }

    #[cold]
    fn search(&self, payload: &[u8], number: u32, due: u64, sent: u64) -> Verdict {
        let last = sent.min(due + WINDOW);
        if let Some(found) = (due..last).find(|&at| self.is(payload, number, at)) {
            return Verdict::Early(found - due);
        }
        let first = due.saturating_sub(WINDOW);
        if (first..due).any(|at| self.is(payload, number, at)) {
            return Verdict::Stale;
        }
        Verdict::Corrupted
    }
}

#[inline]
fn start(number: u32, sequence: u64) -> usize {
    (sequence.wrapping_mul(31).wrapping_add(u64::from(number)) % STARTS as u64) as usize
}

impl Digits {
    #[inline]
    fn digit(self, value: u64) -> u8 {
        match self {
            Self::Bytes => value as u8,
            Self::Printable => b'0' + (value as u8 & 63),
        }
    }

    /// Sequence and number, and how many bytes they take.
    #[inline]
    fn head(self, number: u32, sequence: u64) -> ([u8; 17], usize) {
        let mut head = [0; 17];
        match self {
            Self::Bytes => {
                head[..8].copy_from_slice(&sequence.to_le_bytes());
                head[8..12].copy_from_slice(&number.to_le_bytes());
                (head, 12)
            }
            Self::Printable => {
                let (low, high) = head.split_at_mut(11);
                for (position, byte) in low.iter_mut().enumerate() {
                    *byte = self.digit(sequence >> (6 * position));
                }
                for (position, byte) in high.iter_mut().enumerate() {
                    *byte = self.digit(u64::from(number) >> (6 * position));
                }
                (head, 17)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_of_both_kinds_is_recognised() {
        for text in [false, true] {
            for size in [1, 2, 7, 8, 11, 12, 13, 17, 20, 300, 5000] {
                let mut stamp = Stamp::new(size, text);
                let payload = stamp.make(70_000, 1 << 40).to_vec();
                assert_eq!(payload.len(), size);
                let due = 1 << 40;
                assert_eq!(stamp.judge(&payload, 70_000, due, due + 1), Verdict::Due);
                assert_ne!(
                    stamp.judge(&payload[1..], 70_000, due, due + 1),
                    Verdict::Due
                );
                let unsent = stamp.judge(&payload, 70_000, due, due);
                assert_ne!(unsent, Verdict::Due);
                if text {
                    assert!(payload.iter().all(|byte| (b'0'..=b'o').contains(byte)));
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_place_is_told_from_what_is_broken() {
        let mut stamp = Stamp::new(20, false);
        let payload = stamp.make(5, 10).to_vec();
        assert_eq!(stamp.judge(&payload, 5, 8, 12), Verdict::Early(2));
        assert_eq!(stamp.judge(&payload, 5, 11, 12), Verdict::Stale);
        assert_eq!(
            stamp.judge(&payload, 6, 10, 12),
            Verdict::Corrupted,
            "somebody else's"
        );
        for at in 0..payload.len() {
            let mut broken = payload.clone();
            broken[at] ^= 0x10;
            assert_ne!(stamp.judge(&broken, 5, 10, 11), Verdict::Due, "byte {at}");
        }
    }
}
