//! Who may do what: every call, asked by everyone.

use common::UserId;
use harness::{NativeClient, RestClient, Transport};
use module::account::{CloseSessions, SetDisabled, Whose};
use module::api::{Access, CALLS, Entry, Verb};
use module::presence::Platform;
use serde_json::{Value, json};

use crate::calls::{CASES, Case, forged};
use crate::scene::{Scene, Who, World};

/// The cases of the calls that users may make, in the order of the calls.
fn cases_of_users() -> impl Iterator<Item = &'static Case> {
    CASES.iter().filter(|case| {
        let entry = module::api::find(case.op);
        entry.is_some_and(|entry| entry.access != Access::Administrator)
    })
}

#[test]
fn every_call_has_its_cases_and_every_case_its_call() {
    let served = CALLS.iter().filter(|c| c.access != Access::Administrator);
    let calls: Vec<_> = served.map(|call| call.op).collect();
    let mut told: Vec<_> = CASES.iter().map(|case| case.op).collect();
    told.dedup();
    assert_eq!(told, calls);
    for call in calls {
        let mut answers = CASES
            .iter()
            .filter(|c| c.op == call)
            .flat_map(|c| c.answers);
        assert!(answers.any(|answer| answer == "ok"), "nobody may {call}");
    }
}

#[test]
fn who_may_not_changes_nothing() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = RestClient::connect(&world.node);
    let before = scene.dump(&mut client);
    for case in cases_of_users() {
        let mut refused = 0;
        for (who, expected) in Who::ALL.into_iter().zip(case.answers) {
            if expected != "ok" {
                client.show(Some(&scene.person(who).token));
                let input = (case.input)(&scene, who);
                let answer = client.call(case.op, &input);
                assert_eq!(answer.word(), expected, "{who:?} {} {input}", case.op);
                refused += 1;
            }
        }
        if refused > 0 {
            scene.assert_as(&before, &mut client, case.op);
        }
    }
}

#[test]
fn who_may_does() {
    let world = World::start();
    // Each in a thread of its own, so that they share the syncs to the disk.
    std::thread::scope(|threads| {
        for who in Who::ALL {
            let world = &world;
            threads.spawn(move || does(world, who));
        }
    });
}

/// Makes all calls that they may.
fn does(world: &World, who: Who) {
    let mut client = RestClient::connect(&world.node);
    let mut scene = Scene::of(world);
    for case in cases_of_users() {
        if case.answers[who as usize] != "ok" {
            continue;
        }
        client.show(Some(&scene.person(who).token));
        let input = (case.input)(&scene, who);
        let answer = client.call(case.op, &input);
        assert_eq!(
            answer.word(),
            "ok",
            "{who:?} {} {input}: {answer:?}",
            case.op
        );
        // What was done changes what may be done next.
        if module::api::find(case.op).is_some_and(|entry| entry.verb != Verb::Get) {
            scene = Scene::of(world);
        }
    }
}

#[test]
fn the_native_protocol_answers_as_rest_does() {
    let world = World::start();
    let scene = Scene::of(&world);
    for who in Who::ALL {
        let mut client = NativeClient::connect(&world.node, Transport::WebSocket);
        let token = &scene.person(who).token;
        client.ok("login", json!({ "token": token }));
        for case in cases_of_users() {
            let expected = case.answers[who as usize];
            if expected != "ok" {
                let input = (case.input)(&scene, who);
                assert_eq!(
                    client.error(case.op, input),
                    expected,
                    "{who:?} {}",
                    case.op
                );
            }
        }
    }
}

#[test]
fn a_token_that_is_not_good_is_nobodys() {
    let world = World::start();
    let scene = Scene::of(&world);
    let owner = scene.person(Who::Owner);
    let expired = world.tokens.issue(
        UserId(owner.id),
        owner.session,
        Platform::Web,
        module::im::now_ms() - 120_000,
        module::im::now_ms() - 60_000,
    );
    let other = Scene::of(&World::start());
    let [revoked, disabled] = ["Rose", "Dean"].map(|name| world.person(name));
    world.change(CloseSessions {
        user: UserId(revoked.id),
        which: Whose::All,
    });
    world.change(SetDisabled {
        user: UserId(disabled.id),
        disabled: true,
    });
    // Two halves of good tokens: whom the one names, with the signature of the other.
    let halves = |a: &str, b: &str| {
        let (signed, _) = a.rsplit_once('.').unwrap();
        let (_, signature) = b.rsplit_once('.').unwrap();
        format!("{signed}.{signature}")
    };
    let peer = scene.person(Who::Peer);
    let tokens = [
        ("none", None),
        ("empty", Some(String::new())),
        ("no token", Some("null".to_owned())),
        ("unsigned", Some(unsigned(&owner.token))),
        ("expired", Some(expired)),
        ("forged", Some(forged(&owner.token))),
        ("of two", Some(halves(&owner.token, &peer.token))),
        (
            "another server's",
            Some(other.person(Who::Owner).token.clone()),
        ),
        ("revoked", Some(revoked.token)),
        ("disabled", Some(disabled.token)),
    ];
    let mut client = RestClient::connect(&world.node);
    let before = scene.dump(&mut client);
    for (what, token) in &tokens {
        client.show(token.as_deref());
        for case in cases_of_users() {
            let entry = module::api::find(case.op).unwrap();
            if entry.access == Access::Anyone {
                continue;
            }
            let answer = client.call(case.op, &(case.input)(&scene, Who::Owner));
            assert_eq!(answer.word(), "unauthenticated", "{what}: {}", case.op);
            assert_eq!(answer.status, 401);
        }
        let mut native = NativeClient::connect(&world.node, Transport::WebSocket);
        if let Some(token) = token {
            let refused = native.error("login", json!({ "token": token }));
            assert_eq!(refused, "unauthenticated", "{what}");
        }
        assert_eq!(native.error("account.get", json!({})), "unauthenticated");
    }
    scene.assert_as(&before, &mut client, "at the end");
}

#[test]
fn what_is_for_administrators_is_not_there_for_users() {
    let world = World::start();
    let scene = Scene::of(&world);
    let owner = scene.person(Who::Owner);
    let mut client = RestClient::connect(&world.node);
    let before = scene.dump(&mut client);
    client.show(Some(&owner.token));
    let mut native = NativeClient::connect(&world.node, Transport::WebSocket);
    native.ok("login", json!({"token": scene.person(Who::Stranger).token}));
    for call in CALLS.iter().filter(|c| c.access == Access::Administrator) {
        let input = json!({"user": owner.id, "group": scene.group, "disabled": true});
        // Where users find a call of their own, they make that.
        let is_theirs = |c: &Entry| c.access != Access::Administrator && c.verb == call.verb;
        if !CALLS.iter().any(|c| is_theirs(c) && c.path == call.path) {
            let answer = client.call(call.op, &input);
            assert!(matches!(answer.status, 404 | 405), "{} {answer:?}", call.op);
        }
        assert_eq!(native.error(call.op, input), "unknown_op", "{}", call.op);
    }
    drop(native);
    scene.assert_as(&before, &mut client, "at the end");
}

/// The token as somebody would write it who hopes that signatures are not looked at.
fn unsigned(token: &str) -> String {
    // {"alg":"none","typ":"JWT"}
    let claims = token.split('.').nth(1).expect("a token has three parts");
    format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
}

#[test]
fn what_is_said_among_some_is_found_by_nobody_else() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = RestClient::connect(&world.node);
    let found = [
        (Who::Stranger, 0),
        (Who::Blocked, 0),
        (Who::Peer, 2),
        (Who::Member, 2),
        (Who::Administrator, 2),
        (Who::Owner, 5),
    ];
    world.node.until("everything is indexed", |_| {
        let mut client = RestClient::connect(&world.node);
        client.show(Some(&scene.person(Who::Owner).token));
        search(&mut client) == 5
    });
    for (who, messages) in found {
        client.show(Some(&scene.person(who).token));
        assert_eq!(search(&mut client), messages, "{who:?}");
        let inbox = client.ok("inbox.sync", &json!({}));
        let entries = inbox["entries"].as_array().unwrap();
        let messages_in = |value: &&Value| value["message"]["body"].is_string();
        assert_eq!(
            entries.iter().filter(messages_in).count(),
            messages,
            "{who:?}"
        );
    }
}

fn search(client: &mut RestClient) -> usize {
    let found = client.ok("message.search", &json!({"query": "secret"}));
    found["messages"].as_array().map_or(0, Vec::len)
}
