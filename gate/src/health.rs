//! Whether the threads of a gate still run.

use std::fmt;
use std::sync::Arc;
use std::thread;

use network::codec::http::Response;
use parking_lot::Mutex;

/// A reactor has ended although nobody asked it to. Its connections are gone, and the sessions
/// that the rest of the gate believes to be there with them; the others go on, but a node in this
/// state should be drained and started anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reactor {reactor} has failed: {reason}")]
pub struct Failure {
    /// Index of the reactor.
    pub reactor: usize,
    /// What the host has answered, or that a module in it has panicked.
    pub reason: String,
}

type Told = Box<dyn FnOnce(&Failure) + Send>;

/// Whether the reactors of a gate run, to be asked from any thread and as long as one likes. Cheap
/// to clone. The first failure stays: what follows may follow from it.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    failure: Option<Failure>,
    told: Vec<Told>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.failure()).finish()
    }
}

impl Health {
    /// The first failure, if there was one.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.0.lock().failure.clone()
    }

    /// Has `tell` called when a reactor fails, in the thread that ends; at once if one has failed
    /// already.
    pub fn on_failure(&self, tell: impl FnOnce(&Failure) + Send + 'static) {
        let mut state = self.0.lock();
        match state.failure.clone() {
            None => state.told.push(Box::new(tell)),
            Some(failure) => {
                drop(state);
                tell(&failure);
            }
        }
    }

    /// What a health check is answered: 200 `ok`, or 503 and the reason.
    #[must_use]
    pub fn response(&self) -> Response {
        match self.failure() {
            None => Response::text(200, "ok\n"),
            Some(failure) => Response::text(503, format!("{failure}\n")),
        }
    }

    pub(crate) fn fail(&self, reactor: usize, reason: String) {
        let failure = Failure { reactor, reason };
        tracing::error!("{failure}");
        let mut state = self.0.lock();
        if state.failure.is_some() {
            return;
        }
        state.failure = Some(failure.clone());
        let told = std::mem::take(&mut state.told);
        drop(state);
        for tell in told {
            tell(&failure);
        }
    }

    /// To be held by the thread of a reactor: a panic in it is a failure too.
    pub(crate) fn watch(&self, reactor: usize) -> Watch<'_> {
        Watch {
            health: self,
            reactor,
        }
    }
}

/// Tells of the panic that drops it.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    health: &'a Health,
    reactor: usize,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let reason = "a module in it has panicked, or the reactor itself".to_owned();
            self.health.fail(self.reactor, reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn the_first_failure_stays_and_everybody_hears_of_it() {
        let health = Health::default();
        let (told, hears) = channel();
        let late = told.clone();
        health.on_failure(move |failure| told.send(failure.reactor).unwrap());
        health.fail(3, "bad file descriptor".to_owned());
        health.fail(1, "another".to_owned());
        health.on_failure(move |failure| late.send(failure.reactor).unwrap());
        assert_eq!(hears.iter().collect::<Vec<_>>(), [3, 3]);
        let failure = health.failure().unwrap();
        assert_eq!(
            failure.to_string(),
            "reactor 3 has failed: bad file descriptor"
        );
    }
}
