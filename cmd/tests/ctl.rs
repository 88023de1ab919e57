//! `gatehouse ctl` beside a server that serves.

mod support;

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::Signal;
use tungstenite::{Message, WebSocket};

use support::{PATIENCE, Running, gatehouse, serve};

/// Runs `gatehouse ctl`: whether all is well, and what it has said.
fn ctl(args: &[&str]) -> (bool, String) {
    let output = gatehouse()
        .arg("ctl")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn serve_store(store: &Path) -> Running {
    Running::start(serve().env("GATEHOUSE_STORE__PATH", store))
}

/// A client that is logged in as a guest, and the name of the store.
fn login(addr: SocketAddr) -> (WebSocket<TcpStream>, String) {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut client, _) = tungstenite::client(format!("ws://{addr}/im"), stream).unwrap();
    let reply = ask(&mut client, r#""op":"login","data":{"name":"Ada"}"#);
    let (_, rest) = reply.split_once(r#""instance":""#).expect("an instance");
    let instance = rest.split('"').next().unwrap().to_owned();
    (client, instance)
}

fn ask(client: &mut WebSocket<TcpStream>, request: &str) -> String {
    client
        .send(Message::text(format!("{{\"id\":1,{request}}}")))
        .unwrap();
    match client.read().unwrap() {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_store_that_is_served_is_backed_up_checked_and_restored() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let [store, copy, again] = ["store", "copy", "again"].map(path);
    let [store_arg, copy_arg, again_arg] =
        [&store, &copy, &again].map(|path| path.to_str().unwrap());
    let running = serve_store(&store);
    let (mut ada, instance) = login(running.addr("ws"));
    let sent = ask(
        &mut ada,
        r#""op":"message.send","data":{"to":{"all":true},"body":"keep this"}"#,
    );
    assert!(sent.contains(r#""seq":1"#), "{sent}");

    let backup = ["backup", "--store", store_arg, "--to", copy_arg];
    let (done, said) = ctl(&backup);
    assert!(
        done && said.contains("1 users, 0 groups, 1 messages"),
        "{said}"
    );
    let (done, said) = ctl(&backup);
    assert!(!done && said.contains("is not empty"), "{said}");
    for directory in [copy_arg, store_arg] {
        let (whole, said) = ctl(&["verify", directory]);
        assert!(whole && said.contains("is whole"), "{said}");
    }
    let (done, said) = ctl(&["restore", "--from", copy_arg, "--store", store_arg]);
    assert!(!done && said.contains("in use"), "{said}");
    running.signal(Signal::SIGTERM);
    assert!(running.end().0.success());

    let (done, said) = ctl(&["restore", "--from", copy_arg, "--store", again_arg]);
    assert!(done && said.contains("1 messages"), "{said}");
    let running = serve_store(&again);
    let (mut ada, restored) = login(running.addr("ws"));
    assert_ne!(restored, instance, "clients see that it is another");
    let history = ask(
        &mut ada,
        r#""op":"message.history","data":{"conversation":"all"}"#,
    );
    assert!(history.contains("keep this"), "{history}");

    std::fs::write(copy.join("gatehouse.db"), "nothing").unwrap();
    let (whole, said) = ctl(&["verify", copy_arg]);
    assert!(!whole && said.contains("damaged"), "{said}");
}
