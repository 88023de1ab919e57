//! Requests that are wrong in every way there is: a clear error with a stable code, nothing is
//! changed, and the connection goes on.

use gate::{Limits, Rate};
use harness::rest::place;
use harness::{NativeClient, Options, RestClient, Transport};
use module::adapter::rest::{Clients, document};
use module::api::{Access, CALLS, Entry};
use serde_json::{Map, Value, json};

use crate::calls::CASES;
use crate::scene::{PASSWORD, Scene, Who, World};
use crate::wrong::{Member, Place, members};

/// What a client may be told of a request that is wrong.
const CODES: [&str; 6] = [
    "bad_request",
    "invalid_value",
    "not_found",
    "conflict",
    "forbidden",
    "unauthenticated",
];

/// The calls of users, each with who may make it and an input that is right.
fn right(scene: &Scene) -> Vec<(&'static Entry, Who, Map<String, Value>)> {
    let calls = CALLS.iter().filter(|c| c.access != Access::Administrator);
    let calls = calls.map(|call| {
        let case = CASES.iter().find(|case| case.op == call.op).unwrap();
        let at = case.answers.iter().rposition(|answer| *answer == "ok");
        let who = Who::ALL[at.expect("somebody may")];
        let input = (case.input)(scene, who);
        (call, who, input.as_object().unwrap().clone())
    });
    calls.collect()
}

/// An object of these members, of which one is JSON text, or what pretends to be.
fn object_with(input: &Map<String, Value>, name: &str, text: &str) -> String {
    let mut object = String::from("{");
    for (other, value) in input.iter().filter(|(other, _)| *other != name) {
        object += &format!("{}:{value},", Value::from(other.as_str()));
    }
    object + &format!("{}:{text}}}", Value::from(name))
}

/// The target and body of a request in which this stands for a member of a path or a query.
fn target_with(
    call: &Entry,
    input: &Map<String, Value>,
    member: &Member,
    text: &str,
) -> (String, Option<Vec<u8>>) {
    const MARK: &str = "MARK";
    let mut input = input.clone();
    input.insert(member.name.clone(), MARK.into());
    let (target, body) = place(call, &Value::Object(input));
    (target.replace(MARK, text), body)
}

#[track_caller]
fn assert_refused(status: u16, json: &Value, what: &str) {
    assert!((400..500).contains(&status), "{status} {json}: {what}");
    if json.is_string() {
        // No request of HTTP, or too large a one: the listener has not looked for a call.
        assert!(matches!(status, 400 | 413 | 414), "{status} {json}: {what}");
        return;
    }
    assert!(json["error"]["message"].is_string(), "{json}: {what}");
    let code = json["error"]["code"].as_str().unwrap_or_default();
    assert!(CODES.contains(&code), "{status} {code}: {what}");
}

/// The front of a text, for people.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

#[test]
fn over_rest_what_is_wrong_is_refused() {
    let world = World::start();
    let scene = Scene::of(&world);
    let document = document(Clients::Users);
    let mut client = RestClient::connect(&world.node);
    let before = scene.dump(&mut client);
    for (call, who, input) in right(&scene) {
        client.show(Some(&scene.person(who).token));
        let verb = call.verb.as_str();
        for member in members(&document, call.op) {
            if member.place == Place::Body {
                for wrong in member.wrong_json() {
                    let (target, _) = place(call, &Value::Object(input.clone()));
                    let in_path = |name: &String| call.path.contains(&format!("{{{name}}}"));
                    let mut input = input.clone();
                    input.retain(|name, _| !in_path(name));
                    let body = object_with(&input, &member.name, &wrong);
                    let answer = client.request(verb, &target, Some(body.as_bytes()));
                    let what = format!("{verb} {target} {}", shown(&body));
                    assert_refused(answer.status, &answer.json, &what);
                }
            } else {
                for wrong in member.wrong_text() {
                    let (target, body) = target_with(call, &input, &member, &wrong);
                    let answer = client.request(verb, &target, body.as_deref());
                    let what = format!("{verb} {}", shown(&target));
                    assert_refused(answer.status, &answer.json, &what);
                }
            }
            if member.required && member.place != Place::Path {
                let mut input = input.clone();
                input.remove(&member.name);
                let answer = client.call(call.op, &Value::Object(input));
                assert_eq!(answer.word(), "bad_request", "{} {}", call.op, member.name);
            }
        }
        scene.assert_as(&before, &mut client, call.op);
    }
}

#[test]
fn over_the_native_protocol_what_is_wrong_is_refused() {
    /// Longer messages close the connection, by the rules of the framing.
    const MESSAGE_BYTES_MAX: usize = 60_000;
    let world = World::start();
    let scene = Scene::of(&world);
    let document = document(Clients::Users);
    let mut rest = RestClient::connect(&world.node);
    let mut clients = Who::ALL.map(|who| {
        let mut client = NativeClient::connect(&world.node, Transport::WebSocket);
        client.ok("login", json!({"token": scene.person(who).token}));
        client
    });
    // That they are online is seen, too.
    let before = scene.dump(&mut rest);
    for (call, who, input) in right(&scene) {
        let client = &mut clients[who as usize];
        for member in members(&document, call.op) {
            for wrong in member.wrong_json() {
                let data = object_with(&input, &member.name, &wrong);
                if data.len() > MESSAGE_BYTES_MAX {
                    continue;
                }
                client.send_raw(&format!(r#"{{"id":"x","op":"{}","data":{data}}}"#, call.op));
                let reply = client.reply();
                let code = reply["error"]["code"].as_str().unwrap_or_default();
                let what = || format!("{} {}: {reply}", call.op, shown(&data));
                assert!(CODES.contains(&code), "{}", what());
                // What is no JSON at all has no id, either.
                assert!(reply["id"] == "x" || reply["id"].is_null(), "{}", what());
                // Several of those in a row would end the session.
                client.ok("heartbeat", json!({}));
            }
            if member.required {
                let mut input = input.clone();
                input.remove(&member.name);
                let code = client.error(call.op, Value::Object(input));
                assert_eq!(code, "bad_request", "{} {}", call.op, member.name);
            }
        }
    }
    scene.assert_as(&before, &mut rest, "at the end");
}

#[test]
fn lists_do_not_pass_for_objects() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = NativeClient::connect(&world.node, Transport::WebSocket);
    let token = &scene.person(Who::Member).token;
    assert_eq!(client.error("login", json!([null, token])), "bad_request");
    client.ok("login", json!({ "token": token }));
    for (op, data) in [
        ("group.get", json!([scene.group])),
        ("message.send", json!([{"group": scene.group}, "hello"])),
        ("account.get", json!([])),
    ] {
        assert_eq!(client.error(op, data), "bad_request", "{op}");
    }
    client.send_raw(r#"[7,"heartbeat",{}]"#);
    let reply = client.reply();
    assert_eq!(reply["error"]["code"], "bad_request");
    assert!(reply["id"].is_null(), "{reply}");
}

#[test]
fn a_body_that_is_cut_anywhere_is_refused() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = RestClient::connect(&world.node);
    let before = scene.dump(&mut client);
    client.show(Some(&scene.person(Who::Member).token));
    let body = json!({"to": {"group": scene.group}, "body": "grüße 👋", "kind": "text",
        "client_id": "1", "mentions": [scene.other.id], "extra": "\u{0}"});
    let body = body.to_string().into_bytes();
    for cut in 0..body.len() {
        let answer = client.request("POST", "/api/v1/messages", Some(&body[..cut]));
        assert_eq!(
            (answer.status, answer.word()),
            (400, "bad_request"),
            "{cut}"
        );
    }
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "json",
    ] {
        let reply = client.raw("POST", "/api/v1/messages", Some(kind), &body);
        assert_eq!(reply.status, 415, "{kind}");
    }
    for other in [
        &b"[]"[..],
        b"1",
        b"\"to\"",
        b"null",
        b"\xff",
        b"{}{}",
        b"\xef\xbb\xbf{}",
    ] {
        let answer = client.request("POST", "/api/v1/messages", Some(other));
        assert_eq!(
            (answer.status, answer.word()),
            (400, "bad_request"),
            "{other:?}"
        );
    }
    scene.assert_as(&before, &mut client, "at the end");
    client.show(Some(&scene.person(Who::Member).token));
    let answer = client.request("POST", "/api/v1/messages", Some(&body));
    assert_eq!(answer.word(), "ok", "whole it is right: {answer:?}");
}

#[test]
fn a_body_is_not_taken_apart_for_who_shows_no_good_token() {
    let world = World::start();
    let mut client = RestClient::connect(&world.node);
    for token in [None, Some("no.good.token")] {
        client.show(token);
        let answer = client.request("POST", "/api/v1/messages", Some(b"{\"to\":"));
        assert_eq!((answer.status, answer.word()), (401, "unauthenticated"));
        let reply = client.raw("POST", "/api/v1/messages", Some("text/plain"), b"to");
        assert_eq!(reply.status, 401);
    }
}

#[test]
fn whoever_calls_too_fast_is_told_so_on_every_connection() {
    let world = World::with(&Options::default().limits(Limits {
        message_rate: Some(Rate {
            per_second: 1,
            burst: 20,
        }),
        ..Limits::default()
    }));
    let (ada, bob) = (world.person("Ada"), world.person("Bob"));
    let mut clients = [&ada, &ada, &bob].map(|person| {
        let mut client = RestClient::connect(&world.node);
        client.show(Some(&person.token));
        client
    });
    let mut made = 0;
    let limited = loop {
        let client = &mut clients[made % 2];
        let message = json!({"to": {"user": bob.id}, "body": "again"}).to_string();
        let json = Some("application/json");
        let reply = client.raw("POST", "/api/v1/messages", json, message.as_bytes());
        if reply.status != 200 {
            break reply;
        }
        made += 1;
        assert!(made < 1_000, "of 20 at once and one a second");
    };
    assert_eq!(
        (limited.status, limited.header("retry-after")),
        (429, Some("1"))
    );
    assert!(made >= 20, "{made} were let through");
    assert_eq!(clients[2].call("account.get", &json!({})).word(), "ok");
}

#[test]
fn paths_and_methods_that_lead_nowhere_say_so() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = RestClient::connect(&world.node);
    client.show(Some(&scene.person(Who::Owner).token));
    for path in [
        "",
        "nothing",
        "account/",
        "/account",
        "account//",
        "Account",
        "users/1/",
        "users/1/2",
        "users/%31/..",
        "users/..%2Faccount",
        "%61ccount",
        "account;x=1",
        "..%2F..%2Fetc%2Fpasswd",
        "%C0%AE%C0%AE/account",
        "users/%C0%AF",
    ] {
        let answer = client.request("GET", &format!("/api/v1/{path}"), None);
        assert_eq!(
            (answer.status, answer.word()),
            (404, "not_found"),
            "{path:?}"
        );
    }
    for (method, path) in [
        ("DELETE", "account"),
        ("POST", "account"),
        ("BREW", "messages"),
    ] {
        let answer = client.request(method, &format!("/api/v1/{path}"), None);
        assert_eq!(
            (answer.status, answer.word()),
            (405, "bad_request"),
            "{path:?}"
        );
    }
    assert_eq!(client.call("account.get", &json!({})).word(), "ok");
}

#[test]
fn what_nobody_knows_is_left_alone() {
    let world = World::start();
    let mut client = RestClient::connect(&world.node);
    let scene = Scene::of(&world);
    for (call, who, mut input) in right(&scene) {
        let scene = Scene::of(&world);
        let asked = CASES.iter().find(|case| case.op == call.op).unwrap();
        input.clone_from((asked.input)(&scene, who).as_object().unwrap());
        client.show(Some(&scene.person(who).token));
        input.insert("no_such_member".to_owned(), json!("x"));
        let answer = client.call(call.op, &Value::Object(input));
        assert_eq!(answer.word(), "ok", "{}: {answer:?}", call.op);
    }
}

#[test]
fn a_request_that_is_replayed_does_nothing_more() {
    let world = World::start();
    let scene = Scene::of(&world);
    let mut client = RestClient::connect(&world.node);
    let token = scene.person(Who::Owner).token.clone();
    let group = scene.group;
    let message = json!({"to": {"group": group}, "body": "once", "client_id": "c1"});
    let login = format!("replayed {group}");
    for (op, input, again) in [
        ("message.send", message, "ok"),
        (
            "account.register",
            json!({"login": login, "password": PASSWORD}),
            "conflict",
        ),
        (
            "friend.answer",
            json!({"user": scene.applicant.id, "accept": true}),
            "not_found",
        ),
        (
            "group.answer",
            json!({"group": group, "user": scene.applicant.id, "accept": true}),
            "not_found",
        ),
        (
            "message.recall",
            json!({"conversation": scene.in_group(), "seq": Scene::OF_OWNER}),
            "conflict",
        ),
        (
            "group.kick",
            json!({"group": group, "user": scene.other.id}),
            "forbidden",
        ),
        ("group.dismiss", json!({"group": group}), "conflict"),
        (
            "account.renew",
            json!({ "token": token }),
            "unauthenticated",
        ),
    ] {
        client.show(Some(&token));
        let first = client.ok(op, &input);
        if op == "account.renew" {
            // Whoever has seen the old token has nothing.
            assert_eq!(
                client.call("account.get", &json!({})).word(),
                "unauthenticated"
            );
            assert_eq!(client.call(op, &input).word(), again);
            client.show(first["token"].as_str());
            assert_eq!(client.call("account.get", &json!({})).word(), "ok");
            continue;
        }
        let before = scene.dump(&mut client);
        client.show(Some(&token));
        let second = client.call(op, &input);
        assert_eq!(second.word(), again, "{op}: {second:?}");
        scene.assert_as(&before, &mut client, op);
        if again == "ok" {
            assert_eq!(second.json["seq"], first["seq"]);
            assert_eq!(second.json["message"], first["message"]);
        }
    }
}
