//! When users were last seen, on its way to the store.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};

use common::UserId;
use parking_lot::Mutex;

use super::{NoteSeen, Platform};
use crate::storage::store::Store;

/// Most that one write takes with it: a transaction that others wait for stays short.
const TAKEN_MAX: usize = 1_024;

/// Who was seen where, and when. It is written beside what sessions ask for and nobody waits for
/// it: one write is on its way at a time, and takes along what has gathered behind the one before.
#[derive(Debug, Default)]
pub(crate) struct SeenLog {
    /// Weak, since the store's own threads come here with what it tells.
    store: OnceLock<Weak<dyn Store>>,
    gathered: Mutex<Gathered>,
}

type Seen = BTreeMap<(UserId, Platform), u64>;

/// No more of each than there were seats.
#[derive(Debug, Default)]
struct Gathered {
    waiting: Seen,
    /// What the write that is on its way has taken along.
    written: Seen,
}

impl SeenLog {
    /// Where it goes, before the first is noted.
    pub(crate) fn set_store(&self, store: &Arc<dyn Store>) {
        // Once: an IM has one store.
        let _ = self.store.set(Arc::downgrade(store));
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        self.store.get()?.upgrade()
    }

    /// A user was seen; `time_ms` is in milliseconds since 1970.
    pub(crate) fn note(self: &Arc<Self>, user: UserId, platform: Platform, time_ms: u64) {
        let mut gathered = self.gathered.lock();
        gathered.waiting.insert((user, platform), time_ms);
        drop(gathered);
        self.write();
    }

    /// When a user was seen, as far as the store may not know it yet.
    pub(crate) fn of(&self, user: UserId) -> Vec<(Platform, u64)> {
        let gathered = self.gathered.lock();
        let all = (user, Platform::Web)..=(user, Platform::Other);
        let written = gathered.written.range(all.clone());
        // What waits is later than what is being written.
        let mut seen = Vec::new();
        for (&(_, platform), &time_ms) in gathered.waiting.range(all).chain(written) {
            if !seen.iter().any(|&(known, _)| known == platform) {
                seen.push((platform, time_ms));
            }
        }
        seen
    }

    fn write(self: &Arc<Self>) {
        let Some(store) = self.store() else { return };
        let mut gathered = self.gathered.lock();
        if !gathered.written.is_empty() {
            return;
        }
        while gathered.written.len() < TAKEN_MAX
            && let Some((who, time_ms)) = gathered.waiting.pop_first()
        {
            gathered.written.insert(who, time_ms);
        }
        let seen = listed(&gathered.written);
        drop(gathered);
        if seen.is_empty() {
            return;
        }
        let log = Arc::downgrade(self);
        store.change(NoteSeen { seen }, move |outcome| {
            if let Some(log) = log.upgrade() {
                log.on_written(outcome.is_ok());
            }
        });
    }

    fn on_written(self: &Arc<Self>, done: bool) {
        let mut gathered = self.gathered.lock();
        let written = std::mem::take(&mut gathered.written);
        if done {
            drop(gathered);
            self.write();
            return;
        }
        // It goes with the next: while the store is busy or fails there is no use in haste.
        for (who, time_ms) in written {
            gathered.waiting.entry(who).or_insert(time_ms);
        }
    }

    /// Has the store write what waits, before it ends.
    pub(crate) fn finish(&self) {
        let seen = listed(&std::mem::take(&mut self.gathered.lock().waiting));
        if let Some(store) = self.store()
            && !seen.is_empty()
        {
            store.change(NoteSeen { seen }, drop);
        }
    }
}

fn listed(seen: &Seen) -> Vec<(UserId, Platform, u64)> {
    let seen = seen.iter();
    seen.map(|(&(user, platform), &time_ms)| (user, platform, time_ms))
        .collect()
}
