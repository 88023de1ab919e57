//! Guessing passwords takes time.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;

/// Wrong passwords in a row for one name, after which more have to wait.
const FAILURES_MAX: u64 = 10;
/// After this many milliseconds one of them is forgotten.
const FORGOTTEN_MS: u64 = 30_000;
/// Names that are remembered; whoever wants to push one out has to guess at as many others.
const NAMES_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// Counts wrong passwords by name, whether there is such an account or not. An attacker who knows a
/// name can keep its user waiting, but not out: sessions that are open go on, and every half minute
/// one attempt more is let through.
#[derive(Debug)]
pub(super) struct Throttle(Mutex<LruCache<Box<str>, Failures>>);

/// Wrong passwords for one name.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u64,
    /// When `count` was true, in milliseconds.
    at_ms: u64,
}

impl Failures {
    /// How many are remembered now.
    fn remembered(self, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.count.saturating_sub(passed / FORGOTTEN_MS)
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(NAMES_MAX)))
    }
}

impl Throttle {
    /// Whether a password for this name may be tried.
    pub(super) fn allows(&self, name: &str, now_ms: u64) -> bool {
        let names = self.0.lock();
        let failures = names.peek(&*key(name));
        failures.is_none_or(|failures| failures.remembered(now_ms) < FAILURES_MAX)
    }

    /// A password was wrong.
    pub(super) fn failed(&self, name: &str, now_ms: u64) {
        let mut names = self.0.lock();
        let key = key(name);
        let before = names.get(&key).map_or(0, |known| known.remembered(now_ms));
        let failures = Failures {
            count: before + 1,
            at_ms: now_ms,
        };
        names.put(key, failures);
    }

    /// A password was right.
    pub(super) fn passed(&self, name: &str) {
        self.0.lock().pop(&*key(name));
    }
}

/// Letter case makes no other name.
fn key(name: &str) -> Box<str> {
    name.to_lowercase().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_guessed_at_waits_and_others_do_not() {
        let throttle = Throttle::default();
        for _ in 0..FAILURES_MAX {
            assert!(throttle.allows("ada", 0));
            throttle.failed("Ada", 0);
        }
        assert!(!throttle.allows("ADA", FORGOTTEN_MS - 1));
        assert!(throttle.allows("bob", 0));
        assert!(throttle.allows("ada", FORGOTTEN_MS));
        throttle.failed("ada", FORGOTTEN_MS);
        assert!(!throttle.allows("ada", FORGOTTEN_MS));
        throttle.passed("ada");
        assert!(throttle.allows("ada", FORGOTTEN_MS));
    }
}
