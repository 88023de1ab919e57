//! The native protocol (docs/protocol.md), operation by operation, over each transport.

use gate::{Limits, Rate};
use harness::{NativeClient, Options, Script, TestNode, Transport};
use serde_json::{Value, json};

fn im() -> TestNode {
    TestNode::im(&Options::default())
}

#[test]
fn a_login_says_who_one_is() {
    for options in Options::on_workers() {
        let node = TestNode::im(&options);
        for (at, transport) in Transport::ALL.into_iter().enumerate() {
            let mut client = NativeClient::connect(&node, transport);
            let ok = client.ok("login", json!({"name": format!("  Ada {at} ")}));
            assert_eq!(ok["user"]["name"], format!("Ada {at}"));
            assert_eq!(ok["user"]["id"], at + 1);
            assert_eq!(ok["platform"], "web");
            assert_eq!(ok["heartbeat_s"], 60);
            assert!(ok["server"].as_str().is_some_and(|name| name.contains('/')));
            assert!(ok["instance"].is_string());
            assert_eq!(
                client.error("login", json!({"name": "Eve"})),
                "already_logged_in"
            );
        }
    }
}

#[test]
fn names_and_platforms_are_checked() {
    let node = im();
    let mut client = NativeClient::connect(&node, Transport::WebSocket);
    for name in ["", "   ", "a\nb", &"x".repeat(33)] {
        assert_eq!(
            client.error("login", json!({"name": name})),
            "invalid_value"
        );
    }
    assert_eq!(
        client.error("login", json!({"name": "Ada", "platform": "toaster"})),
        "invalid_value"
    );
    for data in [json!({}), json!({"name": 7}), json!([]), Value::Null] {
        assert_eq!(client.error("login", data), "bad_request");
    }
    client.ok("login", json!({"name": "é".repeat(32)}));
}

#[test]
fn a_name_is_one_user_whatever_its_case() {
    let node = im();
    let (_web, ada) = NativeClient::login(&node, "Ada");
    let (mut phone, same) = NativeClient::login_over(&node, Transport::Len4be, "aDA", "ios");
    assert_eq!(ada, same);
    let page = phone.ok("users.online", json!({}));
    assert_eq!(page["total"], 1);
    assert_eq!(page["users"][0]["name"], "Ada");
    assert_eq!(page["users"][0]["platforms"], json!(["web", "ios"]));
}

#[test]
fn what_needs_a_login_says_so() {
    let node = im();
    let mut client = NativeClient::connect(&node, Transport::WebSocket);
    for op in [
        "logout",
        "users.online",
        "presence.subscribe",
        "presence.unsubscribe",
        "message.send",
        "message.history",
        "message.read",
        "conversation.list",
        "inbox.sync",
        "group.create",
        "group.join",
        "group.leave",
        "group.members",
        "group.list",
    ] {
        assert_eq!(client.error(op, json!({})), "unauthenticated", "{op}");
    }
    assert_eq!(client.error("no.such", json!({})), "unknown_op");
    assert!(client.ok("heartbeat", json!({}))["time"].as_u64() > Some(1_700_000_000_000));
    client.ok("login", json!({"name": "Ada"}));
    assert_eq!(client.error("no.such", json!({})), "unknown_op");
}

#[test]
fn after_a_logout_the_connection_may_log_in_again() {
    let node = im();
    let (mut client, ada) = NativeClient::login(&node, "Ada");
    let (mut other, _) = NativeClient::login(&node, "Bob");
    other.ok("presence.subscribe", json!({"all": true}));
    assert_eq!(client.ok("logout", json!({})), json!({}));
    assert_eq!(
        other.push("presence"),
        json!({"user": {"id": ada, "name": "Ada"}, "online": false})
    );
    other.ok("message.send", json!({"to": {"all": true}, "body": "hi"}));
    assert_eq!(client.error("users.online", json!({})), "unauthenticated");
    client.ok("login", json!({"name": "Eve"}));
    assert_eq!(other.push("presence")["online"], true);
    client.expect_no_push();
}

#[test]
fn a_later_login_on_a_platform_takes_the_place_of_the_older_one() {
    for transport in Transport::ALL {
        let node = im();
        let (mut watcher, _) = NativeClient::login(&node, "Bob");
        watcher.ok("presence.subscribe", json!({"all": true}));
        let (mut older, ada) = NativeClient::login_over(&node, transport, "Ada", "web");
        assert_eq!(watcher.push("presence")["online"], true);
        let (mut later, same) = NativeClient::login(&node, "Ada");
        assert_eq!(ada, same);
        assert_eq!(
            older.push("kicked"),
            json!({"reason": "logged_in_elsewhere"})
        );
        older.expect_close(4001);
        drop(older);
        // The user was online all the time.
        watcher.expect_no_push();
        later.ok("message.send", json!({"to": {"user": ada}, "body": "memo"}));
        assert_eq!(later.ok("users.online", json!({}))["total"], 2);
    }
}

#[test]
fn who_is_online_comes_in_pages() {
    let node = im();
    let mut clients: Vec<_> = (0..7)
        .map(|n| NativeClient::login(&node, &format!("user {n}")))
        .collect();
    let ids: Vec<u64> = clients.iter().map(|(_, id)| *id).collect();
    let client = &mut clients[0].0;
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = client.ok("users.online", json!({"after": after, "limit": 3}));
        assert_eq!(page["total"], 7);
        let users = page["users"].as_array().expect("a list");
        assert!(users.len() <= 3);
        seen.extend(users.iter().filter_map(|user| user["id"].as_u64()));
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, ids);
    for limit in [json!(0), json!(501)] {
        let data = json!({"limit": limit});
        assert_eq!(client.error("users.online", data), "invalid_value");
    }
    assert_eq!(
        client.error("users.online", json!({"limit": "many"})),
        "bad_request"
    );
}

#[test]
fn watchers_are_told_who_comes_and_goes() {
    let node = im();
    let (mut watcher, _) = NativeClient::login(&node, "Bob");
    watcher.ok("presence.subscribe", json!({"all": true}));
    let (client, ada) = NativeClient::login(&node, "Ada");
    let user = json!({"id": ada, "name": "Ada"});
    assert_eq!(
        watcher.push("presence"),
        json!({"user": user, "online": true})
    );
    let (second, _) = NativeClient::login_over(&node, Transport::Ndjson, "Ada", "android");
    drop(client);
    drop(second);
    assert_eq!(
        watcher.push("presence"),
        json!({"user": user, "online": false}),
        "once, when the last session has gone"
    );
    watcher.ok("presence.unsubscribe", json!({}));
    let (_client, _) = NativeClient::login(&node, "Ada");
    watcher.expect_no_push();
}

#[test]
fn a_message_to_all_reaches_everyone_but_the_sending_session() {
    for options in Options::on_workers() {
        let node = TestNode::im(&options);
        let (mut ada, id) = NativeClient::login(&node, "Ada");
        let (mut ada_phone, _) = NativeClient::login_over(&node, Transport::Len4be, "Ada", "ios");
        let (mut bob, _) = NativeClient::login_over(&node, Transport::Ndjson, "Bob", "web");
        let mut stranger = NativeClient::connect(&node, Transport::WebSocket);
        for seq in 1..=3 {
            let data = json!({"to": {"all": true}, "body": "hello", "kind": "prompt",
                              "client_id": format!("c{seq}")});
            let ok = ada.ok("message.send", data);
            assert_eq!(ok["conversation"], "all");
            assert_eq!(ok["seq"], seq);
            for client in [&mut ada_phone, &mut bob] {
                let push = client.push("message");
                assert_eq!(push["conversation"], "all");
                assert_eq!(push["seq"], seq);
                assert_eq!(push["message"], ok["message"]);
                assert_eq!(push["time"], ok["time"]);
                assert_eq!(push["from"], json!({"id": id, "name": "Ada"}));
                assert_eq!(push["kind"], "prompt");
                assert_eq!(push["body"], "hello");
                assert_eq!(push["client_id"], format!("c{seq}"));
            }
        }
        ada.expect_no_push();
        stranger.expect_no_push();
    }
}

#[test]
fn a_direct_message_reaches_the_sessions_of_both() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut ada_phone, _) = NativeClient::login_over(&node, Transport::Len4be, "Ada", "ios");
    let (mut bob, bob_id) = NativeClient::login_over(&node, Transport::Ndjson, "Bob", "web");
    let (mut eve, _) = NativeClient::login(&node, "Eve");
    let ok = ada.ok(
        "message.send",
        json!({"to": {"user": bob_id}, "body": "psst"}),
    );
    assert_eq!(ok["conversation"], format!("d:{ada_id}:{bob_id}"));
    assert_eq!(ok["seq"], 1);
    for client in [&mut ada_phone, &mut bob] {
        let push = client.push("message");
        assert_eq!(push["body"], "psst");
        assert_eq!(push["kind"], "text");
        assert!(push.get("client_id").is_none());
    }
    let ok = bob.ok(
        "message.send",
        json!({"to": {"user": ada_id}, "body": "yes?"}),
    );
    assert_eq!(ok["conversation"], format!("d:{ada_id}:{bob_id}"));
    assert_eq!(ok["seq"], 2);
    assert_eq!(ada.push("message")["body"], "yes?");
    assert_eq!(ada_phone.push("message")["body"], "yes?");
    // To oneself: the other sessions get it.
    ada.ok(
        "message.send",
        json!({"to": {"user": ada_id}, "body": "memo"}),
    );
    assert_eq!(ada_phone.push("message")["body"], "memo");
    for client in [&mut ada, &mut ada_phone, &mut bob, &mut eve] {
        client.expect_no_push();
    }
}

#[test]
fn who_cannot_be_reached() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let to_bob = json!({"to": {"user": bob_id}, "body": "hi"});
    ada.ok("message.send", to_bob);
    assert_eq!(bob.push("message")["body"], "hi");
    for (to, code) in [
        (json!({"user": 999}), "not_found"),
        (json!({"group": 999}), "not_found"),
        (json!({}), "bad_request"),
        (json!({"all": false}), "bad_request"),
        (json!({"user": 1, "all": true}), "bad_request"),
        (json!({"user": "Bob"}), "bad_request"),
        (json!(7), "bad_request"),
    ] {
        let data = json!({"to": to, "body": "hi"});
        assert_eq!(ada.error("message.send", data), code, "{to}");
    }
}

#[test]
fn who_was_away_catches_up() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let send = |client: &mut NativeClient, body: &str| {
        let data = json!({"to": {"user": bob_id}, "body": body});
        client.ok("message.send", data)
    };
    send(&mut ada, "one");
    let push = bob.push_whole("message");
    assert_eq!(
        (&push["inbox"], &push["data"]["body"]),
        (&json!(1), &json!("one"))
    );
    bob.ok("logout", json!({}));
    for body in ["two", "three"] {
        send(&mut ada, body);
    }
    let login = bob.ok("login", json!({"name": "Bob"}));
    assert_eq!(login["inbox"], 3);
    bob.expect_no_push();

    let page = bob.ok("inbox.sync", json!({"after": 1}));
    let bodies = |entries: &Value| -> Vec<Value> {
        let entries = entries.as_array().expect("a list").iter();
        entries
            .map(|entry| entry["message"]["body"].clone())
            .collect()
    };
    assert_eq!(bodies(&page["entries"]), ["two", "three"]);
    assert_eq!((&page["last"], &page["reset"]), (&json!(3), &json!(false)));
    assert_eq!(bob.ok("inbox.sync", json!({"after": 4}))["reset"], true);

    let list = bob.ok("conversation.list", json!({}));
    assert_eq!((&list["total"], &list["unread"]), (&json!(1), &json!(3)));
    let conversation = list["conversations"][0]["conversation"].clone();
    assert_eq!(conversation, format!("d:{ada_id}:{bob_id}"));
    assert_eq!(list["conversations"][0]["title"], "Ada");

    let history = |client: &mut NativeClient, extra: Value| {
        let mut data = json!({"conversation": conversation, "limit": 2});
        data.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let page = client.ok("message.history", data);
        let messages = page["messages"].as_array().expect("a list").iter();
        let seqs: Vec<u64> = messages
            .filter_map(|message| message["seq"].as_u64())
            .collect();
        (seqs, page["more"].as_bool().expect("a bool"))
    };
    assert_eq!(history(&mut bob, json!({})), (vec![2, 3], true));
    assert_eq!(history(&mut bob, json!({"before": 2})), (vec![1], false));
    assert_eq!(history(&mut bob, json!({"after": 1})), (vec![2, 3], false));

    let read = json!({"conversation": conversation, "seq": 2});
    assert_eq!(bob.ok("message.read", read), json!({"seq": 2}));
    assert_eq!(ada.push("message.read")["seq"], 2);
    assert_eq!(bob.ok("conversation.list", json!({}))["unread"], 1);

    let (mut eve, _) = NativeClient::login(&node, "Eve");
    let theirs = json!({"conversation": conversation});
    assert_eq!(eve.error("message.history", theirs), "not_found");
    for bad in [
        json!({}),
        json!({"conversation": "x"}),
        json!({"conversation": 7}),
    ] {
        assert_eq!(bob.error("message.history", bad), "bad_request");
    }
}

#[test]
fn messages_pipelined_behind_a_login_are_served_in_order() {
    for options in Options::on_workers() {
        let node = TestNode::im(&options);
        let mut client = NativeClient::connect(&node, Transport::Len4be);
        client.send_raw(r#"{"id":0,"op":"login","data":{"name":"Ada"}}"#);
        for id in 1..50 {
            let to = json!({"to": {"all": true}, "body": format!("{id}")});
            let data = [to, json!({})][id % 2].clone();
            let op = ["message.send", "heartbeat"][id % 2];
            client.send_raw(&json!({"id": id, "op": op, "data": data}).to_string());
        }
        for id in 0..50 {
            let reply = client.reply();
            assert_eq!(reply["id"], id);
            assert!(reply.get("ok").is_some(), "{reply}");
            if id > 0 && id % 2 == 0 {
                assert_eq!(reply["ok"]["seq"], id / 2);
            }
        }
    }
}

#[test]
fn bodies_and_kinds_are_checked() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let all = json!({"all": true});
    let longest = "x".repeat(16_384);
    ada.ok("message.send", json!({"to": all, "body": longest}));
    assert_eq!(bob.push("message")["body"], longest);
    for (data, code) in [
        (json!({"to": all, "body": ""}), "invalid_value"),
        (
            json!({"to": all, "body": "x".repeat(16_385)}),
            "invalid_value",
        ),
        (
            json!({"to": all, "body": "x", "kind": "smell"}),
            "invalid_value",
        ),
        (
            json!({"to": all, "body": "x", "client_id": "x".repeat(65)}),
            "invalid_value",
        ),
        (json!({"to": all}), "bad_request"),
        (json!({"body": "x"}), "bad_request"),
        (json!({"to": all, "body": 1}), "bad_request"),
        (Value::Null, "bad_request"),
    ] {
        assert_eq!(ada.error("message.send", data), code);
    }
    for kind in [
        "text", "picture", "voice", "video", "location", "file", "prompt", "custom",
    ] {
        ada.ok(
            "message.send",
            json!({"to": all, "body": "x", "kind": kind}),
        );
        assert_eq!(bob.push("message")["kind"], kind);
    }
    bob.expect_no_push();
}

#[test]
fn a_message_sent_again_is_answered_again_and_not_delivered_again() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let data = json!({"to": {"user": bob_id}, "body": "once", "client_id": "c-1"});
    let first = ada.ok("message.send", data.clone());
    assert_eq!(ada.ok("message.send", data.clone()), first);
    // From another session of the same sender, too.
    let (mut phone, _) = NativeClient::login_over(&node, Transport::Ndjson, "Ada", "ios");
    assert_eq!(phone.ok("message.send", data), first);
    assert_eq!(bob.push("message")["client_id"], "c-1");
    bob.expect_no_push();
    // Another sender's ids are another matter.
    let own = json!({"to": {"all": true}, "body": "mine", "client_id": "c-1"});
    assert_ne!(bob.ok("message.send", own)["message"], first["message"]);
}

#[test]
fn groups_are_made_joined_and_left() {
    for options in Options::on_workers() {
        let node = TestNode::im(&options);
        let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
        let (mut phone, _) = NativeClient::login_over(&node, Transport::Len4be, "Ada", "ios");
        let (mut bob, bob_id) = NativeClient::login_over(&node, Transport::Ndjson, "Bob", "web");
        let group = ada.ok("group.create", json!({"name": " Rust "}))["group"].take();
        let id = group["id"].as_u64().expect("the number of the group");
        assert_eq!(group["name"], "Rust");
        assert_eq!(group["members"], 1);
        assert_eq!(group["joined"], true);
        assert_eq!(group["role"], "owner");
        let ada_user = json!({"id": ada_id, "name": "Ada"});
        assert_eq!(
            phone.push("group.joined"),
            json!({"group": id, "user": ada_user})
        );
        let to_group = json!({"to": {"group": id}, "body": "hello"});
        assert_eq!(bob.error("message.send", to_group.clone()), "forbidden");
        assert_eq!(
            bob.error("group.members", json!({"group": id})),
            "forbidden"
        );
        assert_eq!(bob.error("group.leave", json!({"group": id})), "forbidden");

        let joined = bob.ok("group.join", json!({"group": id}));
        assert_eq!(joined["group"]["members"], 2);
        let bob_user = json!({"id": bob_id, "name": "Bob"});
        for client in [&mut ada, &mut phone] {
            assert_eq!(
                client.push("group.joined"),
                json!({"group": id, "user": bob_user})
            );
        }
        let again = bob.ok("group.join", json!({"group": id}));
        assert_eq!(again["group"]["members"], 2);
        ada.expect_no_push();

        let ok = bob.ok("message.send", to_group);
        assert_eq!(ok["conversation"], format!("g:{id}"));
        for client in [&mut ada, &mut phone] {
            assert_eq!(client.push("message")["conversation"], format!("g:{id}"));
        }
        let members = bob.ok("group.members", json!({"group": id}));
        let told = [(ada_id, "Ada", "owner"), (bob_id, "Bob", "member")];
        for (at, (id, name, role)) in told.into_iter().enumerate() {
            let member = &members["members"][at];
            assert_eq!(member["id"], id);
            assert_eq!(member["name"], name);
            assert_eq!(member["role"], role);
            assert_eq!(member["online"], true);
        }
        assert_eq!(members["total"], 2);

        // A member who goes offline stays a member, and is one again at the next login.
        drop(bob);
        let (mut bob, _) = NativeClient::login(&node, "Bob");
        ada.ok(
            "message.send",
            json!({"to": {"group": id}, "body": "back?"}),
        );
        assert_eq!(bob.push("message")["body"], "back?");
        assert_eq!(phone.push("message")["body"], "back?");

        // Who was removed is told by whom, and may come back here.
        let ada_user = json!({"id": ada_id, "name": "Ada"});
        ada.ok("group.kick", json!({"group": id, "user": bob_id}));
        for client in [&mut bob, &mut phone] {
            assert_eq!(
                client.push("group.left"),
                json!({"group": id, "user": bob_user, "by": ada_user})
            );
        }
        bob.ok("group.join", json!({"group": id}));
        for client in [&mut ada, &mut phone] {
            assert_eq!(
                client.push("group.joined"),
                json!({"group": id, "user": bob_user})
            );
        }

        assert_eq!(ada.ok("group.leave", json!({"group": id})), json!({}));
        for client in [&mut bob, &mut phone] {
            assert_eq!(
                client.push("group.left"),
                json!({"group": id, "user": ada_user})
            );
        }
        // The group has another owner now.
        assert_eq!(
            bob.push("notice"),
            json!({"notice": "group_changed", "group": id, "by": ada_user})
        );
        bob.ok(
            "message.send",
            json!({"to": {"group": id}, "body": "alone"}),
        );
        ada.expect_no_push();
        phone.expect_no_push();
        bob.ok("group.leave", json!({"group": id}));
        assert_eq!(bob.error("group.join", json!({"group": id})), "not_found");
        assert_eq!(bob.error("group.leave", json!({"group": id})), "not_found");
        assert_eq!(
            bob.error("group.members", json!({"group": id})),
            "not_found"
        );
    }
}

#[test]
fn groups_are_listed_in_pages() {
    let node = im();
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let ids: Vec<u64> = (0..5)
        .map(|n| {
            let group = ada.ok("group.create", json!({"name": format!("group {n}")}));
            group["group"]["id"].as_u64().expect("a number")
        })
        .collect();
    bob.ok("group.join", json!({"group": ids[3]}));
    let list = |client: &mut NativeClient, joined: bool| {
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let page = client.ok(
                "group.list",
                json!({"joined": joined, "after": after, "limit": 2}),
            );
            let groups = page["groups"].as_array().expect("a list");
            for group in groups {
                seen.push((
                    group["id"].as_u64().unwrap_or_default(),
                    group["joined"] == true,
                ));
            }
            let Some(next) = page["next"].as_u64() else {
                assert_eq!(page["total"], seen.len());
                return seen;
            };
            after = next;
        }
    };
    let of_ada: Vec<_> = ids.iter().map(|id| (*id, true)).collect();
    assert_eq!(list(&mut ada, false), of_ada);
    assert_eq!(list(&mut ada, true), of_ada);
    let of_bob: Vec<_> = ids.iter().map(|id| (*id, *id == ids[3])).collect();
    assert_eq!(list(&mut bob, false), of_bob);
    assert_eq!(list(&mut bob, true), [(ids[3], true)]);
    for name in ["", &"x".repeat(65), "a\tb"] {
        assert_eq!(
            ada.error("group.create", json!({"name": name})),
            "invalid_value"
        );
    }
    assert_eq!(ada.error("group.create", json!({})), "bad_request");
    assert_eq!(ada.error("group.join", json!({"group": 999})), "not_found");
    assert_eq!(ada.error("group.join", json!({"group": -1})), "bad_request");
}

#[test]
fn ids_come_back_as_they_were_sent_and_replies_in_the_order_of_requests() {
    for transport in Transport::ALL {
        let node = im();
        let mut client = NativeClient::connect(&node, transport);
        for id in ["7", "-1", "1.5e3", "\"a\"", "\"\\u00e9\"", "\"\""] {
            client.send_raw(&format!(r#"{{"id":{id},"op":"heartbeat"}}"#));
            let sent: Value = serde_json::from_str(id).expect("JSON");
            assert_eq!(client.reply()["id"], sent);
        }
        let long = format!("\"{}\"", "x".repeat(65));
        // The last two are JSON by its grammar, but no client could read them in a reply.
        for id in ["{}", "[1]", "true", &long, "1e999", r#""\ud800""#] {
            client.send_raw(&format!(r#"{{"id":{id},"op":"heartbeat"}}"#));
            let reply = client.reply();
            assert_eq!(reply["id"], Value::Null);
            assert_eq!(reply["error"]["code"], "bad_request", "{id}");
        }
        for id in 0..500 {
            let op = ["heartbeat", "users.online"][id % 2];
            client.send_raw(&json!({"id": id, "op": op}).to_string());
        }
        for id in 0..500 {
            assert_eq!(client.reply()["id"], id);
        }
    }
}

#[test]
fn ten_messages_in_a_row_that_do_not_parse_end_the_connection() {
    for transport in Transport::ALL {
        let node = im();
        let mut client = NativeClient::connect(&node, transport);
        let bad = |client: &mut NativeClient, text: &str| {
            client.send_raw(text);
            let reply = client.reply();
            assert_eq!(reply["id"], Value::Null);
            assert_eq!(reply["error"]["code"], "bad_request", "{text}");
        };
        for _ in 0..9 {
            bad(&mut client, "no json");
        }
        // One that parses makes up for those.
        client.ok("heartbeat", json!({}));
        for text in [
            "{",
            "[]",
            "7",
            "null",
            "\"x\"",
            "{}",
            "{\"id\":1}",
            "{\"op\":7}",
            "}{",
            "{\"op\"}",
        ] {
            bad(&mut client, text);
        }
        client.expect_close(1002);
    }
}

#[test]
fn what_comes_with_the_last_message_that_does_not_parse_is_not_looked_at() {
    let options = Options {
        workers: 1,
        ..Options::default()
    };
    let node = TestNode::im(&options);
    let mut client = Script::connect(node.ndjson());
    client.send("garbage\n".repeat(1_000));
    let (answers, _) = client.take_to_end();
    assert_eq!(answers.split(|&byte| byte == b'\n').count(), 10 + 1);
    // When the worker serves another one it is done with these.
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    ada.ok("heartbeat", json!({}));
    assert_eq!(node.panics(), 0);
}

#[test]
fn who_is_too_fast_is_told_in_the_protocol() {
    let options = Options::default().limits(Limits {
        message_rate: Some(Rate {
            per_second: 1,
            burst: 5,
        }),
        ..Limits::default()
    });
    for transport in Transport::ALL {
        let node = TestNode::im(&options);
        let mut client = NativeClient::connect(&node, transport);
        let refused = loop {
            client.send_raw(r#"{"id":1,"op":"heartbeat"}"#);
            let reply = client.reply();
            if reply.get("error").is_some() {
                break reply;
            }
        };
        assert_eq!(refused["id"], Value::Null);
        assert_eq!(refused["error"]["code"], "rate_limited");
    }
}

#[test]
fn who_does_not_log_in_is_closed() {
    let options = Options::default().limits(Limits {
        auth_seconds: 1,
        ..Limits::default()
    });
    let node = TestNode::im(&options);
    for transport in Transport::ALL {
        let mut client = NativeClient::connect(&node, transport);
        client.ok("heartbeat", json!({}));
        client.expect_close(1008);
    }
}

#[test]
fn a_signal_is_told_once_and_kept_nowhere() {
    let node = im();
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let to_bob = json!({"to": {"user": bob_id}, "body": "typing"});
    assert_eq!(ada.ok("message.signal", to_bob.clone()), json!({}));
    assert_eq!(
        bob.push("signal"),
        json!({
            "conversation": format!("d:{ada_id}:{bob_id}"),
            "from": {"id": ada_id, "name": "Ada"},
            "body": "typing",
        })
    );
    assert_eq!(bob.ok("inbox.sync", json!({}))["entries"], json!([]));
    assert_eq!(bob.ok("conversation.list", json!({}))["total"], 0);
    let everyone = json!({"to": {"all": true}, "body": "typing"});
    assert_eq!(ada.error("message.signal", everyone), "bad_request");
    bob.ok("block.add", json!({"user": ada_id}));
    assert_eq!(ada.error("message.signal", to_bob), "forbidden");
    bob.expect_no_push();
}

#[test]
fn an_account_logs_in_with_its_token() {
    let node = im();
    let mut client = NativeClient::connect(&node, Transport::WebSocket);
    let ada = json!({"login": "ada", "password": "correct horse", "name": "Ada L"});
    client.ok("account.register", ada.clone());
    assert_eq!(client.error("account.register", ada), "conflict");
    let wrong = json!({"login": "ada", "password": "battery staple"});
    assert_eq!(client.error("account.login", wrong), "unauthenticated");
    let right = json!({"login": "Ada", "password": "correct horse", "platform": "ios"});
    let granted = client.ok("account.login", right);
    assert_eq!(client.error("friend.list", json!({})), "unauthenticated");
    let login = client.ok("login", json!({"token": granted["token"]}));
    assert_eq!(login["user"]["name"], "Ada L");
    assert_eq!(login["platform"], "ios", "where the session was opened");
    assert_eq!(
        client.ok("session.list", json!({}))["sessions"][0]["current"],
        true
    );

    let mut guest = NativeClient::connect(&node, Transport::WebSocket);
    assert_eq!(guest.error("login", json!({"name": "ada"})), "conflict");
    let forged = format!("{}x", granted["token"].as_str().expect("a token"));
    assert_eq!(
        guest.error("login", json!({"token": forged})),
        "unauthenticated"
    );
    assert_eq!(guest.error("login", json!({})), "bad_request");
}

#[test]
fn guessing_a_password_has_to_wait() {
    let node = im();
    let mut client = NativeClient::connect(&node, Transport::WebSocket);
    let right = json!({"login": "ada", "password": "correct horse"});
    client.ok("account.register", right.clone());
    let wrong = json!({"login": "ADA", "password": "battery staple"});
    for _ in 0..10 {
        assert_eq!(
            client.error("account.login", wrong.clone()),
            "unauthenticated"
        );
    }
    // The right one too: a guesser must not learn which it is.
    assert_eq!(client.error("account.login", right), "rate_limited");
}

#[test]
fn a_reply_that_is_longer_than_any_request_arrives() {
    const MESSAGES: u64 = 40;
    let node = im();
    let (mut ada, id) = NativeClient::login(&node, "Ada");
    let body = "x".repeat(4_000);
    for _ in 0..MESSAGES {
        ada.ok("message.send", json!({"to": {"user": id}, "body": body}));
    }
    for (transport, platform) in Transport::ALL.into_iter().zip(["desktop", "ios", "other"]) {
        let (mut client, _) = NativeClient::login_over(&node, transport, "Ada", platform);
        let page = client.ok("inbox.sync", json!({"limit": 500}));
        assert_eq!(
            page["entries"].as_array().map_or(0, Vec::len) as u64,
            MESSAGES
        );
        assert_eq!(page["last"], MESSAGES);
    }
}
