//! Which bytes of an outbox must stay, and which frames may be dropped when it is full.
//!
//! ```text
//!   outbox   [ reply reply | quote:7 | news | reply | quote:7 | quote:9 ]
//!   runs       Fixed         Keyed(7)  Free   Fixed   Keyed(7)  Keyed(9)
//! ```

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

/// What stands in a run of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    /// Frames that must stay, or the rest of one that is partly written.
    Fixed,
    /// One whole frame that may be dropped.
    Free,
    /// One whole frame that may be dropped, and that a later one of the same key supersedes.
    Keyed(u64),
}

/// Neighbouring bytes of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) bytes: usize,
    pub(super) kind: RunKind,
}

/// The runs of one outbox, front first. None are kept as long as every frame must stay; once there
/// are some, their lengths add up to that of the outbox.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: VecDeque<Run>,
    /// Bytes of the runs that are not fixed.
    droppable: usize,
}

impl Runs {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn droppable(&self) -> usize {
        self.droppable
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.droppable = 0;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// `bytes` were queued that must stay.
    #[inline]
    pub(super) fn note_fixed(&mut self, bytes: usize) {
        if !self.runs.is_empty() {
            self.push_fixed(bytes);
        }
    }

    fn push_fixed(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        match self.runs.back_mut() {
            Some(Run {
                bytes: known,
                kind: RunKind::Fixed,
            }) => *known += bytes,
            _ => self.runs.push_back(Run {
                bytes,
                kind: RunKind::Fixed,
            }),
        }
    }

    /// The last `bytes` of an outbox of `total` are one frame of this kind; they were noted as
    /// fixed when they were queued.
    pub(super) fn mark_last(&mut self, total: usize, bytes: usize, kind: RunKind) {
        if kind == RunKind::Fixed || bytes == 0 {
            return;
        }
        if self.runs.is_empty() {
            self.push_fixed(total);
        }
        if let Some(last) = self.runs.back_mut() {
            last.bytes -= bytes;
            if last.bytes == 0 {
                self.runs.pop_back();
            }
        }
        self.runs.push_back(Run { bytes, kind });
        self.droppable += bytes;
    }

    /// `n` bytes at the front were written. A frame of which a part is on the wire must stay.
    pub(super) fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let Some(front) = self.runs.front_mut() else {
                return;
            };
            if front.kind != RunKind::Fixed {
                self.droppable -= front.bytes;
                front.kind = RunKind::Fixed;
            }
            let taken = n.min(front.bytes);
            front.bytes -= taken;
            n -= taken;
            if front.bytes == 0 {
                self.runs.pop_front();
            }
        }
        if self.droppable == 0 {
            self.runs.clear();
        }
    }

    /// Chooses what to drop so that at most `target` of `total` bytes stay. With `incoming`, a key,
    /// frames that are superseded by a later one or by the incoming one go first, wherever they
    /// are, and all of them; then the oldest.
    pub(super) fn choose(&self, total: usize, target: usize, incoming: Option<u64>) -> Choice {
        let mut choice = Choice {
            keep: vec![true; self.runs.len()],
            superseded: 0,
            oldest: 0,
        };
        let mut left = total;
        if let Some(key) = incoming {
            let mut later = FxHashSet::default();
            later.insert(key);
            for (run, keep) in self.runs.iter().zip(&mut choice.keep).rev() {
                if let RunKind::Keyed(key) = run.kind
                    && !later.insert(key)
                {
                    *keep = false;
                    choice.superseded += 1;
                    left -= run.bytes;
                }
            }
        }
        for (run, keep) in self.runs.iter().zip(&mut choice.keep) {
            if left <= target {
                break;
            }
            if *keep && run.kind != RunKind::Fixed {
                *keep = false;
                choice.oldest += 1;
                left -= run.bytes;
            }
        }
        choice
    }

    /// Keeps what was chosen.
    pub(super) fn retain(&mut self, keep: &[bool]) {
        let old = std::mem::take(&mut self.runs);
        self.droppable = 0;
        for (run, _) in old.into_iter().zip(keep).filter(|(_, keep)| **keep) {
            if run.kind == RunKind::Fixed {
                self.push_fixed(run.bytes);
            } else {
                self.droppable += run.bytes;
                self.runs.push_back(run);
            }
        }
        if self.droppable == 0 {
            self.runs.clear();
        }
    }
}

/// What to drop from an outbox.
#[derive(Debug)]
pub(super) struct Choice {
    /// One for each run.
    pub(super) keep: Vec<bool>,
    /// Frames dropped because a later one has their key.
    pub(super) superseded: u32,
    /// Frames dropped because they were the oldest.
    pub(super) oldest: u32,
}
