//! The server to be measured: a gate that echoes, or only listens.

use std::net::SocketAddr;
use std::ops::Sub;
use std::thread;

use gate::{
    Context, Envelope, GateHandle, Module, Placement, ReactorStats, RunningGate, SessionId, TopicId,
};

use crate::client::Wire;
use crate::serving::{self, Serving};

/// Answers each message with itself.
#[derive(Debug)]
pub struct Echo;

impl Module for Echo {
    // It is one with the loop over the messages of a read then.
    #[inline(always)]
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

/// An echo server in this process, on free ports of the loopback interface.
#[derive(Debug)]
pub struct EchoServer {
    gate: RunningGate,
}

impl EchoServer {
    /// Starts it.
    ///
    /// # Errors
    /// What the gate says.
    pub fn start(placement: Placement, reactors: usize, workers: usize) -> anyhow::Result<Self> {
        let gate = Serving::Echo(placement).start(reactors, workers)?;
        Ok(Self { gate })
    }

    /// Where this wire is spoken.
    #[must_use]
    pub fn addr(&self, wire: Wire) -> SocketAddr {
        serving::addr(&self.gate, wire)
    }

    /// Reaches the sessions.
    #[must_use]
    pub fn handle(&self) -> &GateHandle {
        self.gate.handle()
    }

    /// The counters of all reactors as they are now, in the middle of a turn perhaps.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts::of(self.gate.stats().iter().map(AsRef::as_ref))
    }

    /// The counters when every reactor has ended the turn that it is in: what it has written to a
    /// client may otherwise arrive before it is counted.
    #[must_use]
    pub fn settled_counts(&self) -> Counts {
        for (reactor, stats) in self.gate.stats().iter().enumerate() {
            let turns = stats.turns.get();
            // Nobody has this id, so all that comes of it is a turn.
            let nobody = SessionId::new(reactor as u16, 0, 0);
            self.gate.handle().unsubscribe(nobody, TopicId(0));
            while stats.turns.get() == turns {
                thread::yield_now();
            }
        }
        self.counts()
    }

    /// Ends it and all its threads.
    pub fn stop(self) {
        self.gate.stop(1);
    }
}

/// What reactors have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "those of `ReactorStats`")]
pub struct Counts {
    pub turns: u64,
    pub events: u64,
    pub reads: u64,
    pub writes: u64,
    pub bytes_out: u64,
    pub frames_in: u64,
    pub frames_out: u64,
    pub woken: u64,
}

impl Counts {
    fn of<'a>(reactors: impl Iterator<Item = &'a ReactorStats>) -> Self {
        reactors.fold(Self::default(), |sum, stats| Self {
            turns: sum.turns + stats.turns.get(),
            events: sum.events + stats.events.get(),
            reads: sum.reads + stats.reads.get(),
            writes: sum.writes + stats.writes.get(),
            bytes_out: sum.bytes_out + stats.bytes_out.get(),
            frames_in: sum.frames_in + stats.frames_in.get(),
            frames_out: sum.frames_out + stats.frames_out.get(),
            woken: sum.woken + stats.woken.get(),
        })
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            turns: self.turns - earlier.turns,
            events: self.events - earlier.events,
            reads: self.reads - earlier.reads,
            writes: self.writes - earlier.writes,
            bytes_out: self.bytes_out - earlier.bytes_out,
            frames_in: self.frames_in - earlier.frames_in,
            frames_out: self.frames_out - earlier.frames_out,
            woken: self.woken - earlier.woken,
        }
    }
}

/// Name of a placement in tables and arguments.
#[must_use]
pub const fn placement_name(placement: Placement) -> &'static str {
    match placement {
        Placement::Reactor => "reactor",
        Placement::Worker => "worker",
    }
}
