//! Signals that end the program, the first one in order, the second one at once; and the one that
//! lets it read its certificates anew.
//!
//! They are waited for, not handled. A handler runs in whatever thread the kernel picks, and one
//! that wakes others through a pipe, as is usual, must not run in a reactor: with a descriptor
//! table of its own, the pipe's number there is a client's socket. So they are blocked in every
//! thread, and one thread takes them with `sigwait`.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

/// The signals of an operator or supervisor who wants the program to end.
const ENDING: [Signal; 2] = [Signal::SIGTERM, Signal::SIGINT];

/// The signal of who has put new certificates in place.
const RELOADING: Signal = Signal::SIGHUP;
/// Requests that may wait; one more to reload asks for nothing that is not asked for already.
const REQUESTS_MAX: usize = 3;

/// What a signal asks for, or a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// To read certificates anew.
    Reload,
    /// To end, because of this signal.
    End(Signal),
    /// To end, because a part of the node has failed.
    Fail,
}

/// The signals, blocked.
#[derive(Debug)]
pub struct Signals(SigSet);

impl Signals {
    /// Blocks them in this thread, and so in all threads that it starts from here on: to be called
    /// before there are others. One that comes meanwhile waits.
    ///
    /// # Errors
    /// Whatever the kernel answers.
    pub fn block() -> io::Result<Self> {
        let set: SigSet = ENDING.into_iter().chain([RELOADING]).collect();
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Starts the thread that takes them. What they ask for comes out of the channel, and so does
    /// what others ask for through its sender; the second ending signal ends the process at once,
    /// with the exit status that a shell gives to its signal.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn watch(self) -> io::Result<(SyncSender<Request>, Receiver<Request>)> {
        let (requests, asked) = sync_channel(REQUESTS_MAX);
        let others = requests.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                let mut ending = false;
                // The set is a valid one, which is all that a wait can complain about.
                while let Ok(signal) = self.0.wait() {
                    // Without a receiver the program is ending already.
                    if signal == RELOADING {
                        let _ = requests.try_send(Request::Reload);
                        continue;
                    }
                    if ending {
                        tracing::warn!(signal = signal.as_str(), "ends at once");
                        std::process::exit(128 + signal as i32);
                    }
                    ending = true;
                    // Nobody listens any more once the server has ended.
                    let _ = requests.send(Request::End(signal));
                }
            })?;
        Ok((others, asked))
    }
}

/// Ends this program as SIGTERM does once standard input has ended: when whoever started it closes
/// its end of the pipe, or is gone.
///
/// # Errors
/// If the thread that reads cannot be started.
pub fn end_at_eof() -> io::Result<()> {
    thread::Builder::new().name("stdin".to_owned()).spawn(|| {
        // Whatever is said there means nothing, and an input that cannot be read has ended.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // To signal oneself is always allowed.
        let _ = kill(Pid::this(), Signal::SIGTERM);
    })?;
    Ok(())
}
