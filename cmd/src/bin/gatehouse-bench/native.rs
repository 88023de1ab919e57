//! As much of the native protocol (docs/protocol.md) as a load needs: requests written into a
//! buffer that is used again, replies and pushes read without copying.

use std::io::Write as _;

use common::{ConnId, Tick};
use network::Ctx;
use network::codec::MessageKind;
use serde::Deserialize;

use crate::load::GOODBYE;
use crate::tally::{Stage, Tally};

/// Names that no other run uses: a user who logs in again would be kicked here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names(u32);

impl Names {
    pub(crate) fn draw() -> Self {
        Self(rand::random())
    }

    /// Marks the bodies of this run.
    pub(crate) const fn mark(self) -> u32 {
        self.0
    }
}

/// Which request a reply belongs to: the first letter of its `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Login,
    Heartbeat,
    Create,
    Join,
    Direct,
    Group,
    All,
}

impl Request {
    const ALL: [Self; 7] = [
        Self::Login,
        Self::Heartbeat,
        Self::Create,
        Self::Join,
        Self::Direct,
        Self::Group,
        Self::All,
    ];

    const fn letter(self) -> char {
        match self {
            Self::Login => 'l',
            Self::Heartbeat => 'h',
            Self::Create => 'c',
            Self::Join => 'j',
            Self::Direct => 'd',
            Self::Group => 'g',
            Self::All => 'a',
        }
    }

    /// What the protocol calls it.
    pub(crate) const fn op(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Heartbeat => "heartbeat",
            Self::Create => "group.create",
            Self::Join => "group.join",
            Self::Direct | Self::Group | Self::All => "message.send",
        }
    }
}

/// Requests of one thread, written into one buffer. The time at which a request is sent travels in
/// its `id` and comes back with the reply, so that nothing has to be remembered.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A request; `data` writes the JSON object.
    pub(crate) fn request(
        &mut self,
        request: Request,
        nanos: u64,
        data: std::fmt::Arguments<'_>,
    ) -> &[u8] {
        self.0.clear();
        let (letter, op) = (request.letter(), request.op());
        // A vector takes whatever is written.
        let _ = write!(
            self.0,
            r#"{{"id":"{letter}{nanos}","op":"{op}","data":{data}}}"#
        );
        &self.0
    }
}

/// What the server has sent.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Reply(Reply),
    /// A push of a message.
    Message {
        conversation: &'a str,
        body: &'a str,
    },
    /// A push or member that a load has no use for.
    Other,
    /// Not the native protocol.
    Unreadable,
}

/// The reply to one of our requests.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) request: Request,
    /// When the request was sent.
    pub(crate) nanos: u64,
    /// Or the error's code.
    pub(crate) outcome: Result<Outcome, String>,
}

/// What of a good reply matters here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) user: u64,
    pub(crate) group: u64,
    pub(crate) heartbeat_s: u32,
}

#[derive(Deserialize)]
struct Wire<'a> {
    id: Option<&'a str>,
    #[serde(borrow)]
    push: Option<&'a str>,
    ok: Option<WireOk>,
    #[serde(borrow)]
    error: Option<WireError<'a>>,
}

#[derive(Deserialize)]
struct WireOk {
    user: Option<WireId>,
    group: Option<WireId>,
    heartbeat_s: Option<u32>,
}

#[derive(Deserialize)]
struct WireId {
    id: u64,
}

#[derive(Deserialize)]
struct WireError<'a> {
    code: &'a str,
}

#[derive(Deserialize)]
struct WirePush<'a> {
    #[serde(borrow)]
    data: WireMessage<'a>,
}

#[derive(Deserialize)]
struct WireMessage<'a> {
    conversation: &'a str,
    body: &'a str,
}

/// Reads one message of the server.
pub(crate) fn read(payload: &[u8]) -> Incoming<'_> {
    let Ok(wire) = serde_json::from_slice::<Wire<'_>>(payload) else {
        return Incoming::Unreadable;
    };
    match (wire.push, wire.id) {
        // The data of another push has another form, and somebody else's body may hold escapes.
        (Some("message"), _) => match serde_json::from_slice::<WirePush<'_>>(payload) {
            Ok(WirePush {
                data: WireMessage { conversation, body },
            }) => Incoming::Message { conversation, body },
            Err(_) => Incoming::Other,
        },
        (Some(_), _) => Incoming::Other,
        (None, Some(id)) => read_reply(id, wire.ok, wire.error),
        (None, None) => Incoming::Unreadable,
    }
}

fn read_reply<'a>(id: &str, ok: Option<WireOk>, error: Option<WireError<'_>>) -> Incoming<'a> {
    let mut letters = id.chars();
    let letter = letters.next();
    let request = Request::ALL
        .into_iter()
        .find(|request| Some(request.letter()) == letter);
    let (Some(request), Ok(nanos)) = (request, letters.as_str().parse()) else {
        return Incoming::Unreadable;
    };
    let outcome = match (ok, error) {
        (Some(ok), None) => Ok(Outcome {
            user: ok.user.map_or(0, |user| user.id),
            group: ok.group.map_or(0, |group| group.id),
            heartbeat_s: ok.heartbeat_s.unwrap_or(0),
        }),
        (_, Some(error)) => Err(error.code.to_owned()),
        (None, None) => return Incoming::Unreadable,
    };
    Incoming::Reply(Reply {
        request,
        nanos,
        outcome,
    })
}

/// Logs the connections of one thread in and keeps them from falling silent.
#[derive(Debug)]
pub(crate) struct Login {
    names: Names,
    writer: Writer,
    heartbeat_s: u32,
}

impl Login {
    pub(crate) fn new(names: Names) -> Self {
        Self {
            names,
            writer: Writer::default(),
            heartbeat_s: 0,
        }
    }

    /// Logs in as user `number` of the run.
    pub(crate) fn begin(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, number: u32) {
        let name = format_args!(r#"{{"name":"bench-{:08x}-{number}"}}"#, self.names.0);
        let request = self.writer.request(Request::Login, 0, name);
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send(conn, MessageKind::Text, request);
    }

    /// Takes note of a reply; the user's id if it is a login that succeeded.
    pub(crate) fn on_reply(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        reply: &Reply,
        tally: &Tally,
    ) -> Option<u64> {
        match (&reply.outcome, reply.request) {
            (Ok(outcome), Request::Login) => {
                tally.logged_in.add(1);
                self.heartbeat_s = outcome.heartbeat_s;
                self.schedule(ctx, conn);
                Some(outcome.user)
            }
            (Err(code), request) => {
                tally.note(Stage::Request, format!("{}: {code}", request.op()));
                if request == Request::Login {
                    ctx.close(conn, GOODBYE, "");
                }
                None
            }
            _ => None,
        }
    }

    /// Sends a heartbeat and asks to be reminded of the next.
    pub(crate) fn heartbeat(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        let request = self
            .writer
            .request(Request::Heartbeat, 0, format_args!("{{}}"));
        // As above.
        let _ = ctx.send(conn, MessageKind::Text, request);
        self.schedule(ctx, conn);
    }

    fn schedule(&self, ctx: &mut Ctx<'_>, conn: ConnId) {
        if self.heartbeat_s > 0 {
            // Spread over the second half of the interval, or all would come in the same second.
            let half = (self.heartbeat_s / 2).max(1);
            let at: Tick = ctx.now().after(half + conn.slot() % half);
            ctx.set_deadline(conn, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_json() {
        let mut writer = Writer::default();
        let request = writer.request(
            Request::Direct,
            42,
            format_args!(r#"{{"to":{{"user":3}},"body":"hello"}}"#),
        );
        let value: serde_json::Value = serde_json::from_slice(request).unwrap();
        assert_eq!(value["id"], "d42");
        assert_eq!(value["op"], "message.send");
        assert_eq!(value["data"]["to"]["user"], 3);
    }

    #[test]
    fn what_the_protocol_shows_is_read() {
        let reply = read(
            br#"{"id":"l5","ok":{"user":{"id":3,"name":"Ada"},"platform":"web",
                "heartbeat_s":30,"server":"x"}}"#,
        );
        assert!(matches!(
            reply,
            Incoming::Reply(Reply {
                request: Request::Login,
                nanos: 5,
                outcome: Ok(Outcome {
                    user: 3,
                    heartbeat_s: 30,
                    ..
                })
            })
        ));
        let error = read(br#"{"id":"d7","error":{"code":"offline","message":"say \"what\""}}"#);
        assert!(matches!(
            error,
            Incoming::Reply(Reply { request: Request::Direct, outcome: Err(code), .. })
                if code == "offline"
        ));
        let push = read(
            br#"{"push":"message","data":{"conversation":"d:1:2","seq":12,"message":4711,
                "from":{"id":3,"name":"A\"da"},"kind":"text","body":"hello",
                "time":1764547200123}}"#,
        );
        assert!(matches!(
            push,
            Incoming::Message {
                conversation: "d:1:2",
                body: "hello"
            }
        ));
        let joined = br#"{"push":"group.joined","data":{"group":5,"user":{"id":3,"name":"Ada"}}}"#;
        assert!(matches!(read(joined), Incoming::Other));
        let escaped = br#"{"push":"message","data":{"conversation":"all","body":"a\nb"}}"#;
        assert!(matches!(read(escaped), Incoming::Other));
        assert!(matches!(read(b"hello"), Incoming::Unreadable));
        assert!(matches!(
            read(br#"{"id":null,"error":{"code":"bad_request"}}"#),
            Incoming::Unreadable
        ));
    }
}
