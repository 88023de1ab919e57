//! Accounts for the users of a run, made over the REST API before anybody connects: hashing a
//! password takes a server some 30 ms, and who connects first would have to wait for all others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::json;

use crate::load::Interrupt;
use crate::progress::Progress;
use crate::units;

/// Accounts that are made at once; the server hashes with a few threads.
const AT_ONCE: usize = 4;
/// Time for an answer.
const ANSWER_TIME: Duration = Duration::from_secs(30);
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// How often progress is shown.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Makes an account for each user of the run; the tokens of their sessions, by their numbers. Fewer
/// if a signal has ended it.
pub(super) fn register(
    server: SocketAddr,
    users: u32,
    mark: u32,
    interrupt: &Interrupt,
    progress: &mut Progress,
) -> anyhow::Result<Vec<String>> {
    let next = AtomicU32::new(0);
    let step = || -> anyhow::Result<Vec<(u32, String)>> {
        let mut api = Api::connect(server)?;
        let mut tokens = Vec::new();
        while !interrupt.is_set() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= users {
                break;
            }
            let token = api.make_account(&format!("bench-{mark:08x}-{number}"));
            tokens.push((number, token.inspect_err(|_| interrupt.set())?));
        }
        Ok(tokens)
    };
    let mut tokens: Vec<(u32, String)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(step)).collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            let done = next.load(Ordering::Relaxed).min(users);
            progress.update("registering", done.into(), users.into(), || {
                let (done, users) = (units::count(done.into()), units::count(users.into()));
                format!("{done} of {users}")
            });
            thread::sleep(LOOK_EVERY);
        }
        let parts = threads.into_iter().map(|thread| {
            let outcome = thread.join();
            outcome.unwrap_or_else(|_| bail!("a thread that registers users has panicked"))
        });
        let parts = parts.collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::Ok(parts.concat())
    })?;
    tokens.sort_unstable();
    Ok(tokens.into_iter().map(|(_, token)| token).collect())
}

/// One connection to the REST API.
struct Api {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
}

impl Api {
    fn connect(server: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, ANSWER_TIME)
            .with_context(|| format!("connecting to {server} to make accounts"))?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            server,
        })
    }

    /// Makes an account and opens a session; its token.
    fn make_account(&mut self, name: &str) -> anyhow::Result<String> {
        #[derive(Deserialize)]
        struct Granted {
            token: String,
        }
        // Whoever knows the name of a run's user may well have it.
        let credentials = json!({ "login": name, "password": name });
        self.post("accounts", &credentials)?;
        let granted: Granted = serde_json::from_slice(&self.post("sessions", &credentials)?)
            .context("what the server grants has no token")?;
        Ok(granted.token)
    }

    fn post(&mut self, path: &str, data: &serde_json::Value) -> anyhow::Result<Vec<u8>> {
        let body = data.to_string();
        let request = format!(
            "POST /api/v1/{path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut line, mut bytes) = (String::new(), String::new(), 0);
        self.stream
            .read_line(&mut status)
            .context("waiting for the answer to /api/v1")?;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                bytes = value.trim().parse().context("the length of an answer")?;
            }
        }
        if bytes > ANSWER_BYTES_MAX {
            bail!("an answer of {bytes} bytes to /api/v1/{path}");
        }
        let mut answer = vec![0; bytes];
        self.stream.read_exact(&mut answer)?;
        if !status.starts_with("HTTP/1.1 2") {
            bail!(
                "/api/v1/{path} is answered with {}: {}",
                status.trim(),
                String::from_utf8_lossy(&answer)
            );
        }
        Ok(answer)
    }
}
