//! The server as a process of its own, for the tests that run it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything here takes; a test that waits so long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn gatehouse() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEHOUSE_") {
            command.env_remove(name);
        }
    }
    // Many run at once.
    command.env("GATEHOUSE_ADMIN__LISTEN", "127.0.0.1:0");
    command
}

/// A server on ports that the kernel chose.
pub(crate) fn serve() -> Command {
    let mut command = gatehouse();
    command.args(["serve", "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0"]);
    command
}

/// A running program; it is killed when a test fails.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: Receiver<String>,
    pub(crate) stderr: Receiver<String>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// Reads stdout until there is an address behind `scheme`.
    pub(crate) fn addr(&self, scheme: &str) -> SocketAddr {
        loop {
            let line = self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                let said: Vec<String> = self.stderr.try_iter().collect();
                panic!("no address: {error}\n{}", said.join("\n"))
            });
            let Some((_, rest)) = line.split_once(&format!("{scheme}://")) else {
                continue;
            };
            let end = rest.find(['/', ' ']).unwrap_or(rest.len());
            return rest[..end].parse().unwrap();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the end: its status, and what was left of stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        // The end of stderr is the end of the program.
        let mut stderr = String::new();
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => stderr += &(line + "\n"),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("it has not ended: {error}\n{stderr}"),
            }
        }
        (self.child.wait().unwrap(), stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless a test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
