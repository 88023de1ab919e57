//! Signals that end the program: the first one in order, the second one at once.
//!
//! They are waited for, not handled. A handler runs in whatever thread the kernel picks, and one
//! that wakes others through a pipe, as is usual, must not run in a reactor: with a descriptor
//! table of its own, the pipe's number there is a client's socket. So they are blocked in every
//! thread, and one thread takes them with `sigwait`.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// The signals of an operator or supervisor who wants the program to end.
const ENDING: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// The ending signals, blocked.
#[derive(Debug)]
pub struct Signals(SigSet);

impl Signals {
    /// Blocks them in this thread, and so in all threads that it starts from here on: to be called
    /// before there are others. One that comes meanwhile waits.
    ///
    /// # Errors
    /// Whatever the kernel answers.
    pub fn block() -> io::Result<Self> {
        let set: SigSet = ENDING.into_iter().collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Starts the thread that takes them. The first one comes out of the channel; the second one
    /// ends the process at once, with the exit status that a shell gives to its signal.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn watch(self) -> io::Result<Receiver<Signal>> {
        let (first, signals) = sync_channel(1);
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut ending = false;
                // The set is a valid one, which is all that a wait can complain about.
                while let Ok(signal) = self.0.wait() {
                    if ending {
                        tracing::warn!(signal = signal.as_str(), "ends at once");
                        std::process::exit(128 + signal as i32);
                    }
                    ending = true;
                    // Without a receiver the program is ending already.
                    let _ = first.send(signal);
                }
            })?;
        Ok(signals)
    }
}
