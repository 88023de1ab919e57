//! A server as a process: started on its cores, stopped and continued, asked for its CPU time and
//! memory.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use gatehouse_peers::serve::Mode;
use rustix::process::{Pid, Signal};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::servers::Server;

/// How often a server is looked at while it comes to rest.
const GLANCE: Duration = Duration::from_millis(1);
/// Looks at a server that does not come to rest.
const GLANCES_MAX: usize = 5_000;

/// Lets the calling thread run on these cores alone, and what it starts.
pub(crate) fn pin(cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    sched_setaffinity(None, &set).with_context(|| format!("cannot use the cores {cores:?}"))
}

/// The cores that this process may use.
pub(crate) fn cores() -> anyhow::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&core| set.is_set(core))
        .collect())
}

/// CPU time of the calling thread, in nanoseconds.
pub(crate) fn own_cpu_ns() -> anyhow::Result<u64> {
    first_number("/proc/thread-self/schedstat")
}

/// Memory of the host that can be had without swapping, in bytes.
pub(crate) fn available_bytes() -> anyhow::Result<u64> {
    kib_of("/proc/meminfo", "MemAvailable:")
}

/// A size that a file of the kernel gives in KiB behind `label`, in bytes.
fn kib_of(path: &str, label: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let line = text.lines().find(|line| line.starts_with(label));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = kib
        .with_context(|| format!("no {label} in {path}"))?
        .parse()?;
    Ok(kib * 1024)
}

fn first_number(path: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let word = text.split_whitespace().next().context("an empty file")?;
    Ok(word.parse()?)
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Process {
    /// Starts a server with so many loops that may use these cores, for clients that send payloads
    /// of this size.
    pub(crate) fn start(
        server: &Server,
        mode: Mode,
        payload_bytes: usize,
        loops: u16,
        cores: &[usize],
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name(server.program);
        let own = sched_getaffinity(None)?;
        pin(cores)?;
        let mode = match mode {
            Mode::Echo => "echo",
            Mode::Broadcast => "broadcast",
        };
        let child = Command::new(&program)
            .args(["--mode", mode, "--variant", server.variant])
            .args(["--payload", &payload_bytes.to_string()])
            .args(["--loops", &loops.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        sched_setaffinity(None, &own)?;
        let mut child = child.with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("its output is ours")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match line.trim().parse() {
            Ok(addr) => Ok(Self { child, addr }),
            Err(_) => {
                // It may have ended by itself.
                let _ = child.kill();
                bail!("{} did not start: {:?}", server.name, child.wait()?);
            }
        }
    }

    /// CPU time of all its threads that are there, in nanoseconds. The scheduler counts it exactly,
    /// and not by ticks.
    pub(crate) fn cpu_ns(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            sum += first_number(&format!("{}/schedstat", thread?.path().display()))?;
        }
        Ok(sum)
    }

    /// Bytes of memory that no file is behind and that it shares with nobody.
    pub(crate) fn anonymous_bytes(&self) -> anyhow::Result<u64> {
        kib_of(
            &format!("/proc/{}/smaps_rollup", self.child.id()),
            "Pss_Anon:",
        )
    }

    /// Waits until it does nothing any more.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        let mut before = self.cpu_ns()?;
        for _ in 0..GLANCES_MAX {
            thread::sleep(GLANCE);
            let now = self.cpu_ns()?;
            if now == before {
                return Ok(());
            }
            before = now;
        }
        bail!("the server does not come to rest")
    }

    /// Stops it where it stands, and waits until it has stopped.
    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        for _ in 0..GLANCES_MAX {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
            // The state is the first word behind the name, which stands in parentheses.
            if stat
                .rsplit(") ")
                .next()
                .is_some_and(|rest| rest.starts_with('T'))
            {
                return Ok(());
            }
            thread::yield_now();
        }
        bail!("the server does not stop")
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> anyhow::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = Pid::from_raw(self.child.id().try_into()?).context("a process has a number")?;
        Ok(rustix::process::kill_process(id, signal)?)
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After an error: a frozen process would not see the end of its input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
