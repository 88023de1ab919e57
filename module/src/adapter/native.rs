//! The native JSON protocol (docs/protocol.md).

use std::borrow::Cow;
use std::sync::Arc;

use common::{CloseReason, ErrorCode, GroupId, SessionId, UserId};
use gate::{Context, Envelope, Handshake, Message, MessageKind, Module, Overflow};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::account::User;
use crate::event::{Event, Protocol};
use crate::group::Group;
use crate::im::{self, Im, ImError, Login, PAGE_MAX, Page, Recipient};
use crate::message::{Delivery, Draft, Kind, Receipt};
use crate::presence::Platform;

/// Longest `id` of a request, in bytes of JSON.
const ID_BYTES_MAX: usize = 66;
/// Messages in a row that do not parse, after which a session is closed.
const BAD_IN_A_ROW_MAX: u8 = 10;
/// Entries of a page if the client does not say how many.
const PAGE_DEFAULT: usize = 100;

/// The adapter. Each worker has one, with the sessions that are bound to it.
#[derive(Debug)]
pub struct Native {
    im: Arc<Im>,
    sessions: FxHashMap<SessionId, Client>,
}

/// What the adapter knows of a session.
#[derive(Debug)]
struct Client {
    kind: MessageKind,
    bad_in_a_row: u8,
    login: Option<Box<Login>>,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    op: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome<'a> {
    Ok(&'a RawValue),
    Error {
        code: &'static str,
        message: &'a str,
    },
}

#[derive(Serialize)]
struct Reply<'a> {
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

impl Native {
    /// An adapter in front of an IM.
    #[must_use]
    pub fn new(im: Arc<Im>) -> Self {
        Self {
            im,
            sessions: FxHashMap::default(),
        }
    }

    /// Carries a request out; the `ok` of its reply.
    fn perform(
        &mut self,
        context: &mut Context<'_>,
        session: SessionId,
        op: &str,
        data: Option<&RawValue>,
    ) -> Result<Box<RawValue>, ImError> {
        let client = self.sessions.entry(session).or_insert_with(Client::new);
        let im = &self.im;
        match op {
            "login" => return client.log_in(im, context, session, data),
            "heartbeat" => return ok(&TimeOut { time: im::now_ms() }),
            _ => {}
        }
        let Some(login) = &client.login else {
            return Err(match op {
                _ if OPERATIONS.contains(&op) => {
                    ImError::new(ErrorCode::Unauthenticated, "log in first")
                }
                _ => unknown(op),
            });
        };
        match op {
            "logout" => {
                im.logout(context, login);
                client.login = None;
                ok(&Nothing {})
            }
            "users.online" => {
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let page = im.online(UserId(after), limit);
                ok(&UsersOut::of(&page))
            }
            "presence.subscribe" => {
                im.watch_presence(context, login);
                ok(&Nothing {})
            }
            "presence.unsubscribe" => {
                im.unwatch_presence(context, login);
                ok(&Nothing {})
            }
            "message.send" => {
                let (recipient, draft) = parse::<SendIn>(data)?.checked()?;
                ok(&ReceiptOut::of(&im.send(context, login, recipient, draft)?))
            }
            "group.create" => {
                let group = im.create_group(context, login, &parse::<NameIn<'_>>(data)?.name)?;
                ok(&GroupReply {
                    group: GroupOut::of(&group, true),
                })
            }
            "group.join" => {
                let id = GroupId(parse::<GroupIn>(data)?.group);
                let group = im.join_group(context, login, id)?;
                ok(&GroupReply {
                    group: GroupOut::of(&group, true),
                })
            }
            "group.leave" => {
                im.leave_group(context, login, GroupId(parse::<GroupIn>(data)?.group))?;
                ok(&Nothing {})
            }
            "group.members" => {
                let group = GroupId(parse::<GroupIn>(data)?.group);
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let page = im.members(login, group, UserId(after), limit)?;
                ok(&MembersOut::of(&page))
            }
            "group.list" => {
                let (after, limit) = parse::<PageIn>(data)?.checked()?;
                let page = if parse::<GroupsIn>(data)?.joined {
                    im.own_groups(login, GroupId(after), limit)
                } else {
                    im.groups(login, GroupId(after), limit)
                };
                ok(&GroupsOut::of(&page))
            }
            other => Err(unknown(other)),
        }
    }

    /// A message that is no request at all.
    fn on_garbage(&mut self, context: &mut Context<'_>, session: SessionId, kind: MessageKind) {
        let error = ImError::new(
            ErrorCode::BadRequest,
            "a request is one JSON object: {\"id\":1,\"op\":\"login\",\"data\":{…}}",
        );
        reply(context, session, kind, None, &Err(error));
        let client = self.sessions.entry(session).or_insert_with(Client::new);
        client.bad_in_a_row += 1;
        if client.bad_in_a_row >= BAD_IN_A_ROW_MAX {
            context.close(
                session,
                CloseReason::BadProtocol,
                "too many malformed requests",
            );
        }
    }
}

/// Every operation that needs a login.
const OPERATIONS: [&str; 10] = [
    "logout",
    "users.online",
    "presence.subscribe",
    "presence.unsubscribe",
    "message.send",
    "group.create",
    "group.join",
    "group.leave",
    "group.members",
    "group.list",
];

fn unknown(op: &str) -> ImError {
    let shown: String = op.chars().take(40).collect();
    ImError::new(
        ErrorCode::UnknownOp,
        format!("there is no operation {shown:?}"),
    )
}

impl Client {
    const fn new() -> Self {
        Self {
            kind: MessageKind::Text,
            bad_in_a_row: 0,
            login: None,
        }
    }

    fn log_in(
        &mut self,
        im: &Im,
        context: &mut Context<'_>,
        session: SessionId,
        data: Option<&RawValue>,
    ) -> Result<Box<RawValue>, ImError> {
        if self.login.is_some() {
            return Err(ImError::new(
                ErrorCode::AlreadyLoggedIn,
                "this connection is logged in; log out first",
            ));
        }
        let LoginIn { name, platform } = parse(data)?;
        let platform = match platform.as_deref() {
            None => Platform::default(),
            Some(name) => Platform::named(name).ok_or_else(|| {
                ImError::new(
                    ErrorCode::InvalidValue,
                    "platform is one of web, desktop, android, ios, other",
                )
            })?,
        };
        let login = im.login(context, session, Protocol::NATIVE, &name, platform)?;
        let out = ok(&LoginOut {
            user: UserOut::of(&login.user),
            platform: platform.as_str(),
            heartbeat_s: im.config().heartbeat_seconds,
            server: &im.config().server,
            instance: &im.config().instance,
        });
        self.login = Some(Box::new(login));
        out
    }
}

impl Module for Native {
    fn on_open(&mut self, _: &mut Context<'_>, session: SessionId, handshake: &Handshake) {
        let client = Client {
            kind: handshake.kind,
            ..Client::new()
        };
        self.sessions.insert(session, client);
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let session = envelope.session;
        let kind = self
            .sessions
            .get(&session)
            .map_or(envelope.kind, |client| client.kind);
        let Ok(request) = serde_json::from_slice::<Request<'_>>(envelope.payload()) else {
            self.on_garbage(context, session, kind);
            return;
        };
        if let Some(client) = self.sessions.get_mut(&session) {
            client.bad_in_a_row = 0;
        }
        match request.id.map(checked_id).transpose() {
            Ok(id) => {
                let outcome = self.perform(context, session, &request.op, request.data);
                reply(context, session, kind, id, &outcome);
            }
            Err(error) => reply(context, session, kind, None, &Err(error)),
        }
    }

    fn on_limited(&mut self, context: &mut Context<'_>, session: SessionId) {
        let kind = self
            .sessions
            .get(&session)
            .map_or(MessageKind::Text, |client| client.kind);
        let error = ImError::new(ErrorCode::RateLimited, "too many messages; slow down");
        reply(context, session, kind, None, &Err(error));
    }

    fn on_close(&mut self, context: &mut Context<'_>, session: SessionId, _: CloseReason) {
        if let Some(client) = self.sessions.remove(&session)
            && let Some(login) = client.login
        {
            self.im.on_close(context, &login);
        }
    }
}

/// An id that may come back in a reply: a number or a string. It comes back as it was written, so
/// it must be one that any client can read: no number beyond a double, no half of a surrogate pair.
fn checked_id(id: &RawValue) -> Result<&RawValue, ImError> {
    let text = id.get();
    let is_readable = match text.as_bytes() {
        _ if text.len() > ID_BYTES_MAX => false,
        [b'"', inside @ ..] => {
            !inside.contains(&b'\\') || serde_json::from_str::<Cow<'_, str>>(text).is_ok()
        }
        [b'-' | b'0'..=b'9', ..] => text.parse().is_ok_and(f64::is_finite),
        _ => false,
    };
    if is_readable {
        Ok(id)
    } else {
        Err(ImError::new(
            ErrorCode::BadRequest,
            "id is a number or a string of at most 64 bytes",
        ))
    }
}

/// Keys of messages that stand for a user's presence; those of topics are below.
const PRESENCE_KEYS: u64 = 1 << 63;

fn reply(
    context: &mut Context<'_>,
    session: SessionId,
    kind: MessageKind,
    id: Option<&RawValue>,
    outcome: &Result<Box<RawValue>, ImError>,
) {
    let outcome = match outcome {
        Ok(data) => Outcome::Ok(data),
        Err(error) => Outcome::Error {
            code: error.code.as_str(),
            message: &error.text,
        },
    };
    let payload = json(&Reply { id, outcome });
    // Who asks must get an answer: without room for it there is no going on.
    let message = Message::new(kind, payload).overflow(Overflow::Close);
    context.send_message(session, message);
}

/// An event as a push. Text and binary framings carry the same bytes, so one message serves both.
pub(crate) fn encode_push(event: &Event) -> Message {
    let payload = match event {
        Event::Message(delivery) => push("message", &MessageOut::of(delivery)),
        Event::Presence { user, online } => push(
            "presence",
            &PresenceOut {
                user: UserOut::of(user),
                online: *online,
            },
        ),
        Event::GroupJoined { group, user } => push(
            "group.joined",
            &GroupUserOut {
                group: group.0,
                user: UserOut::of(user),
            },
        ),
        Event::GroupLeft { group, user } => push(
            "group.left",
            &GroupUserOut {
                group: group.0,
                user: UserOut::of(user),
            },
        ),
        Event::Kicked => push(
            "kicked",
            &KickedOut {
                reason: "logged_in_elsewhere",
            },
        ),
    };
    let message = Message::text(payload);
    match event {
        // Of a slow client's waiting notices about one user only the last is of use.
        Event::Presence { user, .. } => message
            .overflow(Overflow::Latest)
            .key(PRESENCE_KEYS | user.id.0),
        _ => message,
    }
}

fn push(name: &'static str, data: &impl Serialize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Push<'a, T> {
        push: &'static str,
        data: &'a T,
    }
    json(&Push { push: name, data })
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("our own types have string keys and finite numbers")
}

fn ok(value: &impl Serialize) -> Result<Box<RawValue>, ImError> {
    Ok(serde_json::value::to_raw_value(value)
        .expect("our own types have string keys and finite numbers"))
}

/// The `data` of a request; where it is left out, as if it were empty.
fn parse<'a, T: Deserialize<'a>>(data: Option<&'a RawValue>) -> Result<T, ImError> {
    serde_json::from_str(data.map_or("{}", RawValue::get))
        .map_err(|error| ImError::new(ErrorCode::BadRequest, format!("data: {error}")))
}

// What comes in.

#[derive(Deserialize)]
struct LoginIn<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    platform: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct PageIn {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    limit: Option<usize>,
}

impl PageIn {
    fn checked(self) -> Result<(u64, usize), ImError> {
        let limit = self.limit.unwrap_or(PAGE_DEFAULT);
        if (1..=PAGE_MAX).contains(&limit) {
            Ok((self.after, limit))
        } else {
            Err(ImError::new(ErrorCode::InvalidValue, "limit is 1 to 500"))
        }
    }
}

#[derive(Deserialize)]
struct NameIn<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct GroupIn {
    group: u64,
}

#[derive(Deserialize)]
struct GroupsIn {
    #[serde(default)]
    joined: bool,
}

#[derive(Deserialize)]
struct SendIn {
    to: ToIn,
    body: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    client_id: Option<String>,
}

#[derive(Deserialize)]
struct ToIn {
    #[serde(default)]
    user: Option<u64>,
    #[serde(default)]
    group: Option<u64>,
    #[serde(default)]
    all: Option<bool>,
}

impl SendIn {
    fn checked(self) -> Result<(Recipient, Draft), ImError> {
        let recipient = match self.to {
            ToIn {
                user: Some(user),
                group: None,
                all: None,
            } => Recipient::User(UserId(user)),
            ToIn {
                user: None,
                group: Some(group),
                all: None,
            } => Recipient::Group(GroupId(group)),
            ToIn {
                user: None,
                group: None,
                all: Some(true),
            } => Recipient::All,
            _ => {
                return Err(ImError::new(
                    ErrorCode::BadRequest,
                    "to is one of {\"user\":id}, {\"group\":id}, {\"all\":true}",
                ));
            }
        };
        let kind = match self.kind.as_deref() {
            None => Kind::default(),
            Some(name) => Kind::named(name).ok_or_else(|| {
                ImError::new(ErrorCode::InvalidValue, "there is no such kind of message")
            })?,
        };
        Ok((
            recipient,
            Draft {
                kind,
                body: self.body,
                client_id: self.client_id,
            },
        ))
    }
}

// What goes out.

#[derive(Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct TimeOut {
    time: u64,
}

#[derive(Serialize)]
struct UserOut<'a> {
    id: u64,
    name: &'a str,
}

impl<'a> UserOut<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            name: &user.name,
        }
    }
}

#[derive(Serialize)]
struct LoginOut<'a> {
    user: UserOut<'a>,
    platform: &'static str,
    heartbeat_s: u32,
    server: &'a str,
    instance: &'a str,
}

#[derive(Serialize)]
struct ReceiptOut {
    conversation: String,
    seq: u64,
    message: u64,
    time: u64,
}

impl ReceiptOut {
    fn of(receipt: &Receipt) -> Self {
        Self {
            conversation: receipt.conversation.to_string(),
            seq: receipt.seq,
            message: receipt.message,
            time: receipt.time_ms,
        }
    }
}

#[derive(Serialize)]
struct MessageOut<'a> {
    #[serde(flatten)]
    receipt: ReceiptOut,
    from: UserOut<'a>,
    kind: &'static str,
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
}

impl<'a> MessageOut<'a> {
    fn of(delivery: &'a Delivery) -> Self {
        Self {
            receipt: ReceiptOut::of(&delivery.receipt),
            from: UserOut::of(&delivery.from),
            kind: delivery.draft.kind.as_str(),
            body: &delivery.draft.body,
            client_id: delivery.draft.client_id.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct OnlineOut<'a> {
    #[serde(flatten)]
    user: UserOut<'a>,
    platforms: Vec<&'static str>,
}

#[derive(Serialize)]
struct UsersOut<'a> {
    users: Vec<OnlineOut<'a>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> UsersOut<'a> {
    fn of(page: &'a Page<(User, Vec<Platform>)>) -> Self {
        let users = page
            .entries
            .iter()
            .map(|(user, platforms)| OnlineOut {
                user: UserOut::of(user),
                platforms: platforms.iter().map(|platform| platform.as_str()).collect(),
            })
            .collect();
        Self {
            users,
            total: page.total,
            next: page.next,
        }
    }
}

#[derive(Serialize)]
struct MemberOut<'a> {
    #[serde(flatten)]
    user: UserOut<'a>,
    online: bool,
}

#[derive(Serialize)]
struct MembersOut<'a> {
    members: Vec<MemberOut<'a>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> MembersOut<'a> {
    fn of(page: &'a Page<(User, bool)>) -> Self {
        let members = page
            .entries
            .iter()
            .map(|(user, online)| MemberOut {
                user: UserOut::of(user),
                online: *online,
            })
            .collect();
        Self {
            members,
            total: page.total,
            next: page.next,
        }
    }
}

#[derive(Serialize)]
struct GroupOut<'a> {
    id: u64,
    name: &'a str,
    members: usize,
    joined: bool,
}

impl<'a> GroupOut<'a> {
    fn of(group: &'a Group, joined: bool) -> Self {
        Self {
            id: group.id.0,
            name: &group.name,
            members: group.members,
            joined,
        }
    }
}

#[derive(Serialize)]
struct GroupReply<'a> {
    group: GroupOut<'a>,
}

#[derive(Serialize)]
struct GroupsOut<'a> {
    groups: Vec<GroupOut<'a>>,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

impl<'a> GroupsOut<'a> {
    fn of(page: &'a Page<(Group, bool)>) -> Self {
        let groups = page
            .entries
            .iter()
            .map(|(group, joined)| GroupOut::of(group, *joined))
            .collect();
        Self {
            groups,
            total: page.total,
            next: page.next,
        }
    }
}

#[derive(Serialize)]
struct PresenceOut<'a> {
    user: UserOut<'a>,
    online: bool,
}

#[derive(Serialize)]
struct GroupUserOut<'a> {
    group: u64,
    user: UserOut<'a>,
}

#[derive(Serialize)]
struct KickedOut {
    reason: &'static str,
}
