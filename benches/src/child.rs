//! A server as a process of its own, bare or under a program that watches it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use crate::client::Wire;
use crate::serving::Serving;

/// A running `bench-server`.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    addrs: Vec<SocketAddr>,
}

impl ServerProcess {
    /// Starts the server at `path`, as the last arguments of `watcher` if there is one.
    ///
    /// # Errors
    /// If it cannot be started, or says something else than where it listens.
    pub fn start(
        path: &str,
        watcher: &[&str],
        serving: &Serving,
        reactors: usize,
        workers: usize,
    ) -> anyhow::Result<Self> {
        let words: Vec<_> = watcher.iter().copied().chain([path]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .args([
                serving.to_string(),
                reactors.to_string(),
                workers.to_string(),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", words[0]))?;
        let output = child.stdout.take().context("its output is ours")?;
        let addrs = BufReader::new(output)
            .lines()
            .take(Wire::ALL.len())
            .map(|line| Ok(line?.parse()?))
            .collect::<anyhow::Result<Vec<_>>>()?;
        ensure!(addrs.len() == Wire::ALL.len(), "the server did not start");
        Ok(Self { child, addrs })
    }

    /// Where this wire is spoken.
    #[must_use]
    pub fn addr(&self, wire: Wire) -> SocketAddr {
        self.addrs[wire as usize]
    }

    /// Number of the process; of the watcher if there is one.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the server in order and waits for it.
    ///
    /// # Errors
    /// If it ended in another way.
    pub fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

/// Whether this host has a program of that name.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
