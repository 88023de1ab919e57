//! What the server has sent: replies, pushes and pages, read without copying.

use std::borrow::Cow;

use serde::Deserialize;

use super::Request;

/// What the server has sent.
#[derive(Debug)]
pub(crate) enum Incoming<'a> {
    Reply(Reply),
    /// A push of a message.
    Message {
        conversation: &'a str,
        seq: u64,
        body: &'a str,
        /// Its number in the inbox, if it stands there.
        inbox: Option<u64>,
    },
    /// A push or member that a load has no use for, but for its number in the inbox.
    Other {
        inbox: Option<u64>,
    },
    /// An error that names no request: one that was not even read, and gets no reply.
    Refused {
        code: &'a str,
    },
    /// Not the native protocol.
    Unreadable,
}

/// The reply to one of our requests.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) request: Request,
    /// What the request was given: when it was sent, as a rule.
    pub(crate) number: u64,
    /// Or the error's code.
    pub(crate) outcome: Result<Outcome, String>,
}

/// What of a good reply matters here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) user: u64,
    pub(crate) group: u64,
    pub(crate) heartbeat_s: u32,
    pub(crate) seq: u64,
    /// The last number of the inbox, or that of a message which was sent.
    pub(crate) inbox: Option<u64>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    id: Option<&'a str>,
    #[serde(borrow)]
    push: Option<&'a str>,
    inbox: Option<u64>,
    ok: Option<WireOk>,
    #[serde(borrow)]
    error: Option<WireError<'a>>,
}

#[derive(Deserialize)]
struct WireOk {
    user: Option<WireId>,
    group: Option<WireId>,
    heartbeat_s: Option<u32>,
    seq: Option<u64>,
    inbox: Option<u64>,
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
    seq: u64,
    body: &'a str,
}

/// A message on a page, whoever has written it.
#[derive(Debug, Deserialize)]
pub(crate) struct Message<'a> {
    pub(crate) conversation: &'a str,
    pub(crate) seq: u64,
    #[serde(borrow)]
    pub(crate) body: Cow<'a, str>,
}

/// The reply to [`Request::Sync`].
#[derive(Debug, Deserialize)]
pub(crate) struct SyncPage<'a> {
    #[serde(borrow)]
    pub(crate) entries: Vec<Entry<'a>>,
    pub(crate) last: u64,
    pub(crate) reset: bool,
    #[serde(borrow)]
    pub(crate) channels: Vec<Channel<'a>>,
}

/// An entry of an inbox; without a message it is a notice.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    pub(crate) inbox: u64,
    #[serde(borrow)]
    pub(crate) message: Option<Message<'a>>,
}

/// How far a conversation has come that stands in no inbox.
#[derive(Debug, Deserialize)]
pub(crate) struct Channel<'a> {
    pub(crate) conversation: &'a str,
    pub(crate) last_seq: u64,
}

/// The reply to [`Request::History`].
#[derive(Debug, Deserialize)]
pub(crate) struct HistoryPage<'a> {
    #[serde(borrow)]
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) more: bool,
}

/// Reads the page in a reply that is known to have one.
pub(crate) fn read_page<'a, T: Deserialize<'a>>(payload: &'a [u8]) -> Option<T> {
    #[derive(Deserialize)]
    struct WirePage<T> {
        ok: T,
    }
    let page: WirePage<T> = serde_json::from_slice(payload).ok()?;
    Some(page.ok)
}

/// Reads one message of the server.
pub(crate) fn read(payload: &[u8]) -> Incoming<'_> {
    let Ok(wire) = serde_json::from_slice::<Wire<'_>>(payload) else {
        return Incoming::Unreadable;
    };
    match (wire.push, wire.id) {
        // The data of another push has another form, and somebody else's body may hold escapes.
        (Some("message"), _) => match serde_json::from_slice::<WirePush<'_>>(payload) {
            Ok(WirePush { data }) => Incoming::Message {
                conversation: data.conversation,
                seq: data.seq,
                body: data.body,
                inbox: wire.inbox,
            },
            Err(_) => Incoming::Other { inbox: wire.inbox },
        },
        (Some(_), _) => Incoming::Other { inbox: wire.inbox },
        (None, Some(id)) => read_reply(id, wire.ok, wire.error),
        (None, None) => match wire.error {
            Some(error) => Incoming::Refused { code: error.code },
            None => Incoming::Unreadable,
        },
    }
}

fn read_reply<'a>(id: &str, ok: Option<WireOk>, error: Option<WireError<'_>>) -> Incoming<'a> {
    let mut letters = id.chars();
    let letter = letters.next();
    let request = Request::ALL
        .into_iter()
        .find(|request| Some(request.letter()) == letter);
    let (Some(request), Ok(number)) = (request, letters.as_str().parse()) else {
        return Incoming::Unreadable;
    };
    let outcome = match (ok, error) {
        (Some(ok), None) => Ok(Outcome {
            user: ok.user.map_or(0, |user| user.id),
            group: ok.group.map_or(0, |group| group.id),
            heartbeat_s: ok.heartbeat_s.unwrap_or(0),
            seq: ok.seq.unwrap_or(0),
            inbox: ok.inbox,
        }),
        (_, Some(error)) => Err(error.code.to_owned()),
        (None, None) => return Incoming::Unreadable,
    };
    Incoming::Reply(Reply {
        request,
        number,
        outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
                number: 5,
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
            br#"{"push":"message","inbox":9,"data":{"conversation":"d:1:2","seq":12,"message":4711,
                "from":{"id":3,"name":"A\"da"},"kind":"text","body":"hello",
                "time":1764547200123}}"#,
        );
        assert!(matches!(
            push,
            Incoming::Message {
                conversation: "d:1:2",
                seq: 12,
                body: "hello",
                inbox: Some(9),
            }
        ));
        let joined = br#"{"push":"group.joined","data":{"group":5,"user":{"id":3,"name":"Ada"}}}"#;
        assert!(matches!(read(joined), Incoming::Other { inbox: None }));
        let escaped =
            br#"{"push":"message","inbox":3,"data":{"conversation":"all","seq":1,"body":"a\nb"}}"#;
        assert!(matches!(read(escaped), Incoming::Other { inbox: Some(3) }));
        assert!(matches!(read(b"hello"), Incoming::Unreadable));
        assert!(matches!(
            read(br#"{"id":null,"error":{"code":"rate_limited"}}"#),
            Incoming::Refused {
                code: "rate_limited"
            }
        ));
    }
    #[test]
    fn pages_are_read_whatever_stands_in_them() {
        let page: SyncPage<'_> = read_page(
            br#"{"id":"s1","ok":{"entries":[
                {"inbox":8,"time":1,"message":{"conversation":"g:5","seq":3,"message":7,
                    "from":{"id":3,"name":"Ada"},"kind":"text","body":"a\nb","time":1}},
                {"inbox":9,"time":1,"notice":{"notice":"group_joined","group":5}}],
                "last":9,"reset":false,
                "channels":[{"conversation":"all","last_seq":4,"read_seq":0}]}}"#,
        )
        .unwrap();
        let message = page.entries[0].message.as_ref().unwrap();
        assert_eq!((message.seq, &*message.body), (3, "a\nb"));
        assert!(page.entries[1].message.is_none() && page.entries[1].inbox == 9);
        assert_eq!((page.last, page.channels[0].last_seq), (9, 4));
    }
}
