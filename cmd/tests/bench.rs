//! The load client as it is run: against gates in this process or a server of its own, small,
//! checked by exit code and JSON.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use gate::{
    Builder, CertificateFiles, Context, DeflateConfig, Envelope, Listener, Module, Placement,
    RunningGate, TcpFraming, TlsServer, TlsSettings,
};
use module::adapter::native::Native;
use module::{Im, ImConfig};
use nix::sys::signal::Signal;
use serde_json::Value;

use support::{PATIENCE, Running, gatehouse, serve as serve_process};

struct Echo;

impl Module for Echo {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

/// Answers the fifth message of each session with a broken copy, and does not answer the sixth.
#[derive(Default)]
struct Liar(std::collections::HashMap<gate::SessionId, u32>);

impl Module for Liar {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let count = self.0.entry(envelope.session).or_default();
        *count += 1;
        let mut payload = envelope.payload().to_vec();
        match *count {
            5 => *payload.last_mut().expect("never empty") ^= 1,
            6 => return,
            _ => {}
        }
        context.send(envelope.session, envelope.kind, &payload);
    }
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

/// A gate with one module on WebSocket and on TCP with `framing`.
fn serve<M: Module + 'static>(framing: &str, make: fn() -> M) -> RunningGate {
    let framing = TcpFraming::named(framing).expect("a framing");
    let mut builder = Builder::new().reactors(2);
    let module = builder.module(Placement::Reactor, move |_| make());
    let web = Listener::http(any_port()).websocket("/echo", module);
    builder.listen(web.compression(DeflateConfig {
        threshold_bytes: 0,
        server_context_takeover: true,
        client_context_takeover: true,
        ..DeflateConfig::default()
    }));
    builder.listen(Listener::tcp(any_port(), framing, module));
    builder.start().expect("the gate starts")
}

fn serve_im() -> RunningGate {
    let im = Im::open(ImConfig::default()).expect("a store in memory");
    let mut builder = Builder::new().reactors(2).workers(2);
    let native = builder.module(Placement::Worker, move |_| Native::new(Arc::clone(&im)));
    builder.listen(Listener::http(any_port()).websocket("/im", native));
    let framing = TcpFraming::named("len4be").expect("a framing");
    builder.listen(Listener::tcp(any_port(), framing, native));
    builder.start().expect("the gate starts")
}

fn ws(gate: &RunningGate, path: &str) -> String {
    format!("ws://{}{path}", gate.addrs()[0])
}

fn tcp(gate: &RunningGate) -> String {
    format!("tcp://{}", gate.addrs()[1])
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatehouse-bench"))
        .args(arguments)
        .output()
        .expect("gatehouse-bench runs")
}

/// Runs to exit code `code`, and reads the JSON.
fn report(code: i32, arguments: &[&str]) -> Value {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");
    let json = file.to_str().expect("a path in UTF-8");
    let output = run(&[arguments, &["--json", json]].concat());
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    read(&file)
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).expect("the report")).expect("JSON")
}

/// Exit code 2, and what was said.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("UTF-8")
}

const ECHO: [&str; 7] = ["echo", "-c", "40", "-d", "300ms", "--warm-up", "50ms"];

#[test]
fn compressed_messages_come_back_as_they_were() {
    let gate = serve("len4be", || Echo);
    let target = ws(&gate, "/echo");
    for how in ["--deflate", "--deflate=takeover"] {
        let options = [
            "--target",
            &target,
            how,
            "--size",
            "900",
            "--in-flight",
            "8",
        ];
        let report = report(0, &[&ECHO[..], &options].concat());
        assert!(report["messages"]["sent"].as_u64() >= Some(320), "{report}");
        assert_eq!(report["ok"], true);
    }
}

#[test]
fn an_echo_is_measured_and_checked() {
    let gate = serve("len4be", || Echo);
    for (target, size) in [
        (ws(&gate, "/echo"), "20"),
        (tcp(&gate), "3"),
        (ws(&gate, "/echo"), "70000"),
    ] {
        let arguments = [&ECHO[..], &["-t", &target, "-i", "4", "-s", size]].concat();
        let report = report(0, &arguments);
        assert_eq!(report["ok"], true);
        assert_eq!(report["connections"]["opened"], 40);
        let messages = &report["messages"];
        assert!(messages["sent"].as_u64() >= Some(160), "{messages}");
        assert_eq!(
            (&messages["lost"], &messages["corrupted"]),
            (&0.into(), &0.into())
        );
        let latency = &report["latency"]["round_trip"];
        assert!(
            latency["p50"].as_f64() <= latency["max"].as_f64(),
            "{latency}"
        );
    }
    gate.stop(1);
}

#[test]
fn lines_are_echoed_as_text() {
    let gate = serve("ndjson", || Echo);
    let target = tcp(&gate);
    report(
        0,
        &[&ECHO[..], &["-t", &target, "--framing", "ndjson"]].concat(),
    );
    gate.stop(1);
}

#[test]
fn a_lying_server_is_found_out() {
    let gate = serve("len4be", Liar::default);
    let target = ws(&gate, "/echo");
    let arguments = [&ECHO[..], &["-t", &target, "--grace", "200ms"]].concat();
    let report = report(1, &arguments);
    assert_eq!(report["messages"]["corrupted"], 40);
    assert_eq!(report["messages"]["lost"], 40);
    assert_eq!(report["ok"], false);
    gate.stop(1);
}

#[test]
fn connections_are_held_and_weighed() {
    let gate = serve("len4be", || Echo);
    let (target, second) = (ws(&gate, "/echo"), tcp(&gate));
    let pid = std::process::id().to_string();
    let report = report(
        0,
        &[
            "connect",
            "-c",
            "60",
            "--hold",
            "100ms",
            "--per-source",
            "20",
            "--pid",
            &pid,
            "-t",
            &target,
            "-t",
            &second,
        ],
    );
    assert_eq!(report["connections"]["held"], 60);
    assert_eq!(report["sources"], 3);
    assert!(
        report["memory"]["pss_anon"]["held_bytes"].as_u64() > Some(0),
        "{report}"
    );
    gate.stop(1);
}

#[test]
fn connections_come_and_go() {
    let gate = serve("len4be", || Echo);
    for target in [ws(&gate, "/echo"), tcp(&gate)] {
        let report = report(0, &["churn", "-c", "10", "-d", "300ms", "-t", &target]);
        assert!(
            report["connections"]["complete"].as_u64() > Some(10),
            "{report}"
        );
    }
    let target = tcp(&gate);
    let report = report(0, &["churn", "-r", "50", "-d", "500ms", "-t", &target]);
    let complete = report["connections"]["complete"].as_u64().expect("a count");
    assert!((15..=25).contains(&complete), "{complete}");
    gate.stop(1);
}

#[test]
fn users_chat_in_pairs_and_groups() {
    let gate = serve_im();
    for target in [ws(&gate, "/im"), tcp(&gate)] {
        let report = report(
            0,
            &[
                "chat", "-u", "20", "-r", "400", "-d", "500ms", "-g", "4", "-t", &target,
            ],
        );
        assert_eq!(report["connections"]["logged_in"], 20);
        assert_eq!(report["messages"]["replies"], report["messages"]["sent"]);
        assert!(
            report["latency"]["group"]["count"].as_u64() > Some(0),
            "{report}"
        );
    }
    gate.stop(1);
}

#[test]
fn a_broadcast_reaches_everyone() {
    let gate = serve_im();
    let target = ws(&gate, "/im");
    let report = report(
        0,
        &[
            "broadcast",
            "--receivers",
            "50",
            "--rounds",
            "3",
            "--pause",
            "10ms",
            "-t",
            &target,
        ],
    );
    assert_eq!(report["messages"]["received"], 150);
    assert_eq!(report["rounds"].as_array().map(Vec::len), Some(3));
    gate.stop(1);
}

#[test]
fn what_users_of_the_im_were_promised_is_proved_by_their_books() {
    let gate = serve_im();
    let (web, tcp) = (ws(&gate, "/im"), tcp(&gate));
    let targets = ["im", "-t", &web, "-t", &tcp, "-u", "20", "-g", "5"];
    let flow = ["-i", "40", "-d", "500ms"];
    let pace = ["-r", "400", "-d", "500ms"];
    for how in [flow, pace] {
        let report = report(0, &[&targets[..], &how].concat());
        let acknowledged = report["messages"]["acknowledged"].as_u64();
        assert!(acknowledged >= Some(100), "{report}");
        assert_eq!(
            report["messages"]["sent"],
            report["messages"]["acknowledged"]
        );
        assert_eq!(
            report["books"]["placed"],
            report["messages"]["acknowledged"]
        );
        // Ten pairs, four groups.
        assert_eq!(report["books"]["conversations"], 14);
        let latency = &report["latency"];
        assert_eq!(latency["reply"]["count"].as_u64(), acknowledged);
        let (direct, group) = (&latency["direct"]["count"], &latency["group"]["count"]);
        let heard = direct.as_u64().zip(group.as_u64());
        let heard = heard.map(|(direct, group)| direct + group / 4);
        assert_eq!(heard, acknowledged, "{latency}");
    }
    let refused = refused(&["im", "-r", "5", "-i", "5"]);
    assert!(refused.contains("--in-flight"), "{refused}");
}

/// An address that is free and stays so while nobody listens there: the kernel gives such a port to
/// nobody who does not ask for it.
fn lasting_addr() -> String {
    let ports = std::iter::repeat_with(|| rand::random_range(20_000..30_000_u16));
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = ports.take(100).find(free).expect("a free port");
    format!("127.0.0.1:{port}")
}

#[test]
fn users_of_the_im_lose_nothing_when_the_server_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");
    let start = |web: &str, tcp: &str| {
        let mut command = gatehouse();
        command.env("GATEHOUSE_STORE__PATH", directory.path());
        // Twenty users do the writing of many.
        command.env("GATEHOUSE_LIMITS__MESSAGE_RATE", "unlimited");
        Running::start(command.args(["serve", "--listen", web, "--tcp", tcp]))
    };
    let (web, tcp) = (lasting_addr(), lasting_addr());
    let mut server = start(&web, &tcp);
    server.addr("tcp");
    let (web_url, tcp_url) = (format!("ws://{web}/im"), format!("tcp://{tcp}"));
    let mut load = Command::new(env!("CARGO_BIN_EXE_gatehouse-bench"));
    // What is in files has accounts, and no guests.
    load.args(["im", "--reconnect", "--accounts", "registered"])
        .args(["-u", "20", "-g", "5", "-i", "40", "-d", "7s"])
        .args(["-t", &web_url, "-t", &tcp_url, "--json"])
        .arg(&file);
    let load = Running::start(&mut load);
    for _ in 0..2 {
        // It tells how far it is every two seconds.
        while !load
            .stderr
            .recv_timeout(PATIENCE)
            .expect("a line")
            .starts_with("writing: ")
        {}
        server.signal(Signal::SIGKILL);
        server.end();
        server = start(&web, &tcp);
        server.addr("tcp");
    }
    let stdout = load.stdout.iter().collect::<Vec<_>>().join("\n");
    let (status, stderr) = load.end();
    assert_eq!(status.code(), Some(0), "{stderr}\n{stdout}");
    let report = read(&file);
    let lost = report["connections"]["lost"].as_u64();
    assert!(lost >= Some(40), "{report}");
    assert_eq!(
        report["books"]["placed"],
        report["messages"]["acknowledged"]
    );
}

#[test]
fn users_who_write_too_fast_are_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = serve_process();
    command.env("GATEHOUSE_STORE__PATH", directory.path());
    command.env("GATEHOUSE_LIMITS__MESSAGE_RATE__PER_SECOND", "1");
    let server = Running::start(command.env("GATEHOUSE_LIMITS__MESSAGE_RATE__BURST", "20"));
    let target = format!("ws://{}/im", server.addr("ws"));
    let pace = [
        "-u", "2", "-g", "0", "-i", "1", "-d", "500ms", "--grace", "1s",
    ];
    let target = ["im", "-t", &target, "--accounts", "registered"];
    let report = report(1, &[&target[..], &pace].concat());
    assert!(
        report["reasons"]["requests"]["rate_limited"].as_u64() >= Some(1),
        "{report}"
    );
    server.signal(Signal::SIGTERM);
    server.end();
}

#[test]
fn a_store_is_filled_and_served() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().to_str().expect("a path in UTF-8");
    let fill = [
        "fill",
        "--store",
        store,
        "-u",
        "50",
        "-g",
        "2",
        "--members",
        "20",
    ];
    let report = report(0, &[&fill[..], &["-m", "2000"]].concat());
    assert!(
        report["store"]["bytes"].as_u64() > Some(100_000),
        "{report}"
    );
    assert!(refused(&fill).contains("already"));
    let mut command = serve_process();
    let server = Running::start(command.env("GATEHOUSE_STORE__PATH", store));
    server.addr("ws");
    server.signal(Signal::SIGTERM);
    let (status, stderr) = server.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn a_drain_is_watched_to_its_end() {
    let server = Running::start(serve_process().args(["--drain-rate", "50"]));
    let target = format!("ws://{}/im", server.addr("ws"));
    let pid = server.child.id().to_string();
    let drain = ["drain", "-c", "100", "--login", "--stop", "--pid", &pid];
    let report = report(0, &[&drain[..], &["-r", "50", "-t", &target]].concat());
    assert_eq!(report["connections"]["held"], 100);
    assert_eq!(report["ends"]["code_1012"], 100, "{report}");
    assert_eq!(report["ends"]["reset"], 0);
    let (status, stderr) = server.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn a_server_that_dies_tells_nobody() {
    let server = Running::start(gatehouse().args(["echo", "--listen", "127.0.0.1:0"]));
    let target = format!("ws://{}/", server.addr("listening ws"));
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("report.json");
    let mut drain = Command::new(env!("CARGO_BIN_EXE_gatehouse-bench"));
    drain.args(["drain", "-q", "-c", "20", "-t", &target, "--json"]);
    let drain = Running::start(drain.arg(&file));
    let said = drain.stderr.recv_timeout(PATIENCE).expect("a line");
    assert!(
        said.starts_with("20 connections open. Stop the server now"),
        "{said}"
    );
    server.signal(Signal::SIGKILL);
    let (status, stderr) = drain.end();
    assert_eq!(status.code(), Some(1), "{stderr}");
    let ends = &read(&file)["ends"];
    let untold = ends["untold"].as_u64().zip(ends["reset"].as_u64());
    assert_eq!(
        untold.map(|(untold, reset)| untold + reset),
        Some(20),
        "{ends}"
    );
}

#[test]
fn users_are_compared_in_peace_and_under_attack() {
    let server = Running::start(&mut serve_process());
    let target = format!("ws://{}/im", server.addr("ws"));
    let pid = server.child.id().to_string();
    let attack = ["attack", "-t", &target, "--pid", &pid, "-u", "60"];
    let small = [
        "-r", "300", "-d", "1s", "--deaf", "20", "--drips", "20", "--bombs", "30", "--storm", "100",
    ];
    let full = report(0, &[&attack[..], &small, &["--budget", "1GiB"]].concat());
    for phase in ["peace", "attack"] {
        let phase = &full["phases"][phase];
        assert!(phase["sent"].as_u64() >= Some(250), "{phase}");
        assert_eq!(phase["received"], phase["sent"]);
        assert_eq!(phase["delivery"]["count"], phase["sent"]);
        assert_eq!(phase["ended_early"], 0);
    }
    let attackers = &full["attackers"];
    // Five publishers make 200 messages a second.
    assert_eq!(attackers["deaf"]["made"], 25, "{attackers}");
    assert!(attackers["deaf"]["sent"].as_u64() > Some(0), "{attackers}");
    assert_eq!(attackers["drips"]["open"], 20, "{attackers}");
    let bombs = &attackers["bombs"]["reasons"]["closed by the server, code 1009"];
    assert!(bombs.as_u64() > Some(0), "{attackers}");
    assert!(attackers["storm"]["made"].as_u64() > Some(0), "{attackers}");

    // Without its parts, and a server that takes more memory than it may.
    let none = [
        "-d", "200ms", "--deaf", "0", "--drips", "0", "--bombs", "0", "--storm", "0",
    ];
    let alone = report(1, &[&attack[..], &none, &["--budget", "1MiB"]].concat());
    assert_eq!(alone["attackers"], Value::Null);
    assert_eq!(
        alone["problems"].as_array().map(Vec::len),
        Some(1),
        "{alone}"
    );
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().0.code(), Some(0));
}

#[test]
fn a_run_that_cannot_begin_says_what_to_do() {
    // Bound and dropped: nobody listens there now.
    let free = TcpListener::bind(any_port())
        .and_then(|socket| socket.local_addr())
        .expect("a port");
    let said = refused(&["echo", "-t", &format!("tcp://{free}")]);
    assert!(
        said.contains("connection refused") && said.contains("gatehouse echo"),
        "{said}"
    );

    let gate = serve("len4be", || Echo);
    let said = refused(&["echo", "-t", &ws(&gate, "/elsewhere")]);
    assert!(said.contains("status 404"), "{said}");
    let said = refused(&[
        "echo",
        "-t",
        &tcp(&gate),
        "--size",
        "300",
        "--framing",
        "len1",
    ]);
    assert!(said.contains("255"), "{said}");
    gate.stop(1);

    assert!(refused(&["connect", "-t", "ws://192.0.2.1/"]).contains("--allow-remote"));
    assert!(refused(&["echo"]).contains("--target"));
    assert!(refused(&["drain", "--stop"]).contains("--pid"));
    assert!(refused(&["attack", "--budget", "64MiB"]).contains("--pid"));
    assert!(refused(&["dance"]).contains("Usage"));
}

#[test]
fn servers_with_tls_are_measured_over_every_framing() {
    let directory = tempfile::tempdir().expect("a directory");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let files = CertificateFiles {
        cert: directory.path().join("a.pem"),
        key: directory.path().join("a.key"),
    };
    std::fs::write(&files.cert, made.cert.pem()).expect("room for a file");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("room for a file");
    let settings = TlsSettings {
        certificates: vec![files.clone()],
        ..TlsSettings::default()
    };
    let tls = TlsServer::load(&settings).expect("files that were just written");
    let framing = TcpFraming::named("ndjson").expect("a framing");
    let mut builder = Builder::new().reactors(2);
    let module = builder.module(Placement::Reactor, |_| Echo);
    let web = Listener::http(any_port()).websocket("/echo", module);
    builder.listen(web.tls(tls.clone()));
    builder.listen(Listener::tcp(any_port(), framing, module).tls(tls));
    let gate = builder.start().expect("the gate starts");

    let (web, tcp) = (
        format!("wss://{}/echo", gate.addrs()[0]),
        format!("tls+tcp://{}", gate.addrs()[1]),
    );
    let ca = files.cert.to_str().expect("a path in UTF-8");
    for rest in [
        &["-t", &web, "--ca", ca][..],
        &["-t", &tcp, "--framing", "ndjson", "--insecure"],
    ] {
        let report = report(0, &[&ECHO[..], rest].concat());
        assert_eq!(report["connections"]["opened"], 40);
        assert!(report["messages"]["measured"].as_u64() > Some(0));
    }
    assert!(refused(&["echo", "-t", &web]).contains("--ca FILE"));
    let plain = web.replace("wss", "ws");
    assert!(refused(&["echo", "-t", &plain]).contains("does not answer as a WebSocket server"));
    gate.stop(5);
}

#[test]
fn a_thousand_of_the_million_come_are_heard_and_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let html = directory.path().join("million.html");
    let course = [
        "million",
        "--mix",
        "--connections",
        "1000",
        "--heartbeat",
        "5",
        "--busy-host",
    ];
    let times = [
        "--echo-time",
        "500ms",
        "--churn-time",
        "500ms",
        "--echo-rate",
        "500",
    ];
    let more = [
        "--churn",
        "10",
        "--broadcasts",
        "2",
        "--in-flight",
        "100",
        "--quiet",
        "--html",
    ];
    let html_path = html.to_str().expect("a path in UTF-8");
    let report = report(0, &[&course[..], &times, &more, &[html_path]].concat());

    assert_eq!(report["connections"]["opened"], 1000);
    // Each is asked for a sign of life in five seconds, or gives one, and is held for ten.
    assert!(
        report["idle"]["heartbeats"].as_u64() >= Some(1000),
        "{report:#}"
    );
    for rounds in [&report["broadcasts"][0], &report["broadcasts"][1]] {
        assert_eq!(rounds["received"], 1000, "every receiver counts");
    }
    let echoes = &report["echoes"];
    for kind in ["rate", "saturated", "half"] {
        let (sent, answered) = (&echoes[kind]["sent"], &echoes[kind]["answered"]);
        assert!(
            sent == answered && sent.as_u64() > Some(0),
            "{kind}: {echoes:#}"
        );
    }
    assert!(report["churn"]["left"].as_u64() > Some(0));
    assert_eq!(report["churn"]["left"], report["churn"]["came"]);
    assert_eq!(report["close"]["closed"], 1000);
    assert_eq!(report["close"]["unanswered"], 0);

    let page = std::fs::read_to_string(html).expect("the page");
    assert!(page.contains("1,000 connections") && page.contains("</html>"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "it needs nothing else"
    );
}

#[test]
fn bursts_come_and_go() {
    let course = [
        "million",
        "--bursts",
        "2",
        "--connections",
        "500",
        "--busy-host",
        "--quiet",
    ];
    let report = report(0, &course);
    let bursts = report["bursts"].as_array().expect("bursts");
    assert_eq!(bursts.len(), 2);
    for burst in bursts {
        assert_eq!(burst["exchange"]["answered"], 500);
        assert_eq!(burst["unanswered_closes"], 0);
    }
}

#[test]
fn more_connections_than_the_host_can_hold_are_refused() {
    // No host has a terabyte left over for both ends of so many.
    let why = refused(&["million", "--connections", "4000000"]);
    assert!(
        why.contains("this host can hold") && why.contains("what binds is"),
        "{why}"
    );
    let why = refused(&["million", "--target", "ws://127.0.0.1:9/"]);
    assert!(why.contains("starts its own server"), "{why}");
}
