//! Webhooks (docs/webhooks.md): what a server of the operator's is asked and told.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{HookServer, NativeClient, Options, PATIENCE, TestNode, Transport};
use module::webhook::{Events, OnFailure, WebhookConfig};
use module::{Im, ImConfig};
use serde_json::{Value, json};

const SECRET: &str = "a secret of forty-three bytes, and no more.";

fn config(server: &HookServer, events: &[&str]) -> WebhookConfig {
    WebhookConfig {
        events: Events::named(events.iter().copied()).unwrap(),
        timeout: PATIENCE,
        ..WebhookConfig::new(server.url().parse().unwrap())
    }
}

fn im(webhooks: WebhookConfig) -> (Arc<Im>, TestNode) {
    let im = Im::open(ImConfig {
        webhooks: Some(webhooks),
        ..ImConfig::default()
    });
    let im = im.expect("a store in memory");
    let node = TestNode::around_im(&Options::default(), &im);
    (im, node)
}

fn send_to(user: u64, body: &str) -> Value {
    json!({"to": {"user": user}, "body": body})
}

/// Waits until `done`, which others make true without telling.
fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_has_happened_is_told_signed_and_again_until_it_arrives() {
    let failures = AtomicUsize::new(1);
    let server = HookServer::start(move |_| {
        let fails = failures
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok();
        Some((if fails { 503 } else { 204 }, String::new()))
    });
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(&secret, SECRET).unwrap();
    let (_im, node) = im(WebhookConfig {
        secret_file: Some(secret.path().to_owned()),
        ..config(&server, &["message.sent"])
    });
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let receipt = ada.ok("message.send", send_to(ada_id, "memo"));
    let (first, second) = (server.next(), server.next());
    for (attempt, request) in [(1, &first), (2, &second)] {
        let event = request.json();
        assert_eq!(event["type"], "message.sent");
        assert_eq!(event["attempt"], attempt);
        assert_eq!(event["id"], request.headers["webhook-id"].as_str());
        assert_eq!(event["data"]["message"], receipt["message"]);
        assert_eq!(event["data"]["from"], json!({"id": ada_id, "name": "Ada"}));
        assert_eq!(event["data"]["body"], "memo");
        assert!(verifies(secret.path(), request), "as the document says");
        let mut forged = request.clone();
        forged.body = forged.body.replace("memo", "mine");
        assert!(!verifies(secret.path(), &forged));
    }
    assert_eq!(first.headers["webhook-id"], second.headers["webhook-id"]);
}

/// Runs the example of docs/webhooks.md on a request.
fn verifies(secret: &std::path::Path, request: &harness::HookRequest) -> bool {
    let document = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/webhooks.md");
    let document = fs::read_to_string(document).unwrap();
    let (_, example) = document.split_once("```python\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let call = "\nimport json, sys\nsecret, headers, body = json.loads(sys.argv[1])\n\
                sys.exit(0 if verify(secret.encode(), headers, body.encode()) else 1)\n";
    let secret = fs::read_to_string(secret).unwrap();
    let given = json!([secret, request.headers, request.body]).to_string();
    let script = format!("{example}{call}");
    let run = Command::new("python3")
        .args(["-c", &script, &given])
        .status();
    let status = run.expect("python3, which the document is written for");
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    status.success()
}

#[test]
fn a_message_is_refused_or_changed_before_it_is_sent() {
    let server = HookServer::start(|request| {
        let draft = &request.json()["data"];
        let answer = match draft["body"].as_str() {
            Some("spam") => json!({
                "action": "refuse", "code": "rate_limited", "message": "no advertising"
            }),
            Some("rude") => json!({"action": "refuse"}),
            Some("secret") => json!({"action": "replace", "body": "******"}),
            _ => json!({}),
        };
        Some((200, answer.to_string()))
    });
    let (im, node) = im(config(&server, &["message.before_send"]));
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, bob_id) = NativeClient::login(&node, "Bob");
    let refused = ada.request("message.send", send_to(bob_id, "spam"));
    assert_eq!(
        refused["error"],
        json!({"code": "rate_limited", "message": "no advertising"})
    );
    assert_eq!(
        ada.error("message.send", send_to(bob_id, "rude")),
        "forbidden"
    );
    // What is asked about stays in its order, however long each answer takes.
    for body in ["secret", "one", "two", "three"] {
        let request = json!({"op": "message.send", "data": send_to(bob_id, body)});
        ada.send_raw(&request.to_string());
    }
    for (seq, body) in ["******", "one", "two", "three"].into_iter().enumerate() {
        assert_eq!(ada.reply()["ok"]["seq"], seq + 1);
        assert_eq!(bob.push("message")["body"], body);
    }
    let stats = im.webhook_stats().unwrap();
    assert_eq!((stats.refused, stats.replaced, stats.allowed), (2, 1, 3));
}

#[test]
fn a_webhook_that_hangs_keeps_only_senders_waiting_and_not_for_long() {
    for (on_failure, expected) in [(OnFailure::Allow, "ok"), (OnFailure::Refuse, "error")] {
        let server = HookServer::start(|_| None);
        let (im, node) = im(WebhookConfig {
            timeout: Duration::from_secs(1),
            on_failure,
            ..config(&server, &["message.before_send"])
        });
        let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
        let (mut bob, _) = NativeClient::login(&node, "Bob");
        let begun = Instant::now();
        // All wait together, and not one behind the other.
        for _ in 0..20 {
            let request = json!({"op": "message.send", "data": send_to(ada_id, "memo")});
            ada.send_raw(&request.to_string());
        }
        // The first of them has reached the hook, which does not answer.
        let _ = server.next();
        bob.ok("conversation.list", json!({}));
        bob.ok("group.create", json!({"name": "Rust"}));
        assert_eq!(
            im.webhook_stats().unwrap().unanswered,
            0,
            "nobody has waited"
        );
        for _ in 0..20 {
            let reply = ada.reply();
            assert!(reply.get(expected).is_some(), "{reply}");
            if on_failure == OnFailure::Refuse {
                assert_eq!(reply["error"]["code"], "unavailable");
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(im.webhook_stats().unwrap().unanswered, 20);
    }
}

#[test]
fn an_account_is_made_only_if_the_webhook_agrees() {
    let server = HookServer::start(|request| {
        let answer = match request.json()["data"]["name"].as_str() {
            Some("root") => json!({"action": "refuse", "code": "conflict", "message": "reserved"}),
            _ => json!({"action": "allow"}),
        };
        Some((200, answer.to_string()))
    });
    let (im, _node) = im(config(&server, &["account.before_register"]));
    let register = |name: &str| {
        let (sender, receiver) = channel();
        im.register(name, Some("Eve"), "correct horse".to_owned(), move |made| {
            sender.send(made).unwrap();
        });
        receiver.recv_timeout(PATIENCE).unwrap()
    };
    let refused = register("root").unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.text.as_str()),
        ("conflict", "reserved")
    );
    assert_eq!(register("eve").unwrap().name, "Eve");
    let asked = server.event("account.before_register");
    assert_eq!(asked["data"], json!({"name": "root", "nickname": "Eve"}));
}

#[test]
fn when_too_much_waits_the_oldest_is_dropped_and_nobody_is_kept_waiting() {
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let server = HookServer::start(move |_| {
        // Until the sender is dropped.
        let _ = held.lock().unwrap().recv();
        Some((204, String::new()))
    });
    let (im, node) = im(WebhookConfig {
        waiting_max: 16,
        ..config(&server, &["message.sent"])
    });
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    for n in 1..=100 {
        let receipt = ada.ok("message.send", send_to(ada_id, &format!("memo {n}")));
        assert_eq!(receipt["seq"], n);
    }
    // One is on its way, and as many wait as may, of one conversation or of several.
    until("the others are dropped", || {
        im.webhook_stats().unwrap().dropped == 83
    });
    assert_eq!(im.webhook_stats().unwrap().waiting, 16);
    drop(release);
    let told: Vec<_> = (0..17)
        .map(|_| server.event("message.sent")["data"]["seq"].clone())
        .collect();
    let last = 85..=100;
    assert_eq!(told, [1].into_iter().chain(last).collect::<Vec<_>>());
}

#[test]
fn who_is_away_is_named_so_that_their_devices_can_be_woken() {
    let server = HookServer::start(|_| Some((204, String::new())));
    let (_im, node) = im(config(
        &server,
        &["message.offline", "session.*", "group.joined"],
    ));
    let (mut ada, ada_id) = NativeClient::login(&node, "Ada");
    let login = server.event("session.login");
    assert_eq!(
        login["data"],
        json!({"user": {"id": ada_id, "name": "Ada"}, "platform": "web", "first": true})
    );
    let (mut bob, bob_id) = NativeClient::login_over(&node, Transport::Ndjson, "Bob", "ios");
    assert_eq!(server.event("session.login")["data"]["platform"], "ios");
    let group = ada.ok("group.create", json!({"name": "Rust"}))["group"]["id"].take();
    bob.ok("group.join", json!({"group": group}));
    let joined = |event: Value| event["data"]["user"]["id"].clone();
    let mut members = joined(server.event("group.joined"));
    if members == ada_id {
        members = joined(server.event("group.joined"));
    }
    assert_eq!(members, bob_id);

    ada.ok(
        "message.send",
        json!({"to": {"group": group}, "body": "all here"}),
    );
    bob.ok("logout", json!({}));
    let logout = server.event("session.logout");
    assert_eq!(
        logout["data"],
        json!({"user": {"id": bob_id, "name": "Bob"}, "platform": "ios", "last": true})
    );
    ada.ok(
        "message.send",
        json!({"to": {"group": group}, "body": "one away"}),
    );
    let offline = server.event("message.offline");
    assert_eq!(offline["data"]["message"]["body"], "one away");
    assert_eq!(offline["data"]["users"], json!([bob_id]));
}

#[test]
fn whoever_has_muted_a_conversation_is_left_in_peace() {
    let server = HookServer::start(|_| Some((204, String::new())));
    let (_im, node) = im(config(&server, &["message.offline"]));
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    let (mut cy, cy_id) = NativeClient::login(&node, "Cy");
    let group = ada.ok("group.create", json!({"name": "Rust"}))["group"]["id"].take();
    for client in [&mut bob, &mut cy] {
        client.ok("group.join", json!({"group": group}));
    }
    let muted = json!({"conversation": format!("g:{group}"), "muted": 1});
    bob.ok("conversation.set", muted);
    for client in [&mut bob, &mut cy] {
        client.ok("logout", json!({}));
    }
    ada.ok(
        "message.send",
        json!({"to": {"group": group}, "body": "two away"}),
    );
    let offline = server.event("message.offline");
    assert_eq!(offline["data"]["users"], json!([cy_id]));
}

#[test]
fn the_members_of_a_channel_who_are_away_come_in_pages() {
    let server = HookServer::start(|_| Some((204, String::new())));
    let mut config = ImConfig {
        webhooks: Some(config(&server, &["message.offline"])),
        ..ImConfig::default()
    };
    config.store.rules.fanout_limit = 2;
    let im = Im::open(config).expect("a store in memory");
    let node = TestNode::around_im(&Options::default(), &im);
    let (mut ada, _) = NativeClient::login(&node, "Ada");
    let group = ada.ok("group.create", json!({"name": "Rust"}))["group"]["id"].take();
    let mut away = Vec::new();
    let mut client = NativeClient::connect(&node, Transport::WebSocket);
    for n in 0..5 {
        let ok = client.ok("login", json!({"name": format!("user {n}")}));
        away.push(ok["user"]["id"].as_u64().unwrap());
        client.ok("group.join", json!({"group": group}));
        client.ok("logout", json!({}));
    }
    let (mut bob, _) = NativeClient::login(&node, "Bob");
    bob.ok("group.join", json!({"group": group}));
    ada.ok(
        "message.send",
        json!({"to": {"group": group}, "body": "hello"}),
    );
    let offline = server.event("message.offline");
    assert_eq!(offline["data"]["users"], json!(away));
}
