//! The real program: how it starts, what it says, how it ends.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::sys::signal::Signal;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Bytes, Message, WebSocket};

use support::{PATIENCE, Running, gatehouse, serve};

/// What a program that ended by itself has said.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn websocket(addr: SocketAddr, path: &str) -> WebSocket<TcpStream> {
    tungstenite::client(format!("ws://{addr}{path}"), connect(addr))
        .unwrap()
        .0
}

/// Status line, head and body of the answer to a GET.
fn get(addr: SocketAddr, path: &str) -> String {
    let mut stream = connect(addr);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn config_file(text: &str) -> (TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gatehouse.toml");
    fs::write(&file, text).unwrap();
    let name = file.to_str().unwrap().to_owned();
    (dir, name)
}

#[test]
fn it_has_as_many_threads_as_doctor_counts_on() {
    let plain = "listen = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"\n";
    let asking = "[accounts]\nauth_webhook = \"http://127.0.0.1:9/\"\n[webhooks]\n\
                  url = \"http://127.0.0.1:9/\"\nevents = [\"message.before_send\"]";
    for text in [plain, &format!("{plain}{asking}")] {
        let (_dir, file) = config_file(text);
        let (_, stdout, _) = output(gatehouse().args(["doctor", "--json", "--config", &file]));
        let shape = &serde_json::from_str::<serde_json::Value>(&stdout).unwrap()["shape"];
        let counted: u64 = ["reactors", "workers", "other_threads"]
            .iter()
            .map(|which| shape[which].as_u64().unwrap())
            .sum();
        let running = Running::start(gatehouse().args(["serve", "--config", &file]));
        running.addr("tcp");
        let tasks = fs::read_dir(format!("/proc/{}/task", running.child.id())).unwrap();
        let tasks = tasks.count() as u64;
        assert!(
            (tasks..=tasks + 2).contains(&counted),
            "{counted} for {tasks}"
        );
    }
}

#[test]
fn it_starts_without_a_configuration_and_says_where() {
    let running = Running::start(&mut serve());
    let web = running.addr("ws");
    let tcp = running.addr("tcp");
    assert_eq!(
        running.addr("http"),
        web,
        "the chat page is on the websocket listener"
    );
    assert!(get(web, "/healthz").ends_with("\r\n\r\nok\n"));
    let page = get(web, "/").to_lowercase();
    assert!(
        page.starts_with("http/1.1 200") && page.contains("text/html"),
        "{page}"
    );
    assert!(get(web, "/im").starts_with("HTTP/1.1 426"));
    websocket(web, "/im");
    connect(tcp);
    running.signal(Signal::SIGTERM);
    let (status, stderr) = running.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("descriptors per table"), "{stderr}");
}

#[test]
fn a_folder_of_ones_own_is_served_in_place_of_the_chat_page() {
    let config = "[[listener]]\nlisten = \"127.0.0.1:0\"\nfiles = \"dist\"\n";
    let (dir, file) = config_file(config);
    let serve = || {
        let mut command = gatehouse();
        command.args(["serve", "--config", &file]);
        command
    };
    let (code, _, stderr) = output(&mut serve());
    assert_eq!(code, Some(1));
    let dist = dir.path().join("dist");
    let expected = format!(
        "`files` of listener `websocket`: cannot read {}: ",
        dist.display()
    );
    assert!(stderr.contains(&expected), "{stderr}");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("index.html"), "<p>my own").unwrap();
    let running = Running::start(&mut serve());
    let web = running.addr("ws");
    assert!(get(web, "/").ends_with("\r\n\r\n<p>my own"));
    assert!(get(web, "/chat.js").starts_with("HTTP/1.1 404"));
    assert!(get(web, "/healthz").ends_with("ok\n"));
    websocket(web, "/im");
}

#[test]
fn a_bad_file_is_refused_with_its_place() {
    let (_dir, file) = config_file("reactors = 1\n\n[[listner]]\nname = \"web\"\n");
    for command in [
        vec!["serve", "--config", &file],
        vec!["check-config", &file],
    ] {
        let (code, stdout, stderr) = output(gatehouse().args(command));
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        let expected = format!("{file}:3:3: unknown key `listner`, did you mean `listener`?");
        assert!(stderr.contains(&expected), "{stderr}");
    }
    let (code, _, stderr) = output(gatehouse().args(["serve", "--config", "/nowhere.toml"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("cannot read /nowhere.toml"), "{stderr}");
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let (code, _, stderr) = output(serve().env("GATEHOUSE_LIMITS__IDLE", "60"));
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("GATEHOUSE_LIMITS__IDLE: a time needs its unit"),
        "{stderr}"
    );
    let (code, _, stderr) = output(serve().args(["--reactors", "0"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--reactors: 0 is outside"), "{stderr}");
    let (code, _, stderr) = output(gatehouse().args(["serve", "--listen", "here"]));
    assert_eq!(code, Some(2), "what clap refuses is a wrong command line");
    assert!(stderr.contains("--listen <ADDR>"), "{stderr}");
}

#[test]
fn variables_go_over_the_file_and_flags_over_variables() {
    let (_dir, file) = config_file(
        "listen = \"192.0.2.1:1\"\ntcp = \"192.0.2.1:2\"\n\
         [limits]\nconnections = 100\n[log]\nformat = \"text\"\n",
    );
    let running = Running::start(
        gatehouse()
            .args(["serve", "--config", &file, "--listen", "127.0.0.1:0"])
            .env("GATEHOUSE_LISTEN", "192.0.2.1:3")
            .env("GATEHOUSE_TCP", "127.0.0.1:0")
            .env("GATEHOUSE_LIMITS__CONNECTIONS", "1")
            .env("GATEHOUSE_LOG__FORMAT", "json"),
    );
    let web = running.addr("ws");
    let _first = websocket(web, "/im");
    let mut refused = String::new();
    connect(web).read_to_string(&mut refused).unwrap();
    assert!(
        refused.starts_with("HTTP/1.1 503"),
        "one connection is the limit: {refused}"
    );
    running.signal(Signal::SIGINT);
    let (status, stderr) = running.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
    for line in stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn check_config_prints_what_a_file_means() {
    let (_dir, file) = config_file("[limits]\nidle = \"2m\"\n");
    let mut check = gatehouse();
    let (code, stdout, stderr) = output(
        check
            .args(["check-config", &file])
            .env("GATEHOUSE_WORKERS", "3"),
    );
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.contains("\nidle = \"2m\"\n") && stdout.contains("\nworkers = 3\n"),
        "{stdout}"
    );
    let (_dir, file) = config_file(&stdout);
    let (code, again, _) = output(gatehouse().args(["check-config", &file]));
    let body = |text: &str| text.split_once("\n\n").unwrap().1.to_owned();
    assert_eq!((code, body(&again)), (Some(0), body(&stdout)));
}

#[test]
fn a_port_in_use_is_named_with_its_listener() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (code, stdout, stderr) =
        output(gatehouse().args(["serve", "--listen", "127.0.0.1:0", "--tcp", &addr]));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(
        stderr.contains(&format!("listener `tcp` cannot listen on {addr}")),
        "{stderr}"
    );
    assert!(
        stderr.contains("ss -ltnp") && stderr.contains("--tcp"),
        "{stderr}"
    );
}

#[test]
fn a_signal_tells_every_client_and_ends_with_success() {
    for tables in ["true", "false"] {
        let running = Running::start(serve().env("GATEHOUSE_PRIVATE_FD_TABLES", tables));
        let web = running.addr("ws");
        let tcp = running.addr("tcp");
        let mut clients: Vec<_> = (0..20).map(|_| websocket(web, "/im")).collect();
        let mut line = connect(tcp);
        // Any answer says that it was accepted; one that waits for that is reset by the stop.
        line.write_all(b"\x00\x00\x00\x02{}").unwrap();
        assert!(line.read(&mut [0; 1024]).unwrap() > 0);
        running.signal(Signal::SIGTERM);
        for client in &mut clients {
            let close = loop {
                match client.read().unwrap() {
                    Message::Close(close) => break close.unwrap(),
                    _ => continue,
                }
            };
            assert_eq!(close.code, CloseCode::Restart);
            // Sends the answer to the close, and waits for the end of the stream.
            while client.read().is_ok() {}
        }
        assert_eq!(
            line.read(&mut [0; 1024]).unwrap(),
            0,
            "TCP has its end of stream only"
        );
        drop(line);
        let (status, stderr) = running.end();
        assert_eq!(status.code(), Some(0), "{stderr}");
        assert!(stderr.contains("stopped"), "{stderr}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let long = [
            ("GATEHOUSE_LIMITS__CLOSE", "1h"),
            ("GATEHOUSE_SHUTDOWN__DEADLINE", "1h"),
        ];
        let running = Running::start(serve().envs(long));
        let client = websocket(running.addr("ws"), "/im");
        running.signal(signal);
        // The server's close frame has come; without an answer it would wait for an hour.
        let mut first = [0];
        while first[0] != 0x88 {
            client.get_ref().read_exact(&mut first).unwrap();
        }
        running.signal(signal);
        assert_eq!(running.end().0.code(), Some(code));
    }
}

#[test]
fn who_does_not_answer_is_cut_off_at_the_deadline() {
    let short = [
        ("GATEHOUSE_LIMITS__CLOSE", "1h"),
        ("GATEHOUSE_SHUTDOWN__DEADLINE", "1s"),
    ];
    let running = Running::start(serve().envs(short));
    let _silent = websocket(running.addr("ws"), "/im");
    running.signal(Signal::SIGTERM);
    let (status, stderr) = running.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

/// Bytes in which a part that is missing, doubled or moved shows.
fn payload(bytes: usize) -> Bytes {
    (0..bytes)
        .map(|at| (at % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}

#[test]
fn echo_returns_text_and_binary_of_16_mib_whole_and_in_fragments() {
    for placement in ["reactor", "worker"] {
        let running = Running::start(gatehouse().args([
            "echo",
            "--listen",
            "127.0.0.1:0",
            "--placement",
            placement,
        ]));
        let mut client = websocket(running.addr("listening ws"), "/any/path?of=all");
        let text = Message::text("grüße");
        client.send(text.clone()).unwrap();
        assert_eq!(client.read().unwrap(), text);
        let large = payload(16 << 20);
        client.send(Message::Binary(large.clone())).unwrap();
        assert!(
            client.read().unwrap() == Message::Binary(large.clone()),
            "{placement}"
        );
        for (index, part) in [0..1, 1..9 << 20, 9 << 20..16 << 20]
            .into_iter()
            .enumerate()
        {
            let opcode = if index == 0 {
                Data::Binary
            } else {
                Data::Continue
            };
            let frame = Frame::message(large.slice(part), OpCode::Data(opcode), index == 2);
            client.send(Message::Frame(frame)).unwrap();
        }
        assert!(
            client.read().unwrap() == Message::Binary(large),
            "{placement}, in fragments"
        );
        client.close(None).unwrap();
        while client.read().is_ok() {}
        running.signal(Signal::SIGTERM);
        assert_eq!(running.end().0.code(), Some(0));
    }
}

#[test]
fn echo_speaks_every_tcp_framing() {
    for (framing, bytes) in [
        ("len1", &b"\x05hello"[..]),
        ("len2be", b"\x00\x05hello"),
        ("len2le", b"\x05\x00hello"),
        ("len4be", b"\x00\x00\x00\x05hello"),
        ("len4le", b"\x05\x00\x00\x00hello"),
        ("ndjson", b"[\"hello\"]\n"),
    ] {
        let running = Running::start(gatehouse().args([
            "echo",
            "--listen=127.0.0.1:0",
            "--tcp=127.0.0.1:0",
            "--framing",
            framing,
        ]));
        let mut client = connect(running.addr("listening tcp"));
        client.write_all(bytes).unwrap();
        let mut echoed = vec![0; bytes.len()];
        client.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, bytes, "{framing}");
        drop(client);
        running.signal(Signal::SIGTERM);
        assert_eq!(running.end().0.code(), Some(0));
    }
}

#[test]
fn help_and_version_are_there() {
    let (code, stdout, _) = output(gatehouse().arg("--version"));
    assert_eq!(
        (code, stdout),
        (
            Some(0),
            format!("gatehouse {}\n", env!("CARGO_PKG_VERSION"))
        )
    );
    for command in [&["--help"][..], &["serve", "--help"], &["echo", "--help"]] {
        let (code, stdout, _) = output(gatehouse().args(command));
        assert_eq!(code, Some(0));
        assert!(stdout.contains("Usage: gatehouse"), "{stdout}");
    }
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

/// A certificate of its own making for 127.0.0.1, as `DIR/LABEL.pem` and `.key`.
fn issue(dir: &TempDir, label: &str) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = |end: &str| dir.path().join(format!("{label}.{end}"));
    fs::write(path("pem"), made.cert.pem()).unwrap();
    fs::write(path("key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// A client that trusts this certificate alone.
fn tls(addr: SocketAddr, root: &CertificateDer<'static>) -> Secured {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "127.0.0.1".try_into().unwrap();
    let conn = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(addr).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(conn, socket)
}

/// The same, once it has asked whether the server is healthy.
fn secure(addr: SocketAddr, root: &CertificateDer<'static>) -> std::io::Result<Secured> {
    let mut stream = tls(addr, root);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")?;
    expect_ok(&mut stream)?;
    Ok(stream)
}

fn expect_ok(stream: &mut impl Read) -> std::io::Result<()> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => answer.extend_from_slice(&bytes[..n]),
        }
    }
    Ok(())
}

#[test]
fn certificates_are_read_anew_by_sighup_while_connections_stay() {
    let dir = tempfile::tempdir().unwrap();
    let old = issue(&dir, "web");
    let file = dir.path().join("gatehouse.toml");
    let text = "[[listener]]\nlisten = \"127.0.0.1:0\"\n[listener.tls]\n\
                certificates = [{ cert = \"web.pem\", key = \"web.key\" }]\n";
    fs::write(&file, text).unwrap();
    let running = Running::start(gatehouse().args(["serve", "--config"]).arg(&file));
    let addr = running.addr("wss");
    let page = running
        .stdout
        .iter()
        .find(|line| line.contains("chat page"));
    assert!(page.unwrap().contains("https://127.0.0.1:"));
    let mut stays = secure(addr, &old).unwrap();

    let logged = |what: &str| {
        let found = |line: &String| line.contains(what);
        assert!(running.stderr.iter().any(|line| found(&line)), "{what}");
    };
    let new = issue(&dir, "web");
    running.signal(Signal::SIGHUP);
    logged("certificates reloaded");
    secure(addr, &new).unwrap();
    assert!(
        secure(addr, &old).is_err(),
        "the old one is not shown any more"
    );

    // A key of another certificate is refused, and what there was stays.
    issue(&dir, "other");
    fs::copy(dir.path().join("other.key"), dir.path().join("web.key")).unwrap();
    running.signal(Signal::SIGHUP);
    logged("does not match the certificate");
    secure(addr, &new).unwrap();

    fs::write(&file, "nonsense = 1").unwrap();
    running.signal(Signal::SIGHUP);
    logged("unknown key `nonsense`");
    secure(addr, &new).unwrap();

    stays
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n")
        .unwrap();
    expect_ok(&mut stays).unwrap();
    drop(stays);
    running.signal(Signal::SIGTERM);
    assert!(running.end().0.success());
}

#[test]
fn files_of_certificates_are_checked_before_a_start() {
    let dir = tempfile::tempdir().unwrap();
    issue(&dir, "a");
    issue(&dir, "b");
    fs::write(dir.path().join("empty.pem"), "").unwrap();
    let file = dir.path().join("gatehouse.toml");
    let check = |command: &[&str], cert: &str, key: &str| {
        let text = format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n[listener.tls]\n\
             certificates = [{{ cert = \"{cert}\", key = \"{key}\" }}]\n"
        );
        fs::write(&file, text).unwrap();
        output(gatehouse().args(command).arg(&file))
    };
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (status, stdout, _) = check(&["check-config"], "a.pem", "a.key");
    assert_eq!(status, Some(0));
    assert!(stdout.contains(&at("a.pem")), "{stdout}");
    for (cert, key, wrong) in [
        (
            "c.pem",
            "a.key",
            format!("cannot read {}: No such file", at("c.pem")),
        ),
        (
            "empty.pem",
            "a.key",
            format!("{}: no certificate in PEM", at("empty.pem")),
        ),
        ("a.pem", "a.pem", format!("{}: no key in PEM", at("a.pem"))),
        (
            "a.pem",
            "b.key",
            format!(
                "key {} does not match the certificate {}",
                at("b.key"),
                at("a.pem")
            ),
        ),
    ] {
        for command in [&["check-config"][..], &["serve", "--config"]] {
            let (status, _, stderr) = check(command, cert, key);
            assert_eq!(status, Some(1));
            assert!(stderr.contains("listener `websocket`: "), "{stderr}");
            assert!(stderr.contains(&wrong), "{stderr}");
        }
    }
}

#[test]
fn a_certificate_that_has_expired_is_used_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let mut params = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let old = params.self_signed(&key).unwrap();
    fs::write(dir.path().join("a.pem"), old.pem()).unwrap();
    fs::write(dir.path().join("a.key"), key.serialize_pem()).unwrap();
    let file = dir.path().join("gatehouse.toml");
    let text = "[[listener]]\nlisten = \"127.0.0.1:0\"\n[listener.tls]\n\
                certificates = [{ cert = \"a.pem\", key = \"a.key\" }]\n";
    fs::write(&file, text).unwrap();
    let (status, _, stderr) = output(gatehouse().arg("check-config").arg(&file));
    assert_eq!(status, Some(0));
    assert!(
        stderr.contains("WARN") && stderr.contains("has expired"),
        "{stderr}"
    );
    let running = Running::start(gatehouse().args(["serve", "--config"]).arg(&file));
    running.addr("wss");
}

#[test]
fn the_echo_server_speaks_tls() {
    let dir = tempfile::tempdir().unwrap();
    let root = issue(&dir, "echo");
    let running = Running::start(
        gatehouse()
            .args(["echo", "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0"])
            .arg("--tls-cert")
            .arg(dir.path().join("echo.pem"))
            .arg("--tls-key")
            .arg(dir.path().join("echo.key")),
    );
    running.addr("wss");
    let addr = running.addr("tls+tcp");
    let mut stream = tls(addr, &root);
    stream.write_all(b"\0\0\0\x05hello").unwrap();
    let mut echoed = [0; 9];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"\0\0\0\x05hello");
}

#[test]
fn doctor_answers_with_its_exit_status() {
    let (code, stdout, stderr) = output(gatehouse().args(["doctor", "--connections", "1"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("1 connections fit."), "{stdout}");
    // A host for these would have 17 TB of memory free.
    let (code, stdout, _) = output(gatehouse().args(["doctor", "--connections", "4000000000"]));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("4,000,000,000 connections do not fit."),
        "{stdout}"
    );
    assert!(stdout.contains("of memory are missing"), "{stdout}");
    let (code, stdout, _) = output(gatehouse().args(["doctor", "--json"]));
    assert_eq!(code, Some(0), "nothing was asked for, nothing is promised");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(report["connections"].as_u64().unwrap() > 0, "{report}");
    let rows = report["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["mark"] == "binds"), "{report}");
}

#[test]
fn a_configuration_that_promises_too_much_is_warned_of() {
    let (_dir, file) = config_file("connections = 4000000000\nreactors = 1\n");
    let (code, stdout, _) = output(gatehouse().args(["doctor", "--config", &file]));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains("warning: 4,000,000,000 connections are promised"),
        "{stdout}"
    );
    let running = Running::start(serve().args(["--config", &file]));
    running.addr("ws");
    running.signal(Signal::SIGTERM);
    let (status, stderr) = running.end();
    assert_eq!(status.code(), Some(0), "it serves all the same: {stderr}");
    assert!(
        stderr.contains("WARN") && stderr.contains("4,000,000,000 connections are promised"),
        "{stderr}"
    );
}

#[test]
fn the_default_configuration_warns_of_nothing() {
    let running = Running::start(&mut serve());
    running.addr("ws");
    running.signal(Signal::SIGTERM);
    let (_, stderr) = running.end();
    assert!(!stderr.contains("WARN"), "{stderr}");
}
