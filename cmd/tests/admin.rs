//! The admin listener of the real program: what it tells, to whom, and that it always answers.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tungstenite::{Message, WebSocket};

use support::{PATIENCE, Running, gatehouse, serve};

const DOCUMENT: &str = include_str!("../../docs/metrics.md");

/// Status and body of the answer to a GET with these header fields.
fn get_with(addr: SocketAddr, path: &str, fields: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let status = std::str::from_utf8(&answer[9..12])
        .unwrap()
        .parse()
        .unwrap();
    (status, answer[body..].to_vec())
}

fn get(addr: SocketAddr, path: &str) -> (u16, String) {
    let (status, body) = get_with(addr, path, "host: localhost\r\n");
    (status, String::from_utf8(body).unwrap())
}

fn status(addr: SocketAddr, path: &str, fields: &str) -> u16 {
    get_with(addr, path, fields).0
}

/// The sum of all values of a metric whose labels contain each of `labels`.
fn metric(addr: SocketAddr, name: &str, labels: &[&str]) -> f64 {
    let (_, text) = get(addr, "/metrics");
    text.lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// Asks until the metric has the value.
fn until(addr: SocketAddr, name: &str, labels: &[&str], value: f64) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = metric(addr, name, labels);
        if seen == value {
            return;
        }
        assert!(Instant::now() < deadline, "{name}{labels:?} is {seen}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn websocket(addr: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    tungstenite::client(format!("ws://{addr}{path}"), stream)
        .unwrap()
        .0
}

/// An echo server with an admin listener: the addresses of both.
fn echo(command: &mut Command) -> (Running, SocketAddr, SocketAddr) {
    let running = Running::start(command);
    let web = running.addr("ws");
    let admin = running.addr("http");
    (running, web, admin)
}

const ECHO: [&str; 5] = ["echo", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];

/// The address behind `dashboard: http://`, below that of the chat page.
fn dashboard(running: &Running) -> SocketAddr {
    loop {
        let line = running.stdout.recv_timeout(PATIENCE).unwrap();
        if let Some((_, url)) = line.split_once("dashboard: http://") {
            return url.trim_end_matches('/').parse().unwrap();
        }
    }
}

#[test]
fn every_metric_is_explained_and_every_explanation_has_its_metric() {
    let mut command = serve();
    // Some metrics are there only where there is what they count.
    command.env("GATEHOUSE_WEBHOOKS__URL", "http://127.0.0.1:9/");
    command.env("GATEHOUSE_WEBHOOKS__EVENTS", "session.login");
    let running = Running::start(&mut command);
    let admin = dashboard(&running);
    let (status, text) = get(admin, "/metrics");
    assert_eq!(status, 200);
    let shown: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .map(str::to_owned)
        .collect();
    let (tables, _alerts) = DOCUMENT.split_once("## Worth an alert").unwrap();
    let explained: BTreeSet<_> = tables
        .lines()
        .filter_map(|line| line.strip_prefix("| `gatehouse_"))
        // What a host may hide.
        .filter(|line| {
            !line.starts_with("host_") || text.contains(&line[..line.find('`').unwrap()])
        })
        .map(|line| {
            let mut cells = line.split('|');
            let name = cells.next().unwrap().trim().trim_end_matches('`');
            format!("gatehouse_{name} {}", cells.next().unwrap().trim())
        })
        .collect();
    assert_eq!(shown, explained);
}

#[test]
fn what_happens_is_counted_where_it_happens() {
    let (_running, web, admin) = echo(gatehouse().args(ECHO));
    let mut clients: Vec<_> = (0..3).map(|_| websocket(web, "/")).collect();
    let idle = TcpStream::connect(web).unwrap();
    for client in &mut clients {
        client.send(Message::text("twenty bytes of text")).unwrap();
        client.read().unwrap();
    }
    let open = ["listener=\"websocket\"", "state=\"open\""];
    until(admin, "gatehouse_connections", &open, 3.0);
    until(admin, "gatehouse_connections", &["state=\"opening\""], 1.0);
    assert_eq!(metric(admin, "gatehouse_accepted_total", &[]), 4.0);
    assert_eq!(
        metric(admin, "gatehouse_websocket_upgrades_total", &[]),
        3.0
    );
    assert!(metric(admin, "gatehouse_received_bytes_total", &[]) > 3.0 * 26.0);
    assert!(metric(admin, "gatehouse_turn_seconds_count", &[]) > 0.0);

    drop(idle);
    clients[0].close(None).unwrap();
    while clients[0].read().is_ok() {}
    drop(clients);
    until(admin, "gatehouse_connections", &[], 0.0);
    assert_eq!(metric(admin, "gatehouse_closes_total", &["\"peer\""]), 1.0);
    assert_eq!(
        metric(admin, "gatehouse_closes_total", &["\"peer_eof\""]),
        3.0
    );

    let (status, stats) = get(admin, "/stats.json");
    assert!(
        status == 200 && stats.contains("\"connections\""),
        "{stats}"
    );
    let (status, page) = get(admin, "/");
    assert!(status == 200 && page.contains("</html>"));
}

#[test]
fn it_answers_while_everybody_else_is_refused() {
    let running = Running::start(serve().env("GATEHOUSE_CONNECTIONS", "1"));
    let web = running.addr("ws");
    let admin = dashboard(&running);
    let _only = websocket(web, "/im");
    assert_eq!(status(web, "/healthz", "host: here\r\n"), 503);
    assert_eq!(get(admin, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(metric(admin, "gatehouse_refused_total", &["\"web\""]), 1.0);
}

#[test]
fn it_answers_when_there_is_no_descriptor_left() {
    let program = env!("CARGO_BIN_EXE_gatehouse");
    let script = format!(
        "ulimit -n 64; exec {program} {} --reactors 1",
        ECHO.join(" ")
    );
    let (_running, web, admin) = echo(Command::new("sh").args(["-c", &script]));
    let _clients: Vec<_> = (0..100).map(|_| TcpStream::connect(web).unwrap()).collect();
    let deadline = Instant::now() + PATIENCE;
    while metric(admin, "gatehouse_closes_total", &["no_descriptors"]) == 0.0 {
        assert!(Instant::now() < deadline, "nobody was refused");
    }
    assert_eq!(get(admin, "/healthz"), (200, "ok\n".to_owned()));
}

#[test]
fn a_node_that_drains_is_not_ready() {
    let running = Running::start(&mut serve());
    let web = running.addr("ws");
    let admin = dashboard(&running);
    // One that does not answer the close keeps the node from ending at once.
    let _deaf = websocket(web, "/im");
    running.signal(Signal::SIGTERM);
    let deadline = Instant::now() + PATIENCE;
    while get(admin, "/readyz") != (503, "draining\n".to_owned()) {
        assert!(Instant::now() < deadline);
    }
    assert_eq!(metric(admin, "gatehouse_ready", &[]), 0.0);
    assert_eq!(get(admin, "/healthz").0, 200);
    running.signal(Signal::SIGTERM);
    running.end();
}

#[test]
fn strangers_learn_nothing() {
    let token = "0123456789abcdef";
    let running = Running::start(serve().env("GATEHOUSE_ADMIN__TOKEN", token));
    let admin = dashboard(&running);
    let bearer = format!("host: ops.example\r\nauthorization: Bearer {token}\r\n");
    let wrong = "host: localhost\r\nauthorization: Bearer 0123456789abcdeF\r\n";
    for path in ["/metrics", "/stats.json", "/debug/pprof/profile?seconds=1"] {
        assert_eq!(status(admin, path, "host: localhost\r\n"), 401, "{path}");
        assert_eq!(status(admin, path, wrong), 401, "{path}");
    }
    assert_eq!(status(admin, "/metrics", &bearer), 200);
    // The calls of administrators have errors as all calls do.
    let (refused, body) = get(admin, "/api/v1/statistics");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (refused, &body["error"]["code"]),
        (401, &"unauthenticated".into())
    );
    for path in ["/", "/healthz", "/readyz"] {
        assert_eq!(status(admin, path, "host: ops.example\r\n"), 200, "{path}");
    }

    // Without a token, a page from elsewhere whose name points here is refused.
    let running = Running::start(&mut serve());
    let admin = dashboard(&running);
    assert_eq!(status(admin, "/metrics", "host: evil.example\r\n"), 403);
    assert_eq!(status(admin, "/metrics", "host: 127.0.0.1:8082\r\n"), 200);
}

#[test]
fn an_address_that_will_not_do_is_refused_with_what_would() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (addr, said) in [
        (taken.as_str(), ["ss -ltnp", "--admin off"]),
        ("0.0.0.0:0", ["set `token` in [admin]", "--admin"]),
        ("nowhere", ["--admin", "or \"off\""]),
    ] {
        let (status, stderr) = Running::start(serve().args(["--admin", addr])).end();
        assert_eq!(status.code(), Some(1), "{addr}");
        assert!(said.iter().all(|said| stderr.contains(said)), "{stderr}");
    }
    let echo = Running::start(gatehouse().args(["echo", "--admin", "0.0.0.0:0"])).end();
    assert!(echo.1.contains("0.0.0.0:0 can be reached"), "{}", echo.1);
    let off = Running::start(serve().args(["--admin", "off"]));
    let web = off.addr("ws");
    assert_eq!(status(web, "/healthz", "host: here\r\n"), 200);
}

#[test]
fn a_profile_is_taken_and_puts_no_byte_into_anybodys_connection() {
    let (_running, web, admin) = echo(gatehouse().args(ECHO).args(["--reactors", "2"]));
    let done = AtomicBool::new(false);
    let profile = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = websocket(web, "/");
                let mut sent = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    sent += 1;
                    let message = Message::binary(sent.to_be_bytes().repeat(100));
                    client.send(message.clone()).unwrap();
                    assert_eq!(client.read().unwrap(), message);
                }
            });
        }
        let (first, second) = thread::scope(|two| {
            let path = "/debug/pprof/profile?seconds=3";
            let host = "host: localhost\r\n";
            let both = [(); 2].map(|()| two.spawn(move || get_with(admin, path, host)));
            let [a, b] = both.map(|one| one.join().unwrap());
            (a, b)
        });
        done.store(true, Ordering::Relaxed);
        assert_eq!(
            BTreeSet::from([first.0, second.0]),
            BTreeSet::from([200, 409]),
            "one at a time"
        );
        if first.0 == 200 { first.1 } else { second.1 }
    });
    let text = String::from_utf8_lossy(&profile);
    assert!(text.contains("reactor-0") || text.contains("reactor-1"));
    assert!(text.contains("serve_events"), "functions have their names");
    // The handler is gone, and the server is as it was.
    assert_eq!(get(admin, "/healthz").0, 200);
    websocket(web, "/")
        .send(Message::text("still here"))
        .unwrap();
}
