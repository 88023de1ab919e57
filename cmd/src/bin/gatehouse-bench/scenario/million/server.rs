//! The server, as a process of its own: started for the run, spoken to, and stopped.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::scenario::posted;

/// What the program is called that stands beside this one.
const PROGRAM: &str = "gatehouse";
/// Time for the server to stop once nobody is connected.
const STOP_TIME: Duration = Duration::from_secs(20);

/// How it is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) reactors: u16,
    pub(super) heartbeat_seconds: u32,
    /// Whether it listens for TCP beside WebSocket.
    pub(super) tcp: bool,
}

/// A server that runs. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    http: SocketAddr,
    tcp: Option<SocketAddr>,
}

impl Server {
    /// Starts `gatehouse echo`, the one beside this program, on ports that are free.
    pub(super) fn start(settings: Settings) -> anyhow::Result<Self> {
        let program = env::current_exe()
            .context("where is this program?")?
            .with_file_name(PROGRAM);
        if !program.is_file() {
            bail!(
                "{} is not there: the server is the program beside this one.\n\
                 cargo build --release --package gatehouse --bins builds both.",
                program.display()
            );
        }
        let (reactors, idle) = (
            settings.reactors.to_string(),
            settings.heartbeat_seconds.to_string(),
        );
        let mut command = Command::new(&program);
        command.args(["echo", "--listen", "127.0.0.1:0", "--broadcast"]);
        // Should this program be killed, the server must not stay behind with a million sockets.
        command.args(["--until-eof", "--reactors", &reactors, "--idle", &idle]);
        if settings.tcp {
            command.args(["--tcp", "127.0.0.1:0"]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let addrs = child.stdout.take().map(|stdout| {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let addrs = lines.filter_map(|line| line.split_once("://")?.1.parse().ok());
            addrs.take(1 + usize::from(settings.tcp)).collect()
        });
        let addrs: Vec<SocketAddr> = addrs.unwrap_or_default();
        let server = Self {
            child,
            http: addrs
                .first()
                .copied()
                .ok_or_else(|| anyhow!("the server has not started; what it says is above"))?,
            tcp: addrs.get(1).copied(),
        };
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn websocket_url(&self) -> String {
        format!("ws://{}/", self.http)
    }

    pub(super) fn tcp_url(&self) -> Option<String> {
        self.tcp.map(|addr| format!("tcp://{addr}"))
    }

    /// Has `body` sent to everybody who is connected.
    pub(super) fn broadcast(&self, body: &[u8]) -> anyhow::Result<()> {
        posted::broadcast(self.http, body)
    }

    /// Asks it to stop, and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        kill(
            Pid::from_raw(self.child.id().cast_signed()),
            Signal::SIGTERM,
        )
        .context("stopping the server")?;
        let begin = Instant::now();
        while begin.elapsed() < STOP_TIME {
            if let Some(status) = self.child.try_wait()? {
                return ended_well(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the server does not stop")
    }
}

fn ended_well(status: ExitStatus) -> anyhow::Result<()> {
    match (status.success(), status.signal()) {
        (true, _) => Ok(()),
        (false, Some(signal)) => bail!("the server was ended by signal {signal}"),
        (false, None) => bail!("the server ended with {status}"),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After an orderly stop there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
