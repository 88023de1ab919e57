//! Many users at once: what each of them gets is what the order of events allows, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use gate::Limits;
use harness::{NativeClient, Options, TestNode, Transport};
use module::account::AccountConfig;
use module::storage::sqlite::{Rules, StoreConfig};
use module::{Im, ImConfig};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Says to each user that nothing comes any more.
const END: &str = "the end";

fn node(fanout_limit: usize) -> TestNode {
    let im = Im::open(ImConfig {
        store: StoreConfig {
            rules: Rules {
                fanout_limit,
                ..Rules::default()
            },
            ..StoreConfig::default()
        },
        accounts: AccountConfig {
            guests: true,
            ..AccountConfig::default()
        },
        ..ImConfig::default()
    });
    let limits = Limits {
        message_rate: None,
        ..Limits::default()
    };
    TestNode::around_im(&Options::default().limits(limits), &im.unwrap())
}

/// A message of the group: who has sent it, and what.
type Said = (u64, String);

/// What one user has seen.
#[derive(Default)]
struct Seen {
    user: u64,
    /// The whole inbox.
    inbox: Vec<Value>,
    /// What was pushed, in the order in which it came.
    pushes: Vec<Value>,
    /// What was acknowledged to them.
    acknowledged: BTreeMap<u64, Said>,
}

/// The message of an entry or a push, if it is one of the group.
fn in_group(message: &Value, group: &str) -> Option<(u64, Said)> {
    (message["conversation"] == group).then(|| {
        let said = message["body"].as_str().unwrap().to_owned();
        let from = message["from"]["id"].as_u64().unwrap();
        (message["seq"].as_u64().unwrap(), (from, said))
    })
}

#[test]
fn a_crowd_joins_leaves_is_removed_and_speaks_at_once() {
    crowd(150, 2);
}

#[test]
#[ignore = "for a release build: cargo test --release -p gatehouse-tests --test im -- --ignored"]
fn a_thousand_users_do_the_same() {
    crowd(1_000, 3);
}

/// A reply stands behind what others have caused: among a thousand that is millions of pushes.
const WAIT: Duration = Duration::from_secs(180);

/// Has users do so many things each, all at the same time, and looks at what they have seen.
fn crowd(users: usize, actions: usize) {
    let node = node(2 * users);
    let (mut owner, owner_id) = NativeClient::login(&node, "owner");
    owner.be_patient_for(WAIT);
    let made = owner.ok("group.create", json!({"name": "All of us"}));
    let group = made["group"]["id"].as_u64().unwrap();
    let begin = Arc::new(Barrier::new(users + 1));
    let end = Arc::new(Barrier::new(users + 1));
    let all: Vec<Seen> = thread::scope(|threads| {
        let crowd: Vec<_> = (0..users)
            .map(|at| {
                let (mut client, user) = NativeClient::login(&node, &format!("user {at}"));
                client.be_patient_for(WAIT);
                let (begin, end) = (Arc::clone(&begin), Arc::clone(&end));
                threads.spawn(move || {
                    begin.wait();
                    let mut rng = StdRng::seed_from_u64(at as u64);
                    let acknowledged = act(&mut client, user, group, actions, &mut rng);
                    end.wait();
                    look_back(client, user, acknowledged)
                })
            })
            .collect();
        begin.wait();
        let mut rng = StdRng::seed_from_u64(users as u64);
        let mut acknowledged = BTreeMap::new();
        for action in 0..users / 4 {
            let user = owner_id + 1 + rng.random_range(0..users as u64);
            // Who is no member at this moment cannot be removed.
            owner.request("group.kick", json!({"group": group, "user": user}));
            acknowledged.extend(speak(&mut owner, owner_id, group, action));
        }
        end.wait();
        for user in (0..users as u64).map(|at| owner_id + 1 + at) {
            owner.ok("message.send", json!({"to": {"user": user}, "body": END}));
        }
        // A connection of one's own, since the session that sends hears of it by its reply.
        let (mut other, _) = NativeClient::login_over(&node, Transport::Len4be, "owner", "ios");
        other.ok(
            "message.send",
            json!({"to": {"user": owner_id}, "body": END}),
        );
        let mut all = vec![look_back(owner, owner_id, acknowledged)];
        all.extend(crowd.into_iter().map(|user| user.join().unwrap()));
        all
    });
    check(&format!("g:{group}"), &all);
}

/// Does things in the group at random; what was acknowledged.
fn act(
    client: &mut NativeClient,
    user: u64,
    group: u64,
    actions: usize,
    rng: &mut StdRng,
) -> BTreeMap<u64, Said> {
    let mut acknowledged = BTreeMap::new();
    client.ok("group.join", json!({"group": group}));
    for action in 0..actions {
        match rng.random_range(0..6) {
            0 => {
                // Who was removed has nothing to leave.
                client.request("group.leave", json!({"group": group}));
            }
            1 => {
                client.ok("group.join", json!({"group": group}));
            }
            _ => acknowledged.extend(speak(client, user, group, action)),
        }
    }
    acknowledged
}

/// Says something in the group; where it stands, unless one is no member.
fn speak(client: &mut NativeClient, user: u64, group: u64, action: usize) -> Option<(u64, Said)> {
    let body = format!("{user}: {action}");
    let send = json!({"to": {"group": group}, "body": body, "client_id": body});
    let reply = client.request("message.send", send);
    if reply["error"]["code"] == "forbidden" {
        return None;
    }
    let seq = reply["ok"]["seq"].as_u64();
    Some((seq.unwrap_or_else(|| panic!("{reply}")), (user, body)))
}

/// Hears the rest, and catches up as a device would that has heard nothing.
fn look_back(mut client: NativeClient, user: u64, acknowledged: BTreeMap<u64, Said>) -> Seen {
    let pushes = client.pushes_through(|push| push["data"]["body"] == END);
    // What was pushed is kept: whoever asks finds it.
    let heard = pushes.iter().rev().find(|push| push["push"] == "message");
    let heard = &heard.expect("the end is a message")["data"];
    let (conversation, seq) = (&heard["conversation"], heard["seq"].as_u64().unwrap());
    let page = json!({"conversation": conversation, "after": seq - 1, "limit": 1});
    let history = client.ok("message.history", page);
    assert_eq!(history["messages"][0]["message"], heard["message"]);
    let mut inbox = Vec::new();
    loop {
        let sync = json!({"after": inbox.len(), "limit": 500});
        let mut page = client.ok("inbox.sync", sync);
        inbox.append(page["entries"].as_array_mut().unwrap());
        if inbox.len() as u64 >= page["last"].as_u64().unwrap() {
            break;
        }
    }
    let listed = client.ok("conversation.list", json!({"limit": 500}));
    let mut unread = 0;
    for conversation in listed["conversations"].as_array().unwrap() {
        let number = |name: &str| conversation[name].as_u64().unwrap();
        let above = number("last_seq") - number("read_seq");
        assert_eq!(number("unread"), above, "{conversation}");
        unread += above;
    }
    assert_eq!(listed["unread"], unread, "they add up");
    Seen {
        user,
        inbox,
        pushes,
        acknowledged,
    }
}

fn check(group: &str, all: &[Seen]) {
    // The owner has been a member all the time: their inbox has everything, in its order.
    let owner = &all[0];
    let mut log = BTreeMap::new();
    let mut members = BTreeSet::new();
    let mut due: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in &owner.inbox {
        let notice = &entry["notice"];
        let user = notice["user"]["id"].as_u64();
        match (notice["notice"].as_str(), user) {
            (Some("group_joined"), Some(user)) => assert!(members.insert(user), "{notice}"),
            (Some("group_left"), Some(user)) => assert!(members.remove(&user), "{notice}"),
            _ => {}
        }
        if let Some((seq, said)) = in_group(&entry["message"], group) {
            assert_eq!(seq, log.len() as u64 + 1, "dense");
            assert!(members.contains(&said.0), "only members speak: {entry}");
            for &member in &members {
                due.entry(member).or_default().push(seq);
            }
            log.insert(seq, said);
        }
    }
    let acknowledged: BTreeMap<_, _> = all.iter().flat_map(|s| s.acknowledged.clone()).collect();
    assert_eq!(acknowledged, log, "what was acknowledged is there, once");
    for seen in all {
        check_one(
            group,
            seen,
            &log,
            due.get(&seen.user).map_or(&[], Vec::as_slice),
        );
    }
}

fn check_one(group: &str, seen: &Seen, log: &BTreeMap<u64, Said>, due: &[u64]) {
    let mut got = Vec::new();
    for (at, entry) in seen.inbox.iter().enumerate() {
        assert_eq!(entry["inbox"], at as u64 + 1, "dense");
        if let Some((seq, said)) = in_group(&entry["message"], group) {
            assert_eq!(log.get(&seq), Some(&said), "the same for all");
            got.push(seq);
        }
    }
    assert_eq!(got, due, "membership decides what {} gets", seen.user);
    let mut pushed = BTreeSet::new();
    let mut last = 0;
    for push in &seen.pushes {
        let number = push["inbox"].as_u64().unwrap_or_else(|| panic!("{push}"));
        assert!(number > last, "in order, and none twice: {push}");
        last = number;
        pushed.insert(number);
        let entry = &seen.inbox[number as usize - 1];
        if push["push"] == "message" {
            assert_eq!(push["data"]["message"], entry["message"]["message"]);
        } else {
            assert!(entry["notice"].is_object(), "{push} {entry}");
        }
    }
    // Of what a session does itself it hears by the reply alone.
    for entry in &seen.inbox {
        let (message, notice) = (&entry["message"], &entry["notice"]);
        let own = [&message["from"], &notice["user"], &notice["by"]]
            .iter()
            .any(|user| user["id"] == seen.user);
        let heard = pushed.contains(&entry["inbox"].as_u64().unwrap());
        assert!(heard || own, "{} was not told of {entry}", seen.user);
    }
}

#[test]
fn two_devices_of_one_user_see_the_same() {
    const MESSAGES: usize = 100;
    let node = node(500);
    let (mut web, ada) = NativeClient::login(&node, "Ada");
    let (mut phone, _) = NativeClient::login_over(&node, Transport::Ndjson, "Ada", "ios");
    let (mut bob, bob_id) = NativeClient::login_over(&node, Transport::Len4be, "Bob", "web");
    let conversation = format!("d:{ada}:{bob_id}");
    let begin = Barrier::new(3);
    let send = |client: &mut NativeClient, to: u64, name: &str| {
        begin.wait();
        let mut own = BTreeMap::new();
        for number in 0..MESSAGES {
            own.extend(say(client, to, &format!("{name} {number}")));
        }
        own
    };
    let mut own = thread::scope(|threads| {
        let web = threads.spawn(|| send(&mut web, bob_id, "web"));
        let phone = threads.spawn(|| send(&mut phone, bob_id, "phone"));
        let bob = threads.spawn(|| send(&mut bob, ada, "Bob"));
        [web, phone, bob].map(|sender| sender.join().unwrap())
    });
    own[0].extend(say(&mut web, bob_id, END));
    own[2].extend(say(&mut bob, ada, END));
    let expected: Vec<u64> = (1..=3 * MESSAGES as u64 + 2).collect();
    // The phone hears both ends, the others that of the other one.
    let clients = [(&mut web, 1), (&mut phone, 2), (&mut bob, 1)];
    for ((client, ends), mut got) in clients.into_iter().zip(own) {
        let mut last = 0;
        for _ in 0..ends {
            for push in client.pushes_through(|push| push["data"]["body"] == END) {
                assert_eq!(push["data"]["conversation"], conversation.as_str());
                let seq = push["data"]["seq"].as_u64().unwrap();
                assert!(seq > last, "in the order of the conversation: {push}");
                last = seq;
                let twice = got.insert(push["inbox"].as_u64().unwrap(), seq);
                assert_eq!(twice, None, "each by its reply or by one push");
            }
        }
        let (inbox, seqs): (Vec<u64>, Vec<u64>) = got.into_iter().unzip();
        assert_eq!(inbox, expected, "numbers of the inbox");
        assert_eq!(seqs, expected, "in the same order");
    }
    // What one device has read, both have.
    let read = json!({"conversation": conversation, "seq": expected.len()});
    phone.ok("message.read", read);
    assert_eq!(web.push("message.read")["seq"], expected.len());
    for client in [&mut web, &mut phone] {
        assert_eq!(client.ok("conversation.list", json!({}))["unread"], 0);
    }
}

/// Sends to a user; the numbers in the inbox and in the conversation.
fn say(client: &mut NativeClient, to: u64, body: &str) -> [(u64, u64); 1] {
    let ok = client.ok("message.send", json!({"to": {"user": to}, "body": body}));
    [(ok["inbox"].as_u64().unwrap(), ok["seq"].as_u64().unwrap())]
}
