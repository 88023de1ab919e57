//! A hashed timer wheel of one-second ticks, linked through the connection table.
//!
//! ```text
//!   slots   [ • ][ - ][ • ] … 512      each holds the index of its first entry
//!             │         │
//!             ▼         ▼
//!           entry ⇄ entry …            next and prev are u32 in the entry itself: 8 bytes
//! ```
//!
//! The wheel promises to look at an entry no later than its deadline, not to know the deadline:
//! activity only stamps the connection, and when the entry's slot comes round the owner reads the
//! stamp and either acts or links the entry again. A message therefore never touches the wheel.

use common::Tick;

/// Ticks that the wheel spans; a deadline further away is looked at early and linked again.
const SLOTS: u32 = 512;
const NONE: u32 = u32::MAX;
/// Marks a `prev` that is a wheel slot and not an entry.
const HEAD: u32 = 1 << 31;

/// The links of one entry, embedded in what it times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    next: u32,
    /// The entry before, or `HEAD | slot` for the first, or `NONE` if not linked.
    prev: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            next: NONE,
            prev: NONE,
        }
    }
}

#[cfg(feature = "fuzz")]
impl Links {
    /// Whether the wheel will come to the entry.
    pub(crate) const fn is_linked(self) -> bool {
        self.prev != NONE
    }
}

/// Where the wheel finds the links of an entry.
pub(crate) trait LinkStore {
    fn links(&mut self, entry: u32) -> &mut Links;
}

/// The wheel. It owns the slots; the links live in the [`LinkStore`] passed to each call.
#[derive(Debug)]
pub(crate) struct TimerWheel {
    slots: Box<[u32]>,
    /// The tick whose slot is looked at now; all before it have been.
    current: Tick,
    len: usize,
}

impl TimerWheel {
    pub(crate) fn new(now: Tick) -> Self {
        Self {
            slots: vec![NONE; SLOTS as usize].into_boxed_slice(),
            current: now,
            len: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Links `entry` so that it is looked at no later than at `at`, and after the current tick.
    /// An entry that is linked already moves.
    pub(crate) fn schedule(&mut self, store: &mut impl LinkStore, entry: u32, at: Tick) {
        self.cancel(store, entry);
        let ahead = at.0.saturating_sub(self.current.0).clamp(1, SLOTS - 1);
        let slot = self.current.0.wrapping_add(ahead) % SLOTS;
        let first = std::mem::replace(&mut self.slots[slot as usize], entry);
        *store.links(entry) = Links {
            next: first,
            prev: HEAD | slot,
        };
        if first != NONE {
            store.links(first).prev = entry;
        }
        self.len += 1;
    }

    /// Unlinks `entry`; nothing happens if it is not linked.
    pub(crate) fn cancel(&mut self, store: &mut impl LinkStore, entry: u32) {
        let Links { next, prev } = std::mem::take(store.links(entry));
        if prev == NONE {
            return;
        }
        if prev & HEAD != 0 {
            self.slots[(prev & !HEAD) as usize] = next;
        } else {
            store.links(prev).next = next;
        }
        if next != NONE {
            store.links(next).prev = prev;
        }
        self.len -= 1;
    }

    /// Unlinks and returns the next entry to be looked at by `now`.
    pub(crate) fn pop_due(&mut self, store: &mut impl LinkStore, now: Tick) -> Option<u32> {
        if self.len == 0 {
            self.current = self.current.max(now);
            return None;
        }
        while self.current <= now {
            let first = self.slots[(self.current.0 % SLOTS) as usize];
            if first != NONE {
                self.cancel(store, first);
                return Some(first);
            }
            if self.current == now {
                break;
            }
            self.current = self.current.after(1);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    impl LinkStore for Vec<Links> {
        fn links(&mut self, entry: u32) -> &mut Links {
            &mut self[entry as usize]
        }
    }

    fn drain(wheel: &mut TimerWheel, store: &mut Vec<Links>, now: u32) -> Vec<u32> {
        std::iter::from_fn(|| wheel.pop_due(store, Tick(now))).collect()
    }

    #[test]
    fn entries_come_up_at_their_tick_and_once() {
        let mut store = vec![Links::default(); 8];
        let mut wheel = TimerWheel::new(Tick(0));
        wheel.schedule(&mut store, 1, Tick(3));
        wheel.schedule(&mut store, 2, Tick(5));
        wheel.schedule(&mut store, 3, Tick(3));
        assert!(drain(&mut wheel, &mut store, 2).is_empty());
        let mut due = drain(&mut wheel, &mut store, 3);
        due.sort_unstable();
        assert_eq!(due, [1, 3]);
        assert_eq!(drain(&mut wheel, &mut store, 9), [2]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_comes_up_at_the_next_tick() {
        let mut store = vec![Links::default(); 1];
        let mut wheel = TimerWheel::new(Tick(10));
        assert!(drain(&mut wheel, &mut store, 10).is_empty());
        wheel.schedule(&mut store, 0, Tick(2));
        assert!(
            drain(&mut wheel, &mut store, 10).is_empty(),
            "never the slot in progress"
        );
        assert_eq!(drain(&mut wheel, &mut store, 11), [0]);
    }

    #[test]
    fn an_entry_may_be_cancelled_from_anywhere_in_its_slot() {
        for cancelled in 0..3 {
            let mut store = vec![Links::default(); 3];
            let mut wheel = TimerWheel::new(Tick(0));
            for entry in 0..3 {
                wheel.schedule(&mut store, entry, Tick(4));
            }
            wheel.cancel(&mut store, cancelled);
            wheel.cancel(&mut store, cancelled);
            let mut due = drain(&mut wheel, &mut store, 4);
            due.sort_unstable();
            assert_eq!(
                due,
                (0..3)
                    .filter(|&entry| entry != cancelled)
                    .collect::<Vec<_>>()
            );
        }
    }

    proptest::proptest! {
        /// Against a map from entry to deadline: nothing comes up late, nothing is lost.
        #[test]
        fn never_later_than_the_deadline(
            steps in proptest::collection::vec((0u32..16, 0u32..2000, 0u32..40), 1..200)
        ) {
            let mut store = vec![Links::default(); 16];
            let mut wheel = TimerWheel::new(Tick(0));
            let mut model = BTreeMap::new();
            let mut now = 0;
            for (entry, ahead, pass) in steps {
                wheel.schedule(&mut store, entry, Tick(now + ahead));
                model.insert(entry, now + ahead.max(1));
                for _ in 0..pass {
                    now += 1;
                    for due in drain(&mut wheel, &mut store, now) {
                        let deadline = model[&due];
                        if deadline <= now {
                            proptest::prop_assert_eq!(deadline, now);
                            model.remove(&due);
                        } else {
                            wheel.schedule(&mut store, due, Tick(deadline));
                        }
                    }
                    proptest::prop_assert!(model.values().all(|&deadline| deadline > now));
                }
            }
        }
    }
}
