//! Files that are longer than what a server may take for them.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{PATIENCE, Running, serve};

/// Bytes of the file.
const BYTES: usize = 200 << 20;
/// Bytes by which the server may grow for it: pieces on their way, and what allocators keep.
const GROWTH_BYTES: usize = 24 << 20;
/// Bytes that are sent and read at once.
const PIECE_BYTES: usize = 64 * 1024;

struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The status of an answer, and how long its body is.
    fn head(&mut self) -> (u16, usize) {
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.trim().parse().unwrap();
            }
            if line == "\r\n" {
                return (status, length);
            }
        }
    }

    fn json(&mut self, expected: u16) -> Value {
        let (status, length) = self.head();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    fn post(&mut self, path: &str, data: &Value) -> Value {
        let data = data.to_string();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{data}",
            data.len()
        ));
        self.json(200)
    }
}

/// The most memory that a process has had, in bytes.
fn peak_bytes(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: usize = peak
        .unwrap()
        .trim()
        .strip_suffix(" kB")
        .unwrap()
        .parse()
        .unwrap();
    kib * 1024
}

#[test]
fn a_long_file_goes_both_ways_and_takes_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = serve();
    command
        .env("GATEHOUSE_STORE__PATH", directory.path().join("data"))
        .env("GATEHOUSE_ATTACHMENTS__SIZE", "1GiB");
    let running = Running::start(&mut command);
    let mut client = Client::connect(running.addr("ws"));
    let account = json!({"login": "ada", "password": "secret"});
    client.post("/api/v1/accounts", &account);
    let token = client.post("/api/v1/sessions", &account)["token"].take();
    let token = token.as_str().unwrap();
    let before = peak_bytes(running.child.id());

    client.send(format!(
        "POST /api/v1/attachments HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\
         content-length: {BYTES}\r\n\r\n"
    ));
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|at| (at % 251) as u8).collect();
    for _ in 0..BYTES / PIECE_BYTES {
        client.send(&piece);
    }
    let made = client.json(201);
    assert_eq!(made["size"], BYTES);

    let url = made["url"].as_str().unwrap();
    client.send(format!("GET {url} HTTP/1.1\r\nhost: test\r\n\r\n"));
    assert_eq!(client.head(), (200, BYTES));
    let mut got = vec![0; PIECE_BYTES];
    for _ in 0..BYTES / PIECE_BYTES {
        client.stream.read_exact(&mut got).unwrap();
        assert!(got == piece);
    }
    drop(client);
    let grown = peak_bytes(running.child.id()) - before;
    assert!(grown < GROWTH_BYTES, "it has grown by {grown} bytes");
    running.signal(Signal::SIGTERM);
    let (status, stderr) = running.end();
    assert!(status.success(), "{stderr}");
}
