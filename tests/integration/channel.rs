//! Groups that stand in no inbox: what those hear who are there, and find who were not.

use harness::{NativeClient, Options, TestNode};
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
