//! When sessions end by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use common::{SessionId, UserId};
use parking_lot::{Condvar, Mutex};

use crate::im::now_ms;

/// The clock is looked at again after this time, since somebody may have set it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The sessions whose tokens expire, by that time.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    by_time: BTreeMap<(u64, SessionId), UserId>,
    closed: bool,
}

impl Deadlines {
    /// A session ends at this time, in milliseconds since 1970.
    pub(crate) fn set(&self, at_ms: u64, session: SessionId, user: UserId) {
        let mut state = self.state.lock();
        state.by_time.insert((at_ms, session), user);
        let is_first = state.by_time.first_key_value().map(|(key, _)| *key);
        if is_first == Some((at_ms, session)) {
            self.changed.notify_one();
        }
    }

    /// A session no longer ends at this time.
    pub(crate) fn clear(&self, at_ms: u64, session: SessionId) {
        self.state.lock().by_time.remove(&(at_ms, session));
    }

    /// Waits for the next session whose time has come; none at the end.
    pub(crate) fn next(&self) -> Option<(UserId, SessionId)> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return None;
            }
            let Some((&(at_ms, session), &user)) = state.by_time.first_key_value() else {
                self.changed.wait(&mut state);
                continue;
            };
            let left = Duration::from_millis(at_ms.saturating_sub(now_ms()));
            if left.is_zero() {
                state.by_time.remove(&(at_ms, session));
                return Some((user, session));
            }
            self.changed.wait_for(&mut state, left.min(LOOK_AGAIN));
        }
    }

    /// Ends the wait for good.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }
}
