//! As much of the native protocol (docs/protocol.md) as a load needs: requests written into a
//! buffer that is used again, replies and pushes read without copying.

mod incoming;

use std::io::Write as _;

use common::{ConnId, Tick};
use network::Ctx;
use network::codec::MessageKind;

pub(crate) use incoming::{HistoryPage, Incoming, Message, Reply, SyncPage, read, read_page};

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
    Sync,
    History,
}

impl Request {
    const ALL: [Self; 9] = [
        Self::Login,
        Self::Heartbeat,
        Self::Create,
        Self::Join,
        Self::Direct,
        Self::Group,
        Self::All,
        Self::Sync,
        Self::History,
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
            Self::Sync => 's',
            Self::History => 'y',
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
            Self::Sync => "inbox.sync",
            Self::History => "message.history",
        }
    }
}

/// Requests of one thread, written into one buffer. A number travels in the `id` of each and comes
/// back with the reply: the time at which it was sent, so that nothing has to be remembered.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A request; `data` writes the JSON object.
    pub(crate) fn request(
        &mut self,
        request: Request,
        number: u64,
        data: std::fmt::Arguments<'_>,
    ) -> &[u8] {
        self.0.clear();
        let (letter, op) = (request.letter(), request.op());
        // A vector takes whatever is written.
        let _ = write!(
            self.0,
            r#"{{"id":"{letter}{number}","op":"{op}","data":{data}}}"#
        );
        &self.0
    }
}

/// Logs the connections of one thread in and keeps them from falling silent.
#[derive(Debug)]
pub(crate) struct Login {
    /// In front of the users' numbers.
    prefix: String,
    writer: Writer,
    heartbeat_s: u32,
}

impl Login {
    /// As users who are new.
    pub(crate) fn new(names: Names) -> Self {
        Self::known(format!("bench-{:08x}-", names.0))
    }

    /// As users whose names begin like this and end in their number.
    pub(crate) fn known(prefix: String) -> Self {
        Self {
            prefix,
            writer: Writer::default(),
            heartbeat_s: 0,
        }
    }

    /// Logs in as user `number` of the run.
    pub(crate) fn begin(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, number: u32) {
        let data = format!(r#"{{"name":"{}{number}"}}"#, self.prefix);
        self.ask(ctx, conn, Request::Login, format_args!("{data}"));
    }

    /// Logs in as the user whose session a token is for.
    pub(crate) fn begin_with(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, token: &str) {
        let data = format_args!(r#"{{"token":"{token}"}}"#);
        self.ask(ctx, conn, Request::Login, data);
    }

    /// Has a user make the group of this number.
    pub(crate) fn create_group(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, number: u32) {
        let name = format_args!(r#"{{"name":"bench {number}"}}"#);
        self.ask(ctx, conn, Request::Create, name);
    }

    /// Has a user join the group of this id; there is none yet if it is zero.
    pub(crate) fn join_group(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, group: u64) {
        if group != 0 {
            self.ask(
                ctx,
                conn,
                Request::Join,
                format_args!(r#"{{"group":{group}}}"#),
            );
        }
    }

    /// Asks for something whose time nobody takes.
    pub(crate) fn ask(
        &mut self,
        ctx: &mut Ctx<'_>,
        conn: ConnId,
        request: Request,
        data: std::fmt::Arguments<'_>,
    ) {
        // A connection that is gone is counted when its end is reported.
        let _ = ctx.send(
            conn,
            MessageKind::Text,
            self.writer.request(request, 0, data),
        );
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
        self.ask(ctx, conn, Request::Heartbeat, format_args!("{{}}"));
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
}
