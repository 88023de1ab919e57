//! How fast users ask.

use std::num::NonZeroUsize;

use common::UserId;
use gate::{Bucket, Rate};
use lru::LruCache;
use parking_lot::Mutex;

/// Users that are remembered. Whoever wants to be forgotten has to have as many others ask, and
/// gains one burst.
const USERS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// A bucket for each user who has asked of late, on however many connections.
#[derive(Debug)]
pub(super) struct Pace(Mutex<LruCache<UserId, Bucket>>);

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(USERS_MAX)))
    }
}

impl Pace {
    /// Whether a call of this user may be made now.
    pub(super) fn allows(&self, user: UserId, rate: Rate, now_ms: u64) -> bool {
        let mut buckets = self.0.lock();
        let bucket = buckets.get_or_insert_mut(user, || Bucket::full(rate, now_ms));
        bucket.take(rate, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        per_second: 10,
        burst: 5,
    };

    #[test]
    fn each_user_has_a_burst_and_then_the_rate() {
        let pace = Pace::default();
        let made = |user, now_ms| {
            let all = 0..100;
            all.filter(|_| pace.allows(UserId(user), RATE, now_ms))
                .count()
        };
        assert_eq!((made(1, 0), made(2, 0)), (5, 5));
        assert_eq!((made(1, 100), made(1, 199)), (1, 0));
    }

    #[test]
    fn no_more_users_are_remembered_than_there_is_room_for() {
        let pace = Pace::default();
        for user in 0..USERS_MAX.get() as u64 + 10 {
            assert!(pace.allows(UserId(user), RATE, 0));
        }
        assert_eq!(pace.0.lock().len(), USERS_MAX.get());
    }
}
