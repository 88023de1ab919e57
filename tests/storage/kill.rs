//! A process that writes under load and is killed: what it has acknowledged is there, once, and in
//! its place.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;

use common::{GroupId, UserId};
use module::account::EnterGuest;
use module::group::{ListGroups, WhichGroups};
use module::inbox::Content;
use module::message::{Conversation, Send, To};
use module::storage::sqlite::{Location, OpenError, SqliteStore, StoreConfig};
use module::storage::store::Store;

use crate::bench::{Bench, text};
use crate::dense;

const DIRECTORY: &str = "GATEHOUSE_TEST_KILL_DIRECTORY";
const USERS: u64 = 4;
/// Messages that one sender has on their way at once.
const IN_FLIGHT: usize = 32;

/// What a line of the writer says: the client id, the conversation, its seq there.
type Acknowledged = HashMap<String, (Conversation, u64)>;

/// The process that is killed; a test so that it is in this binary, and nothing without a
/// directory.
#[test]
fn the_writer_that_is_killed() {
    let Ok(directory) = env::var(DIRECTORY) else {
        return;
    };
    let (users, group) = open_for_writing(Path::new(&directory));
    let round = std::process::id();
    let threads: Vec<_> = users
        .1
        .iter()
        .map(|&sender| {
            let (store, users) = (Arc::clone(&users.0), users.1.clone());
            std::thread::spawn(move || write(&store, sender, &users, group, round))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

type Users = (Arc<dyn Store>, Vec<UserId>);

fn open_for_writing(directory: &Path) -> (Users, GroupId) {
    let config = StoreConfig {
        location: Location::Directory(directory.to_owned()),
        ..StoreConfig::default()
    };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(config, |_| {}).unwrap());
    let users = (0..USERS).map(|n| {
        let name = format!("user {n}");
        store.change_now(EnterGuest { name }).unwrap().user.id
    });
    let users: Vec<UserId> = users.collect();
    let list = ListGroups {
        user: users[0],
        which: WhichGroups::Joined,
        after: GroupId(0),
        limit: 1,
    };
    let known = store.look_up_now(list).unwrap();
    let group = known.groups.first().map(|group| group.id);
    let group = group.unwrap_or_else(|| {
        let create = module::group::CreateGroup {
            owner: users[0],
            name: "Rust".to_owned(),
            members: users.clone(),
            joining: module::group::Joining::Open,
            origin: None,
        };
        store.change_now(create).unwrap().id
    });
    ((store, users), group)
}

/// Sends until the end, and says of each message that it is acknowledged.
fn write(store: &Arc<dyn Store>, sender: UserId, users: &[UserId], group: GroupId, round: u32) {
    let (done, finished) = channel();
    for number in 0_u64.. {
        if number >= IN_FLIGHT as u64 {
            finished.recv().unwrap();
        }
        let to = match number % 3 {
            0 => To::Group(group),
            _ => To::User(users[(number % USERS) as usize]),
        };
        let client_id = format!("{round}-{}-{number}", sender.0);
        let send = Send {
            client_id: Some(client_id.clone()),
            ..text(sender, to, &client_id)
        };
        let done = done.clone();
        store.change(send, move |outcome| {
            let receipt = outcome.unwrap();
            // One write, so that no line is torn by another. The reader goes when it has killed us.
            let line = format!(
                "\nack {client_id} {} {}\n",
                receipt.conversation, receipt.seq
            );
            // The reader is the test, which may have killed us already.
            let _ = std::io::stdout().write_all(line.as_bytes());
            let _ = done.send(());
        });
    }
}

/// Runs the writer until it has acknowledged so many messages, and kills it.
fn run_and_kill(directory: &Path, messages: usize, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["kill::the_writer_that_is_killed", "--exact", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut line, mut seen) = (String::new(), 0);
    loop {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        // What it had said before it died counts; half a line does not.
        let Some(rest) = line.strip_prefix("ack ").and_then(|l| l.strip_suffix('\n')) else {
            continue;
        };
        let mut words = rest.split(' ');
        let mut word = || words.next().unwrap().to_owned();
        let (client_id, conversation, seq) = (word(), word(), word());
        let place = (conversation.parse().unwrap(), seq.parse().unwrap());
        assert_eq!(acknowledged.insert(client_id, place), None);
        seen += 1;
        if seen == messages {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= messages, "the writer ended by itself after {seen}");
}

/// Looks at the whole store; the messages in it by their client ids.
fn look_at(bench: &Bench) -> Acknowledged {
    let users: Vec<UserId> = (1..=USERS).map(UserId).collect();
    let mut found = Acknowledged::new();
    let mut conversations = vec![(users[0], Conversation::Group(GroupId(1)))];
    for (at, &a) in users.iter().enumerate() {
        let others = users[at..].iter();
        conversations.extend(others.map(|&b| (a, Conversation::between(a, b))));
    }
    for (user, conversation) in conversations {
        for message in dense::log(bench, user, conversation) {
            let client_id = message.client_id.expect("each has one");
            assert_eq!(message.body, client_id, "and says it");
            let twice = found.insert(client_id, (conversation, message.seq));
            assert_eq!(twice, None, "each message is there once");
        }
    }
    for user in users {
        for entry in dense::inbox(bench, user) {
            if let Content::Message(message) = entry.content {
                assert!(found.contains_key(message.client_id.as_ref().unwrap()));
            }
        }
    }
    found
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    kill_again_and_again(10);
}

#[test]
#[ignore = "takes a minute"]
fn what_was_acknowledged_survives_fifty_kills() {
    kill_again_and_again(50);
}

fn kill_again_and_again(kills: usize) {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for kill in 0..kills {
        // A few messages, or many: in the first transactions, and after the log was carried over.
        let messages = 1 + (kill * 37) % 400;
        run_and_kill(directory.path(), messages, &mut acknowledged);
        if kill % 10 == 9 {
            cut_copies(directory.path(), kill as u64);
        }
        let found = look_at(&Bench::in_directory(directory.path()));
        for (client_id, place) in &acknowledged {
            assert_eq!(found.get(client_id), Some(place), "after kill {kill}");
        }
        // What was written and not yet acknowledged is there as well, and stays.
        acknowledged = found;
    }
}

/// Copies of the files as the kill has left them, the log cut anywhere: each opens with what came
/// before the cut, whole and in order. A database that is cut is refused.
fn cut_copies(directory: &Path, seed: u64) {
    let name = |suffix: &str| format!("gatehouse.db{suffix}");
    let read = |suffix: &str| fs::read(directory.join(name(suffix))).unwrap();
    let (database, log) = (read(""), read("-wal"));
    let mut cuts: Vec<usize> = vec![0, 1, 31, 32, log.len().saturating_sub(1)];
    cuts.extend((1..6).map(|n| (log.len() * n / 6 + seed as usize * 131) % log.len().max(1)));
    for cut in cuts {
        let copy = tempfile::tempdir().unwrap();
        fs::write(copy.path().join(name("")), &database).unwrap();
        fs::write(copy.path().join(name("-wal")), &log[..cut.min(log.len())]).unwrap();
        let config = StoreConfig {
            location: Location::Directory(copy.path().to_owned()),
            ..StoreConfig::default()
        };
        match SqliteStore::open(config, |_| {}) {
            Ok(store) => drop(store),
            Err(error) => panic!("a log cut at {cut} of {}: {error}", log.len()),
        }
        look_at_what_is_there(copy.path());
    }
    let copy = tempfile::tempdir().unwrap();
    let half = database.len() / 2;
    fs::write(copy.path().join(name("")), &database[..half]).unwrap();
    let config = StoreConfig {
        location: Location::Directory(copy.path().to_owned()),
        ..StoreConfig::default()
    };
    let outcome = SqliteStore::open(config, |_| {});
    assert!(
        matches!(outcome, Err(OpenError::Damaged(_) | OpenError::Database(_))),
        "half a database of {} bytes is refused",
        database.len()
    );
}

/// As [`look_at`], for a store that may end before its users begin.
fn look_at_what_is_there(directory: &Path) {
    let bench = Bench::in_directory(directory);
    let users = (1..=USERS).map(UserId).collect();
    let known = bench.look_up_now(module::account::FindUsers { users });
    let group = bench.look_up_now(module::group::FindGroup {
        user: UserId(1),
        group: GroupId(1),
    });
    if known.unwrap().len() as u64 == USERS && group.is_ok() {
        look_at(&bench);
    }
}
