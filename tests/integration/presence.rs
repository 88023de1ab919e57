//! Who hears of whom, and when users were last seen, over the native protocol.

use std::sync::mpsc::channel;
use std::time::{SystemTime, UNIX_EPOCH};

use common::UserId;
use harness::{NativeClient, Options, TestNode, Transport};
use module::presence::Platform;
use module::storage::sqlite::{Location, StoreConfig};
use module::{Im, ImConfig};
use serde_json::{Value, json};

fn im() -> TestNode {
    TestNode::im(&Options::default())
}

fn befriend(one: &mut NativeClient, other: &mut NativeClient, id_of_one: u64, id_of_other: u64) {
    one.ok("friend.request", json!({"user": id_of_other}));
    other.ok("friend.answer", json!({"user": id_of_one, "accept": true}));
}

/// The next push about presence; notices of friendships come between.
fn presence(client: &mut NativeClient) -> (u64, bool) {
    loop {
        let push = client.any_push();
        if push["push"] == "presence" {
            let (user, online) = (&push["data"]["user"]["id"], &push["data"]["online"]);
            return (user.as_u64().unwrap(), online.as_bool().unwrap());
        }
        assert_eq!(push["push"], "notice", "{push}");
    }
}

/// Lets all that is on its way come: nothing of it is about presence.
fn expect_no_presence(client: &mut NativeClient) {
    client.ok("heartbeat", json!({}));
    for push in client.take_pushes() {
        assert_ne!(push["push"], "presence", "{push}");
    }
}

fn presence_of(client: &mut NativeClient, user: u64) -> Value {
    let mut found = client.ok("presence.get", json!({"users": [user, 999]}));
    assert_eq!(found["users"].as_array().map(Vec::len), Some(1));
    found["users"][0].take()
}

#[test]
fn a_session_hears_of_friends_and_not_of_strangers() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    befriend(&mut ada, &mut bob, ada_id, bob_id);
    ada.ok("presence.subscribe", json!({}));
    assert_eq!(presence(&mut ada), (bob_id, true), "who is there already");

    let (stranger, _) = NativeClient::login(&node, "Stranger");
    drop(stranger);
    // A connection that is lost, one that comes again, one that is logged out.
    drop(bob);
    assert_eq!(presence(&mut ada), (bob_id, false));
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    assert_eq!(presence(&mut ada), (bob_id, true));
    // A second device changes nothing, and neither does its end.
    let (phone, _) = NativeClient::login_over(&node, Transport::Len4be, "Bob", "ios");
    drop(phone);
    bob.ok("logout", json!({}));
    assert_eq!(presence(&mut ada), (bob_id, false));
    expect_no_presence(&mut ada);
}

#[test]
fn friendships_and_blocks_change_who_is_heard_at_once() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    ada.ok("presence.subscribe", json!({}));
    befriend(&mut ada, &mut bob, ada_id, bob_id);
    assert_eq!(presence(&mut ada), (bob_id, true), "a friend from now on");
    bob.ok("friend.remove", json!({"user": ada_id}));
    drop(bob);
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    expect_no_presence(&mut ada);

    ada.ok("presence.subscribe", json!({"users": [bob_id, 999]}));
    assert_eq!(presence(&mut ada), (bob_id, true), "named, friend or not");
    bob.ok("block.add", json!({"user": ada_id}));
    assert_eq!(presence(&mut ada), (bob_id, false), "not for her any more");
    bob.ok("logout", json!({}));
    bob.ok("login", json!({"name": "Bob"}));
    ada.ok("presence.subscribe", json!({"users": [bob_id]}));
    expect_no_presence(&mut ada);
}

#[test]
fn a_friend_who_blocks_goes_and_is_back_when_the_block_ends() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    bob.ok("presence.subscribe", json!({}));
    ada.ok("friend.request", json!({ "user": bob_id }));
    ada.ok("block.add", json!({ "user": bob_id }));
    let accept = || json!({"user": ada_id, "accept": true});
    assert_eq!(bob.error("friend.answer", accept()), "forbidden");
    expect_no_presence(&mut bob);
    ada.ok("block.remove", json!({ "user": bob_id }));
    expect_no_presence(&mut bob);
    bob.ok("friend.answer", accept());
    assert_eq!(presence(&mut bob), (ada_id, true));

    ada.ok("block.add", json!({ "user": bob_id }));
    assert_eq!(presence(&mut bob), (ada_id, false));
    ada.ok("block.remove", json!({ "user": bob_id }));
    assert_eq!(presence(&mut bob), (ada_id, true));
    drop(ada);
    assert_eq!(presence(&mut bob), (ada_id, false));
    expect_no_presence(&mut bob);
}

#[test]
fn who_has_blocked_a_user_is_online_for_them_in_no_list() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    befriend(&mut ada, &mut bob, ada_id, bob_id);
    let group = json!({"name": "Two", "members": [bob_id]});
    let group = ada.ok("group.create", group)["group"]["id"].take();
    // Whether `client` is told anywhere that a user is online.
    let told = |client: &mut NativeClient, user: u64, name: &str| {
        let found = client.ok("user.search", json!({ "query": name }));
        let friends = client.ok("friend.list", json!({}));
        let members = client.ok("group.members", json!({ "group": group }));
        let of = |list: &Value| {
            let list = list.as_array().unwrap();
            let one = list.iter().find(|one| one["id"] == user);
            one.expect("they are on the list")["online"].clone()
        };
        let all = client.ok("users.online", json!({}));
        let all = all["users"].as_array().unwrap();
        [
            client.ok("user.get", json!({ "user": user }))["user"]["online"].take(),
            of(&found["users"]),
            of(&friends["friends"]),
            of(&members["members"]),
            json!(all.iter().any(|one| one["id"] == user)),
        ]
    };
    assert_eq!(
        told(&mut bob, ada_id, "Ada"),
        [true, true, true, true, true]
    );
    ada.ok("block.add", json!({ "user": bob_id }));
    assert_eq!(
        told(&mut bob, ada_id, "Ada"),
        [false, false, false, false, false]
    );
    assert_eq!(
        told(&mut ada, bob_id, "Bob"),
        [true, true, true, true, true]
    );
}

#[test]
fn a_session_is_heard_until_it_says_that_it_is_enough() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (bob, bob_id) = NativeClient::login(&node, "Bob");
    ada.ok("presence.subscribe", json!({"users": [bob_id]}));
    assert_eq!(presence(&mut ada), (bob_id, true));
    ada.ok("presence.unsubscribe", json!({"users": [bob_id]}));
    drop(bob);
    let (bob, _) = NativeClient::login(&node, "Bob");
    expect_no_presence(&mut ada);
    ada.ok("presence.subscribe", json!({"all": true}));
    ada.ok("presence.subscribe", json!({"users": [bob_id]}));
    drop(bob);
    assert_eq!(presence(&mut ada), (bob_id, false), "once, not twice");
    expect_no_presence(&mut ada);
    ada.ok("presence.unsubscribe", json!({}));
    let _bob = NativeClient::login(&node, "Bob");
    expect_no_presence(&mut ada);

    let many: Vec<u64> = (1..=1_001).collect();
    for (data, code) in [
        (json!({"users": many}), "limit_reached"),
        (json!({"users": [1], "all": true}), "invalid_value"),
        (json!({"users": 7}), "bad_request"),
        (json!({"all": "yes"}), "bad_request"),
    ] {
        assert_eq!(ada.error("presence.subscribe", data), code);
    }
}

#[test]
fn who_hears_of_everyone_hears_of_nobody_who_has_blocked_them() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let (mut eve, _) = NativeClient::login(&node, "Eve");
    bob.ok("block.add", json!({"user": ada_id}));
    ada.ok("presence.subscribe", json!({"all": true}));
    eve.ok("presence.subscribe", json!({"all": true}));
    for online in [false, true] {
        if online {
            bob.ok("login", json!({"name": "Bob"}));
        } else {
            bob.ok("logout", json!({}));
        }
        assert_eq!(presence(&mut eve), (bob_id, online), "it is not about her");
    }
    // What she hears next comes behind what she would have heard.
    let (_dan, dan_id) = NativeClient::login(&node, "Dan");
    assert_eq!(presence(&mut ada), (dan_id, true));
    assert_eq!(presence(&mut eve), (dan_id, true));

    bob.ok("block.remove", json!({"user": ada_id}));
    assert_eq!(presence(&mut ada), (bob_id, true));
    bob.ok("block.add", json!({"user": ada_id}));
    assert_eq!(presence(&mut ada), (bob_id, false));
    drop(bob);
    assert_eq!(presence(&mut eve), (bob_id, false));
    expect_no_presence(&mut ada);
}

#[test]
fn a_session_that_was_pushed_out_hears_nothing_more() {
    let node = im();
    let (mut older, _) = NativeClient::login(&node, "Ada");
    let (bob, bob_id) = NativeClient::login(&node, "Bob");
    older.ok("presence.subscribe", json!({"users": [bob_id]}));
    assert_eq!(presence(&mut older), (bob_id, true));
    let (mut later, _) = NativeClient::login(&node, "Ada");
    assert_eq!(older.any_push()["push"], "kicked");
    older.expect_close(4001);
    later.ok("presence.subscribe", json!({"users": [bob_id]}));
    assert_eq!(presence(&mut later), (bob_id, true), "its own subscription");
    drop(bob);
    assert_eq!(presence(&mut later), (bob_id, false));
}

#[test]
fn who_has_gone_was_last_seen_just_now() {
    let node = im();
    let begin = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (bob, bob_id) = NativeClient::login(&node, "Bob");
    let (mut phone, _) = NativeClient::login_over(&node, Transport::Ndjson, "Bob", "ios");
    ada.ok("presence.subscribe", json!({"all": true}));
    let found = presence_of(&mut ada, bob_id);
    assert_eq!(found["platforms"], json!(["web", "ios"]));
    assert_eq!(found["last_seen"], json!([]));
    phone.ok("logout", json!({}));
    let found = presence_of(&mut ada, bob_id);
    assert_eq!(found["platforms"], json!(["web"]));
    assert_eq!(found["last_seen"][0]["platform"], "ios");
    drop(bob);
    assert_eq!(presence(&mut ada), (bob_id, false));
    let found = presence_of(&mut ada, bob_id);
    assert_eq!(
        (&found["name"], &found["platforms"]),
        (&json!("Bob"), &json!([]))
    );
    let times = found["last_seen"].as_array().unwrap();
    assert_eq!(times.len(), 2);
    for seen in times {
        let time = seen["time"].as_u64().unwrap();
        assert!(time >= begin.as_millis() as u64, "{seen}");
    }

    let (mut bob, _) = NativeClient::login(&node, "Bob");
    bob.ok("block.add", json!({"user": ada_id}));
    let found = presence_of(&mut ada, bob_id);
    assert_eq!(
        found["platforms"],
        json!([]),
        "nothing is told to the blocked"
    );
    assert_eq!(found["last_seen"], json!([]));
}

#[test]
fn when_users_were_last_seen_is_known_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let location = Location::Directory(directory.path().to_owned());
        let config = ImConfig {
            store: StoreConfig {
                location,
                ..StoreConfig::default()
            },
            ..ImConfig::default()
        };
        Im::open(config).unwrap()
    };
    let im = open();
    let node = TestNode::around_im(&Options::default(), &im);
    let (_ada, ada_id) = NativeClient::login(&node, "Ada");
    let (_phone, _) = NativeClient::login_over(&node, Transport::Len4be, "Ada", "ios");
    // They are online until the end.
    drop(node);
    drop(im);
    let im = open();
    let (sender, found) = channel();
    im.presence(None, vec![UserId(ada_id)], move |found| {
        sender.send(found.unwrap()).unwrap();
    });
    let found = found.recv().unwrap();
    assert_eq!((found.len(), found[0].online.len()), (1, 0));
    let seen = found[0].last_seen.iter().map(|(platform, _)| *platform);
    assert_eq!(seen.collect::<Vec<_>>(), [Platform::Web, Platform::Ios]);
}

#[test]
fn users_who_tell_where_they_are_find_each_other() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    assert_eq!(
        ada.error("position.nearby", json!({"radius": 500})),
        "not_found"
    );
    ada.ok(
        "position.set",
        json!({"latitude": 52.52, "longitude": 13.405}),
    );
    bob.ok(
        "position.set",
        json!({"latitude": 52.521, "longitude": 13.405}),
    );
    let near = ada.ok("position.nearby", json!({"radius": 500}));
    assert_eq!(near["users"][0]["id"], bob_id);
    assert_eq!(near["users"][0]["distance"], 111);
    bob.ok("position.clear", json!({}));
    let near = ada.ok("position.nearby", json!({"radius": 500}));
    assert_eq!(near, json!({"users": []}));
    for (latitude, longitude) in [(91.0, 0.0), (0.0, -180.5)] {
        let place = json!({"latitude": latitude, "longitude": longitude});
        assert_eq!(ada.error("position.set", place), "invalid_value");
    }
    for radius in [0, 100_001] {
        let query = json!({"radius": radius});
        assert_eq!(ada.error("position.nearby", query), "invalid_value");
    }
}

#[test]
fn users_see_their_own_papers_and_administration_is_no_operation_of_theirs() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let papers = json!({"name": "Augusta Ada King", "document": "L01X00T47"});
    let id = ada.ok("verification.submit", papers)["verification"].take();
    let own = ada.ok("verification.get", json!({}))["verification"].take();
    assert_eq!((&own["verification"], &own["state"]), (&id, &json!("open")));
    assert_eq!(own["user"]["id"], ada_id);
    assert_eq!(bob.error("verification.get", json!({})), "not_found");
    let accept = json!({"verification": id, "accept": true});
    assert_eq!(bob.error("admin.verification.answer", accept), "unknown_op");
    assert_eq!(
        ada.ok("user.get", json!({"user": ada_id}))["user"]["verified"],
        false
    );
    assert_eq!(
        ada.error("verification.submit", json!({"name": "x", "document": " "})),
        "invalid_value"
    );
}
