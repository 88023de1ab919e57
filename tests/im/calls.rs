//! What each call may be asked, by whom, and how it is answered.

use serde_json::{Value, json};

use crate::scene::{PASSWORD, Scene, Who};

/// Done.
const OK: &str = "ok";
/// Not for who asks.
const FB: &str = "forbidden";
/// Not for who asks to know of.
const NF: &str = "not_found";
/// It is so already, or is no more.
const CF: &str = "conflict";
/// It makes no sense.
const IV: &str = "invalid_value";
/// What is shown proves nothing.
const UN: &str = "unauthenticated";

/// A call with an input, and how each of [`Who::ALL`] is answered.
pub(crate) struct Case {
    pub(crate) op: &'static str,
    pub(crate) input: fn(&Scene, Who) -> Value,
    pub(crate) answers: [&'static str; 6],
}

const fn case(
    op: &'static str,
    answers: [&'static str; 6],
    input: fn(&Scene, Who) -> Value,
) -> Case {
    Case { op, input, answers }
}

/// Every call, in the order of `module::api::CALLS`; the first case of each is one that somebody
/// may. The columns: a stranger, a blocked user, a friend of the owner who is no member; a member,
/// an administrator, the owner.
#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    // Accounts and sessions.
    case("account.register", [OK, OK, OK, OK, OK, OK],
        |s, _| json!({"login": format!("new {}", s.group), "password": PASSWORD})),
    case("account.register", [CF, CF, CF, CF, CF, CF],
        |s, _| json!({"login": s.other.login.to_uppercase(), "password": PASSWORD})),
    case("account.login", [OK, OK, OK, OK, OK, OK],
        |s, who| json!({"login": s.person(who).login, "password": PASSWORD, "platform": "ios"})),
    case("account.login", [UN, UN, UN, UN, UN, UN],
        |s, who| json!({"login": s.person(who).login, "password": "open, barley"})),
    case("account.login", [UN, UN, UN, UN, UN, UN],
        |_, _| json!({"login": "nobody", "password": PASSWORD})),
    case("account.renew", [OK, OK, OK, OK, OK, OK],
        |s, who| json!({"token": s.person(who).token})),
    case("account.renew", [UN, UN, UN, UN, UN, UN],
        |s, who| json!({"token": forged(&s.person(who).token)})),
    case("account.get", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("account.set", [OK, OK, OK, OK, OK, OK], |_, _| json!({"signature": "I am"})),
    case("account.password", [OK, OK, OK, OK, OK, OK],
        |_, _| json!({"old": PASSWORD, "new": "open, barley"})),
    case("account.password", [UN, UN, UN, UN, UN, UN],
        |_, _| json!({"old": "open, barley", "new": "open, wheat"})),
    case("session.list", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("session.close", [NF, NF, NF, NF, NF, OK],
        |s, _| json!({"session": s.person(Who::Owner).session_name()})),
    case("session.close_all", [OK, OK, OK, OK, OK, OK], |_, _| json!({"others": true})),
    // Users.
    case("user.get", [OK, OK, OK, OK, OK, OK], |s, _| json!({"user": s.person(Who::Owner).id})),
    case("user.search", [OK, OK, OK, OK, OK, OK], |_, _| json!({"query": "olg"})),
    case("users.online", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("presence.get", [OK, OK, OK, OK, OK, OK],
        |s, _| json!({"users": [s.person(Who::Owner).id, s.other.id]})),
    case("position.set", [OK, OK, OK, OK, OK, OK],
        |_, _| json!({"latitude": -16.5, "longitude": 179.9})),
    case("position.set", [IV, IV, IV, IV, IV, IV],
        |_, _| json!({"latitude": 90.5, "longitude": 0.0})),
    case("position.clear", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("position.nearby", [NF, NF, NF, OK, NF, OK], |_, _| json!({"radius": 1_000})),
    case("verification.submit", [OK, OK, OK, OK, OK, OK],
        |_, _| json!({"name": "Olga Orlova", "document": "L01X00T47"})),
    case("verification.submit", [IV, IV, IV, IV, IV, IV],
        |_, _| json!({"name": " ", "document": "L01X00T47"})),
    case("verification.get", [NF, NF, NF, NF, NF, OK], |_, _| json!({})),
    // Friends.
    case("friend.request", [OK, FB, CF, OK, OK, IV],
        |s, _| json!({"user": s.person(Who::Owner).id, "text": "hello"})),
    case("friend.requests", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("friend.answer", [NF, NF, NF, NF, NF, OK],
        |s, _| json!({"user": s.applicant.id, "accept": true})),
    case("friend.list", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("friend.set", [FB, FB, FB, FB, FB, OK],
        |s, _| json!({"user": s.person(Who::Peer).id, "remark": "P."})),
    case("friend.remove", [FB, FB, FB, FB, FB, OK],
        |s, _| json!({"user": s.person(Who::Peer).id, "both": true})),
    case("block.list", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("block.add", [OK, OK, OK, OK, OK, IV], |s, _| json!({"user": s.person(Who::Owner).id})),
    case("block.remove", [OK, IV, OK, OK, OK, OK],
        |s, _| json!({"user": s.person(Who::Blocked).id})),
    // Groups.
    case("group.create", [OK, OK, OK, OK, OK, OK],
        |s, _| json!({"name": "Mine", "members": [s.other.id]})),
    case("group.list", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("group.search", [OK, OK, OK, OK, OK, OK], |_, _| json!({"query": "rust"})),
    case("group.get", [OK, OK, OK, OK, OK, OK], |s, _| json!({"group": s.group})),
    case("group.set", [FB, FB, FB, FB, OK, OK],
        |s, _| json!({"group": s.group, "announcement": "Tea at five"})),
    case("group.set", [CF, CF, CF, CF, CF, CF], |s, _| json!({"group": s.gone, "name": "Back"})),
    case("group.join", [OK, OK, OK, OK, OK, OK], |s, _| json!({"group": s.group})),
    case("group.join", [FB, FB, FB, FB, FB, OK], |s, _| json!({"group": s.closed})),
    case("group.join", [CF, CF, CF, CF, CF, CF], |s, _| json!({"group": s.gone})),
    case("group.leave", [FB, FB, FB, OK, OK, OK], |s, _| json!({"group": s.group})),
    case("group.transfer", [FB, FB, FB, FB, FB, OK],
        |s, _| json!({"group": s.group, "user": s.other.id})),
    case("group.dismiss", [FB, FB, FB, FB, FB, OK], |s, _| json!({"group": s.group})),
    case("group.members", [FB, FB, FB, OK, OK, OK], |s, _| json!({"group": s.group})),
    case("group.invite", [FB, FB, FB, OK, OK, OK],
        |s, _| json!({"group": s.group, "users": [s.applicant.id]})),
    case("group.invite", [FB, FB, FB, FB, FB, OK],
        |s, _| json!({"group": s.closed, "users": [s.other.id]})),
    case("group.kick", [FB, FB, FB, FB, OK, OK],
        |s, _| json!({"group": s.group, "user": s.other.id})),
    case("group.kick", [FB, FB, FB, FB, IV, OK],
        |s, _| json!({"group": s.group, "user": s.person(Who::Administrator).id})),
    case("group.kick", [FB, FB, FB, FB, FB, IV],
        |s, _| json!({"group": s.group, "user": s.person(Who::Owner).id})),
    case("group.set_member", [FB, FB, FB, FB, OK, OK],
        |s, _| json!({"group": s.group, "user": s.other.id, "nickname": "O."})),
    case("group.set_member", [FB, FB, FB, OK, OK, OK],
        |s, who| json!({"group": s.group, "user": s.person(who).id, "nickname": "I"})),
    case("group.set_role", [FB, FB, FB, FB, FB, OK],
        |s, _| json!({"group": s.group, "user": s.other.id, "role": "administrator"})),
    case("group.set_role", [IV, IV, IV, IV, IV, IV],
        |s, _| json!({"group": s.group, "user": s.other.id, "role": "owner"})),
    case("group.mute", [FB, FB, FB, FB, OK, OK],
        |s, _| json!({"group": s.group, "user": s.other.id, "seconds": 60})),
    case("group.mute", [FB, FB, FB, FB, FB, IV],
        |s, _| json!({"group": s.group, "user": s.person(Who::Owner).id, "seconds": 60})),
    case("group.applications", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("group.applications", [FB, FB, FB, FB, OK, OK], |s, _| json!({"group": s.group})),
    case("group.answer", [FB, FB, FB, FB, OK, OK],
        |s, _| json!({"group": s.group, "user": s.applicant.id, "accept": true})),
    // Messages.
    case("message.send", [OK, FB, OK, OK, OK, OK],
        |s, _| json!({"to": {"user": s.person(Who::Owner).id}, "body": "hello"})),
    case("message.send", [FB, FB, FB, OK, OK, OK],
        |s, _| json!({"to": {"group": s.group}, "body": "hello"})),
    case("message.send", [CF, CF, CF, CF, CF, CF],
        |s, _| json!({"to": {"group": s.gone}, "body": "hello"})),
    case("message.send", [OK, OK, OK, OK, OK, OK],
        |_, _| json!({"to": {"all": true}, "body": "hi"})),
    case("message.signal", [OK, FB, OK, OK, OK, OK],
        |s, _| json!({"to": {"user": s.person(Who::Owner).id}, "body": "typing"})),
    case("message.signal", [FB, FB, FB, OK, OK, OK],
        |s, _| json!({"to": {"group": s.group}, "body": "typing"})),
    case("message.signal", [CF, CF, CF, CF, CF, CF],
        |s, _| json!({"to": {"group": s.gone}, "body": "typing"})),
    case("message.history", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group()})),
    case("message.history", [NF, NF, OK, NF, NF, OK], |s, _| json!({"conversation": s.direct()})),
    case("message.history", [NF, NF, NF, NF, NF, OK], of_operator),
    case("message.read", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group(), "seq": 2})),
    case("message.read", [NF, NF, OK, NF, NF, OK],
        |s, _| json!({"conversation": s.direct(), "seq": 2})),
    case("message.recall", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group(), "seq": Scene::OF_MEMBER})),
    case("message.recall", [NF, NF, NF, FB, FB, OK],
        |s, _| json!({"conversation": s.in_group(), "seq": Scene::OF_OWNER})),
    case("message.recall", [NF, NF, FB, NF, NF, OK],
        |s, _| json!({"conversation": s.direct(), "seq": 1})),
    case("message.delete", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group(), "seqs": [1, 2]})),
    case("message.delete", [NF, NF, OK, NF, NF, OK],
        |s, _| json!({"conversation": s.direct(), "seqs": [1]})),
    case("message.search", [OK, OK, OK, OK, OK, OK], |_, _| json!({"query": "secret"})),
    case("message.search", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"query": "secret", "conversation": s.in_group()})),
    case("message.readers", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"group": s.group, "seq": Scene::OF_MEMBER})),
    case("conversation.list", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    case("conversation.set", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group(), "pinned": true})),
    case("conversation.set", [NF, NF, OK, NF, NF, OK],
        |s, _| json!({"conversation": s.direct(), "draft": "Dear"})),
    case("conversation.clear", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group(), "unlist": true})),
    case("conversation.clear", [NF, NF, NF, NF, NF, OK], of_operator),
    case("conversation.changes", [NF, NF, NF, OK, OK, OK],
        |s, _| json!({"conversation": s.in_group()})),
    case("conversation.changes", [NF, NF, NF, NF, NF, OK], of_operator),
    case("inbox.sync", [OK, OK, OK, OK, OK, OK], |_, _| json!({})),
    // Attachments.
    case("attachment.get", [NF, NF, NF, OK, OK, OK], |s, _| json!({"attachment": s.attachment})),
    case("attachment.remove", [NF, NF, NF, FB, FB, OK],
        |s, _| json!({"attachment": s.attachment})),
];

/// What the operator has said to the owner.
fn of_operator(scene: &Scene, _: Who) -> Value {
    json!({"conversation": format!("s:{}", scene.person(Who::Owner).id)})
}

/// A token with another signature.
pub(crate) fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
    let turned: String = signature.chars().rev().collect();
    format!("{signed}.{turned}")
}
