//! Groups that stand in no inbox: what those hear who are there, and find who were not.

use std::time::Instant;

use harness::{NativeClient, Options, TestNode, Transport};
use module::{Im, ImConfig};
use serde_json::{Value, json};

#[test]
fn a_recall_in_a_channel_is_found_by_who_was_away() {
    let mut config = ImConfig::default();
    config.store.rules.fanout_limit = 2;
    let im = Im::open(config).expect("a store in memory");
    let node = TestNode::around_im(&Options::default(), &im);
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let (mut eve, _) = NativeClient::login(&node, "Eve");
    let group = ada.ok("group.create", json!({"name": "Rust"}))["group"]["id"].take();
    bob.ok("group.join", json!({"group": group}));
    eve.ok("group.join", json!({"group": group}));
    let joined = bob.push_whole("group.joined");
    assert_eq!(
        (&joined["change"], &joined["inbox"]),
        (&json!(1), &Value::Null),
        "a channel since Eve is there"
    );
    let slip = json!({"to": {"group": group}, "body": "a slip"});
    let slip = ada.ok("message.send", slip);
    for client in [&mut bob, &mut eve] {
        assert_eq!(client.push("message")["body"], "a slip");
    }
    let conversation = format!("g:{group}");
    let last_change = |client: &mut NativeClient| {
        let page = client.ok("inbox.sync", json!({}));
        let channels = page["channels"].as_array().expect("a list").iter();
        let mut channels = channels.filter(|channel| channel["conversation"] == conversation);
        channels.next().expect("the group")["last_change"].clone()
    };
    assert_eq!(last_change(&mut bob), 1);
    drop(bob);
    let place = json!({"conversation": conversation, "seq": slip["seq"]});
    ada.ok("message.recall", place);
    let recalled = json!({
        "notice": "recalled",
        "conversation": conversation,
        "seq": slip["seq"],
        "message": slip["message"],
        "by": {"id": ada_id, "name": "Ada"},
    });
    let told = eve.push_whole("notice");
    assert_eq!((&told["change"], &told["data"]), (&json!(2), &recalled));

    let (mut bob, _) = NativeClient::login(&node, "Bob");
    assert_eq!(last_change(&mut bob), 2);
    let after = json!({"conversation": conversation, "after": 1});
    let page = bob.ok("conversation.changes", after);
    assert_eq!((&page["last"], &page["reset"]), (&json!(2), &json!(false)));
    let changes = page["changes"].as_array().expect("a list");
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (&changes[0]["change"], &changes[0]["notice"]),
        (&json!(2), &recalled)
    );
}

#[test]
fn a_crowd_that_joins_a_channel_costs_everyone_there_a_push_a_second() {
    const CROWD: u64 = 60;
    let mut config = ImConfig::default();
    config.store.rules.fanout_limit = 2;
    let im = Im::open(config).expect("a store in memory");
    let node = TestNode::around_im(&Options::default(), &im);
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let (mut eve, _) = NativeClient::login(&node, "Eve");
    let group = ada.ok("group.create", json!({"name": "Rust"}))["group"]["id"].take();
    bob.ok("group.join", json!({"group": group}));
    eve.ok("group.join", json!({"group": group}));
    bob.push("group.joined");

    let begun = Instant::now();
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|n| NativeClient::login(&node, &format!("user {n}")))
        .collect();
    for (client, _) in &mut crowd {
        client.ok("group.join", json!({"group": group}));
    }
    let (_, last_id) = crowd[CROWD as usize - 1];
    let last = format!("user {}", CROWD - 1);
    let (mut phone, _) = NativeClient::login_over(&node, Transport::Len4be, &last, "ios");
    phone.ok("group.leave", json!({"group": group}));
    let (last, _) = &mut crowd[CROWD as usize - 1];
    let own = last.pushes_through(|push| push["push"] == "group.left");
    let own = own.last().expect("the other device left");
    assert_eq!(own["data"]["user"]["id"], last_id);

    let (mut joined, mut left, mut pushes, mut change) = (0, 0, 0, 1);
    while (joined, left) != (CROWD, 1) {
        let push = bob.any_push();
        let data = &push["data"];
        pushes += 1;
        change += 1;
        assert_eq!(push["change"], change, "dense: {push}");
        match (push["push"].as_str(), data["notice"].as_str()) {
            (Some("group.joined"), _) => joined += 1,
            (Some("group.left"), _) => left += 1,
            (Some("notice"), Some("group_members")) => {
                joined += data["joined"].as_u64().expect("a number");
                left += data["left"].as_u64().expect("a number");
            }
            _ => panic!("{push}"),
        }
        if (joined, left) == (CROWD, 1) && data["notice"] == "group_members" {
            assert_eq!(data["members"], 3 + CROWD - 1);
        }
    }
    let seconds = begun.elapsed().as_secs();
    assert!(pushes <= 2 + seconds, "{pushes} in {seconds} seconds");
}
