//! What can go wrong when a gate starts.

use std::io;
use std::net::SocketAddr;

/// A gate could not be started.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// There is nothing to listen on.
    #[error("no listener is configured")]
    NoListener,
    /// The numbers of reactors, workers, modules or listeners are beyond what the gate can count.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// An address could not be listened on.
    #[error("cannot listen on {addr}: {error}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// A reactor or a thread could not be made.
    #[error("cannot start reactor {reactor}: {error}")]
    Reactor {
        /// Index of the reactor.
        reactor: usize,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
    /// A worker thread could not be made.
    #[error("cannot start worker {worker}: {error}")]
    Worker {
        /// Index of the worker.
        worker: usize,
        /// What the host answered.
        #[source]
        error: io::Error,
    },
}
