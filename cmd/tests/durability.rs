//! The program is killed under load, and its disk is full: clients over sockets find everything
//! that was acknowledged, once, and miss nothing.

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use support::{PATIENCE, Running, serve};

const USERS: u64 = 4;
/// Messages that one client has on their way at once.
const IN_FLIGHT: usize = 16;

/// The program on a store in this directory.
fn on_store(command: &mut Command, directory: &Path) -> Running {
    command
        .env("GATEHOUSE_STORE__PATH", directory)
        .env("GATEHOUSE_ACCOUNTS__GUESTS", "true")
        .env("GATEHOUSE_LIMITS__MESSAGE_RATE", "unlimited")
        .env("GATEHOUSE_LOG__LEVEL", "warn");
    Running::start(command)
}

/// A connection of the native protocol over TCP.
struct Link(TcpStream);

impl Link {
    fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        let text = message.to_string();
        let mut frame = (text.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame)
    }

    fn take(&mut self) -> io::Result<Value> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut payload = vec![0; u32::from_be_bytes(length) as usize];
        self.0.read_exact(&mut payload)?;
        Ok(serde_json::from_slice(&payload).expect("JSON"))
    }
}

/// A message that was sent, as its sender wants it.
#[derive(Clone, Debug)]
struct Wanted {
    client_id: String,
    to: Value,
}

/// A user with a device that remembers.
struct Device {
    name: String,
    user: u64,
    /// What was sent and is not acknowledged; sent again after a crash, as clients do.
    unanswered: VecDeque<Wanted>,
    sent: usize,
    /// Of what was acknowledged: the conversation and the seq, by the client id.
    acknowledged: BTreeMap<String, (String, u64)>,
    /// Of what was acknowledged, pushed or asked for: the number of the message, by that in the
    /// inbox. None for a notice.
    inbox: BTreeMap<u64, Option<u64>>,
    /// Up to where nothing is missing.
    complete: u64,
}

impl Device {
    fn new(at: u64) -> Self {
        Self {
            name: format!("user {at}"),
            user: 0,
            unanswered: VecDeque::new(),
            sent: 0,
            acknowledged: BTreeMap::new(),
            inbox: BTreeMap::new(),
            complete: 0,
        }
    }

    /// Makes a request; pushes before its reply are noted.
    fn ask(&mut self, link: &mut Link, op: &str, data: Value) -> io::Result<Value> {
        link.send(&json!({"id": op, "op": op, "data": data}))?;
        loop {
            let mut message = link.take()?;
            if message["id"] == op {
                assert!(message["ok"].is_object(), "{op}: {message}");
                return Ok(message["ok"].take());
            }
            self.note_push(&message);
        }
    }

    fn log_in(&mut self, addr: SocketAddr) -> io::Result<Link> {
        let mut link = Link::open(addr)?;
        let who = json!({"name": self.name, "platform": "other"});
        self.user = self.ask(&mut link, "login", who)?["user"]["id"]
            .as_u64()
            .unwrap();
        Ok(link)
    }

    fn note(&mut self, number: u64, message: Option<u64>) {
        let known = self.inbox.insert(number, message);
        assert!(
            known.is_none_or(|known| known == message),
            "{number} is another one now"
        );
    }

    fn note_push(&mut self, push: &Value) {
        if let Some(number) = push["inbox"].as_u64() {
            let message = push["data"]["message"].as_u64();
            self.note(number, message.filter(|_| push["push"] == "message"));
        }
    }

    /// Asks for what was missed, as far as there is something.
    fn catch_up(&mut self, link: &mut Link, from: u64) -> io::Result<()> {
        let mut after = from;
        loop {
            let page = self.ask(link, "inbox.sync", json!({"after": after, "limit": 500}))?;
            assert_eq!(page["reset"], false);
            for entry in page["entries"].as_array().unwrap() {
                after += 1;
                assert_eq!(entry["inbox"], after, "dense");
                self.note(after, entry["message"]["message"].as_u64());
            }
            self.complete = self.complete.max(after);
            if after >= page["last"].as_u64().unwrap() {
                return Ok(());
            }
        }
    }

    /// Sends until the connection ends, first of all what was not answered before.
    fn send_on(
        &mut self,
        addr: SocketAddr,
        group: u64,
        done: &Sender<()>,
    ) -> io::Result<Infallible> {
        let mut link = self.log_in(addr)?;
        self.catch_up(&mut link, self.complete)?;
        let mut on_their_way = 0;
        loop {
            while on_their_way < IN_FLIGHT {
                if on_their_way == self.unanswered.len() {
                    let wanted = self.next_message(group);
                    self.unanswered.push_back(wanted);
                }
                let Wanted { client_id, to } = &self.unanswered[on_their_way];
                let data = json!({"to": to, "body": client_id, "client_id": client_id});
                link.send(&json!({"id": client_id, "op": "message.send", "data": data}))?;
                on_their_way += 1;
            }
            let message = link.take()?;
            if message["push"].is_string() {
                self.note_push(&message);
                continue;
            }
            // Replies come in the order of the requests.
            let wanted = self.unanswered.pop_front().unwrap();
            assert_eq!(message["id"], wanted.client_id.as_str());
            let ok = &message["ok"];
            assert!(ok.is_object(), "{message}");
            self.acknowledge(&wanted, ok);
            on_their_way -= 1;
            // The test listens until the last of us has gone.
            done.send(()).expect("somebody counts");
        }
    }

    fn acknowledge(&mut self, wanted: &Wanted, ok: &Value) {
        let place = (
            ok["conversation"].as_str().unwrap().to_owned(),
            ok["seq"].as_u64().unwrap(),
        );
        let twice = self.acknowledged.insert(wanted.client_id.clone(), place);
        assert_eq!(twice, None);
        self.note(ok["inbox"].as_u64().unwrap(), ok["message"].as_u64());
    }

    fn next_message(&mut self, group: u64) -> Wanted {
        self.sent += 1;
        let to = match self.sent % 3 {
            0 => json!({ "group": group }),
            // Users are numbered from 1, in the order of their first logins.
            _ => json!({"user": 1 + self.sent as u64 % USERS}),
        };
        let client_id = format!("{} {}", self.user, self.sent);
        Wanted { client_id, to }
    }

    /// Every message of a conversation, by its client id.
    fn log(&mut self, link: &mut Link, conversation: &str) -> BTreeMap<String, u64> {
        let mut log = BTreeMap::new();
        loop {
            let after = log.len();
            let page = json!({"conversation": conversation, "after": after, "limit": 500});
            let page = self.ask(link, "message.history", page).unwrap();
            for message in page["messages"].as_array().unwrap() {
                let seq = log.len() as u64 + 1;
                assert_eq!(message["seq"], seq, "{conversation} is dense");
                let client_id = message["client_id"].as_str().unwrap().to_owned();
                assert_eq!(message["body"], client_id.as_str());
                assert_eq!(log.insert(client_id, seq), None, "each is there once");
            }
            if page["more"] == false {
                return log;
            }
        }
    }
}

/// Users who have a group.
fn gather(addr: SocketAddr) -> (Vec<Device>, u64) {
    let mut devices: Vec<_> = (1..=USERS).map(Device::new).collect();
    for device in &mut devices {
        device.log_in(addr).unwrap();
    }
    let members: Vec<_> = devices.iter().map(|device| device.user).collect();
    assert_eq!(members, (1..=USERS).collect::<Vec<_>>());
    let mut link = devices[0].log_in(addr).unwrap();
    let made = json!({"name": "Survivors", "members": members});
    let made = devices[0].ask(&mut link, "group.create", made).unwrap();
    let group = made["group"]["id"].as_u64().unwrap();
    (devices, group)
}

/// Looks at everything: what was acknowledged is there, once, in its place; what was acknowledged
/// or pushed stands in the inbox under its number, and there are no others.
fn look_at(addr: SocketAddr, devices: &mut [Device]) {
    let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
    for device in devices.iter_mut() {
        let mut link = device.log_in(addr).unwrap();
        device.catch_up(&mut link, 0).unwrap();
        let known: Vec<u64> = device.inbox.keys().copied().collect();
        assert_eq!(
            known,
            (1..=device.complete).collect::<Vec<_>>(),
            "what was told is there"
        );
        let listed = device.ask(&mut link, "conversation.list", json!({"limit": 500}));
        for conversation in listed.unwrap()["conversations"].as_array().unwrap() {
            let name = conversation["conversation"].as_str().unwrap();
            for (client_id, seq) in device.log(&mut link, name) {
                let known = found.insert((name.to_owned(), client_id), seq);
                assert!(known.is_none_or(|known| known == seq), "the same for all");
            }
        }
    }
    for device in devices {
        for (client_id, (conversation, seq)) in &device.acknowledged {
            let place = (conversation.clone(), client_id.clone());
            assert_eq!(found.get(&place), Some(seq), "{client_id} was acknowledged");
        }
    }
}

#[test]
fn a_server_that_is_killed_under_load_has_everything_it_acknowledged() {
    kill_again_and_again(10);
}

#[test]
#[ignore = "minutes: cargo nextest run -p gatehouse --test durability --run-ignored all"]
fn a_server_that_is_killed_fifty_times_has_everything_it_acknowledged() {
    kill_again_and_again(50);
}

fn kill_again_and_again(kills: usize) {
    let directory = tempfile::tempdir().unwrap();
    let server = on_store(&mut serve(), directory.path());
    let (mut devices, group) = gather(server.addr("tcp"));
    drop(server);
    for kill in 0..kills {
        let server = on_store(&mut serve(), directory.path());
        let addr = server.addr("tcp");
        // A few messages, or many: in the first transactions, and after the log was carried over.
        let messages = 1 + (kill * 137) % 600;
        thread::scope(|threads| {
            let (done, acknowledged) = channel();
            for device in &mut devices {
                let done = done.clone();
                // It ends with the server.
                threads.spawn(move || device.send_on(addr, group, &done).unwrap_err());
            }
            drop(done);
            let seen = acknowledged.iter().take(messages).count();
            server.signal(Signal::SIGKILL);
            assert_eq!(seen, messages, "the server ended by itself");
            acknowledged.iter().for_each(drop);
        });
    }
    let server = on_store(&mut serve(), directory.path());
    look_at(server.addr("tcp"), &mut devices);
    server.signal(Signal::SIGTERM);
    let (status, stderr) = server.end();
    assert_eq!(status.code(), Some(0), "{stderr}");
}

/// The program, which cannot make a file larger than so many KiB.
fn with_files_of(kib: u32) -> Command {
    // What would kill it is ignored, so that the write fails as it does on a full disk.
    let limited = format!("trap '' XFSZ; ulimit -S -f {kib}; exec \"$0\" \"$@\"");
    let plain = serve();
    let mut command = Command::new("bash");
    command.args(["-c", &limited]).arg(plain.get_program());
    command.args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_until_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let server = on_store(&mut with_files_of(1_500), directory.path());
    let addr = server.addr("tcp");
    let mut ada = Device::new(1);
    let mut link = ada.log_in(addr).unwrap();
    let send = |link: &mut Link, number: usize| {
        let client_id = format!("{number}");
        let body = client_id.repeat(4_000 / client_id.len());
        let data = json!({"to": {"user": 1}, "body": body, "client_id": client_id});
        link.send(&json!({"id": number, "op": "message.send", "data": data}))
            .unwrap();
        let reply = link.take().unwrap();
        assert_eq!(reply["id"], number);
        reply["error"]["code"].as_str().map(str::to_owned)
    };
    let mut kept = Vec::new();
    for number in 0.. {
        match send(&mut link, number).as_deref() {
            None => kept.push(number),
            Some("unavailable") => break,
            Some(code) => panic!("{code}"),
        }
        assert!(kept.len() < 2_000, "the disk is never full");
    }
    assert!(kept.len() > 10, "{}", kept.len());
    // What is kept can be read, and more is still refused, on any connection.
    ada.catch_up(&mut link, 0).unwrap();
    assert_eq!(ada.complete, kept.len() as u64);
    let mut other = Link::open(addr).unwrap();
    ada.ask(&mut other, "heartbeat", json!({})).unwrap();
    assert_eq!(send(&mut link, 10_000).as_deref(), Some("unavailable"));
    // Somebody makes room.
    let pid = server.child.id().to_string();
    let room = Command::new("prlimit")
        .args(["--pid", &pid, "--fsize=unlimited"])
        .status();
    assert!(room.unwrap().success());
    assert_eq!(send(&mut link, 20_000), None, "service resumes");
    kept.push(20_000);
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = on_store(&mut serve(), directory.path());
    let mut link = ada.log_in(server.addr("tcp")).unwrap();
    let page = json!({"conversation": "d:1:1", "after": 0, "limit": 500});
    let history = ada.ask(&mut link, "message.history", page).unwrap();
    let found = history["messages"].as_array().unwrap().iter();
    let found: Vec<_> = found
        .map(|message| message["client_id"].as_str().unwrap())
        .collect();
    let kept: Vec<_> = kept.iter().map(usize::to_string).collect();
    assert_eq!(
        found, kept,
        "what was acknowledged, and nothing that was refused"
    );
}
