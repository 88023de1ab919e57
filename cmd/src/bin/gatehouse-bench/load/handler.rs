//! One load thread: what every scenario has in common. Connections are dialed, become ready, and
//! end; what is said on them is the script's affair.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use common::{CloseReason, ConnId};
use network::codec::{Frame, ProtocolError};
use network::{Ctx, Deadline, Ending, Handler, LastInput, Offer};

use super::dialer::Dialer;
use crate::latency::Latency;
use crate::tally::{Stage, Tally};

/// An orderly end: close code 1000 on WebSocket, the end of the stream elsewhere.
pub(crate) const GOODBYE: CloseReason = CloseReason::Module(1000);
/// Connections closed per turn at the end, so that their answers are read in between.
const CLOSES_PER_TURN: usize = 500;

/// What a scenario does on the connections of one thread.
///
/// State per connection is kept by [`ConnId::slot`]: slots are small numbers, given again only
/// after `on_end`.
pub(crate) trait Script: Send + 'static {
    /// What the main thread may ask of it.
    type Order: Send + 'static;
    /// What is left of it in the end.
    type Outcome: Send + 'static;

    /// A connection can be used: connected, and upgraded if it is WebSocket.
    fn on_ready(&mut self, ctx: &mut Ctx<'_>, opened: Opened);

    /// A message has come.
    fn on_message(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, payload: &[u8]);

    /// The deadline that the script asked for has passed.
    fn on_deadline(&mut self, _ctx: &mut Ctx<'_>, _conn: ConnId) {}

    /// A connection that was ready has ended.
    fn on_end(&mut self, dialer: &mut Dialer, conn: ConnId, end: End);

    /// A connection could not be made.
    fn on_failure(&mut self, _dialer: &mut Dialer) {}

    /// The main thread asks for something.
    fn on_order(&mut self, ctx: &mut Ctx<'_>, dialer: &mut Dialer, order: Self::Order);

    /// The end of a turn; true if there is more to do.
    fn on_turn(&mut self, _ctx: &mut Ctx<'_>) -> bool {
        false
    }

    /// The run is over; the connections are about to be closed.
    fn finish(&mut self) -> Self::Outcome;
}

/// A connection that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) conn: ConnId,
    /// Unique in the run.
    pub(crate) number: u32,
    /// When it was begun, in nanoseconds of the run.
    pub(crate) dialed: u64,
}

/// How a connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As this side asked for.
    Asked,
    /// The server broke the framing, or refused the upgrade.
    Violation(ProtocolError),
    /// Without being asked to.
    Unasked(CloseReason),
}

/// What the main thread sends to a load thread.
#[derive(Debug)]
pub(crate) enum Command<O> {
    /// Open so many connections.
    Dial(u32),
    /// For the script.
    Order(O),
    /// Go on with what had to wait.
    Pulse,
    /// Hand over the outcome, close all connections, and end when they are.
    Finish,
    /// End now.
    Abort,
}

/// What a load thread leaves.
#[derive(Debug)]
pub(crate) struct Finished<T> {
    pub(crate) outcome: T,
    /// From the begin of a connect to the connection being ready.
    pub(crate) connect: Latency,
}

/// Drives a script in a reactor.
#[derive(Debug)]
pub(crate) struct LoadHandler<S: Script> {
    script: S,
    dialer: Dialer,
    tally: Arc<Tally>,
    /// The run's beginning: all times are nanoseconds since.
    epoch: Instant,
    /// By slot.
    lives: Vec<Life>,
    connect: Latency,
    finished: Sender<Finished<S::Outcome>>,
    /// The slot to go on closing from, once the run is over.
    closing: Option<u32>,
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Life {
    stage: Phase,
    number: u32,
    dialed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    None,
    Dialing,
    Ready,
    /// Its failure has been counted; the rest of it is of no interest.
    Failed,
}

impl<S: Script> LoadHandler<S> {
    pub(crate) fn new(
        script: S,
        dialer: Dialer,
        tally: Arc<Tally>,
        epoch: Instant,
        finished: Sender<Finished<S::Outcome>>,
    ) -> Self {
        Self {
            script,
            dialer,
            tally,
            epoch,
            lives: Vec::new(),
            connect: Latency::default(),
            finished,
            closing: None,
            over: false,
        }
    }

    fn nanos(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    fn life(&mut self, conn: ConnId) -> &mut Life {
        let slot = conn.slot() as usize;
        if slot >= self.lives.len() {
            self.lives.resize(slot + 1, Life::default());
        }
        &mut self.lives[slot]
    }

    fn ready(&mut self, ctx: &mut Ctx<'_>, conn: ConnId) {
        let now = self.nanos();
        let life = self.life(conn);
        life.stage = Phase::Ready;
        let Life { number, dialed, .. } = *life;
        self.dialer.settle(ctx.now_ms(), true);
        self.connect.record(now - dialed);
        self.tally.ready.add(1);
        if !self.over {
            self.script.on_ready(
                ctx,
                Opened {
                    conn,
                    number,
                    dialed,
                },
            );
        }
    }

    fn fail(&mut self, ctx: &Ctx<'_>, conn: ConnId, end: End) {
        match std::mem::replace(&mut self.life(conn).stage, Phase::Failed) {
            Phase::Dialing => {
                self.tally.note(Stage::Dialing, end.to_string());
                self.dialer.settle(ctx.now_ms(), false);
                self.script.on_failure(&mut self.dialer);
            }
            Phase::Ready => {
                self.tally.note(Stage::Open, end.to_string());
                self.script.on_end(&mut self.dialer, conn, end);
            }
            Phase::None | Phase::Failed => {}
        }
    }

    fn dial(&mut self, ctx: &mut Ctx<'_>) {
        while let Some((number, made)) = self.dialer.dial(ctx) {
            match made {
                Ok(conn) => {
                    let dialed = self.nanos();
                    *self.life(conn) = Life {
                        stage: Phase::Dialing,
                        number,
                        dialed,
                    };
                }
                Err(error) => {
                    self.tally.note(Stage::Dialing, error.to_string());
                    self.script.on_failure(&mut self.dialer);
                }
            }
        }
    }

    /// Closes the next of the connections; true if there are more.
    fn close_some(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let Some(from) = self.closing else {
            return false;
        };
        let mut some = Vec::with_capacity(CLOSES_PER_TURN);
        self.closing = ctx.walk(from, CLOSES_PER_TURN, |conn| some.push(conn));
        for conn in some {
            ctx.close(conn, GOODBYE, "");
        }
        self.closing.is_some()
    }
}

impl<S: Script> Handler for LoadHandler<S> {
    type Command = Command<S::Order>;

    fn on_open(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, offer: Offer) {
        if !self.dialer.upgrades(offer.profile) {
            self.ready(ctx, conn);
        }
    }

    #[inline]
    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>) {
        match frame {
            // After the end nothing is measured any more.
            Frame::Text(_) | Frame::Binary(_) if self.over => {}
            Frame::Text(payload) | Frame::Binary(payload) => {
                self.script.on_message(ctx, conn, &payload);
            }
            Frame::Upgraded => self.ready(ctx, conn),
            _ => {}
        }
    }

    fn on_last(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, last: LastInput) -> Ending {
        if let LastInput::Violation(error) = last
            && !self.over
        {
            self.fail(ctx, conn, End::Violation(error));
        }
        Ending::Now
    }

    fn on_command(&mut self, ctx: &mut Ctx<'_>, command: Self::Command) {
        match command {
            Command::Dial(n) => self.dialer.request(n),
            Command::Order(order) => self.script.on_order(ctx, &mut self.dialer, order),
            Command::Pulse => {}
            Command::Finish if !self.over => {
                self.over = true;
                self.dialer.cancel();
                let outcome = self.script.finish();
                let connect = std::mem::take(&mut self.connect);
                // The main thread waits for it, unless it has given up on this thread.
                let _ = self.finished.send(Finished { outcome, connect });
                self.closing = Some(0);
            }
            Command::Finish => {}
            Command::Abort => ctx.stop(),
        }
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, deadline: Deadline) {
        if deadline == Deadline::Asked && !self.over {
            self.script.on_deadline(ctx, conn);
        }
    }

    fn on_turn(&mut self, ctx: &mut Ctx<'_>) -> bool {
        if self.over {
            let more = self.close_some(ctx);
            if !more && ctx.connections() == 0 {
                ctx.stop();
            }
            return more;
        }
        self.dial(ctx);
        self.script.on_turn(ctx)
    }

    fn on_close(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, reason: CloseReason) {
        if self.over {
            return;
        }
        if reason == GOODBYE && self.life(conn).stage == Phase::Ready {
            self.script.on_end(&mut self.dialer, conn, End::Asked);
        } else {
            self.fail(ctx, conn, End::Unasked(reason));
        }
        self.life(conn).stage = Phase::None;
    }
}

/// In a client's words.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self {
            Self::Asked => return f.write_str("as asked for"),
            Self::Violation(error) => return error.fmt(f),
            Self::Unasked(reason) => *reason,
        };
        f.write_str(match reason {
            CloseReason::ConnectFailed(kind) => return write!(f, "not connected: {kind}"),
            CloseReason::HandshakeTimeout => "no answer to the upgrade in time",
            CloseReason::Peer(1005) => "closed by the server, without a code",
            CloseReason::Peer(code) => return write!(f, "closed by the server, code {code}"),
            CloseReason::PeerEof => "ended by the server",
            CloseReason::Truncated => "ended by the server inside a frame",
            CloseReason::Io => "reset",
            CloseReason::TlsFailed => "the TLS handshake failed, or a record was bad",
            CloseReason::SlowConsumer => "the server does not read what it is sent",
            other => return f.write_str(&other.label().replace('_', " ")),
        })
    }
}
