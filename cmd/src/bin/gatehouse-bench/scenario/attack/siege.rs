//! The attackers of a run: their threads, what each part does how often, and how it ended for them.

use std::time::Duration;

use network::codec::Framing;
use network::codec::tcp::{LineConfig, TcpFraming};

use super::bomb::{self, Bomb};
use super::deaf::{self, Deaf};
use super::drip::Drip;
use super::storm::Storm;
use crate::load::{Interrupt, Load, Place, Script, Start};
use crate::native::Names;
use crate::options::{Common, Forces};
use crate::plan::Plan;
use crate::scenario::{Pacer, Setup};
use crate::tally::{Reasons, Totals};
use crate::target::Target;

/// How often the threads are woken, to take up what had to wait.
const PULSE_EVERY: Duration = Duration::from_millis(20);
/// Longest that a server with the usual limits leaves a message unfinished, and a close unanswered.
const FRAME_SECONDS: u32 = common::limits::FRAME_SECONDS + 1;
const CLOSE_SECONDS: u32 = common::limits::CLOSE_SECONDS + 1;
/// The attackers' goodbyes are of no interest.
const GRACE: Duration = Duration::from_secs(1);

/// All parts of the attack.
#[derive(Debug)]
pub(super) struct Siege {
    parts: Vec<Box<dyn Attackers>>,
    pulsed: Duration,
    /// What was left out, and why.
    pub(super) notes: Vec<&'static str>,
}

/// How one part ended.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key: &'static str,
    pub(super) totals: Totals,
    pub(super) reasons: Reasons,
}

impl Siege {
    /// Starts the threads of all parts that are asked for; nothing is connected yet.
    pub(super) fn prepare(setup: &Setup<'_>, forces: Forces) -> anyhow::Result<Self> {
        let target = &setup.targets[0];
        let raw = Target {
            framing: Framing::Tcp(TcpFraming::Line(LineConfig::default())),
            ..target.clone()
        };
        let ground = Ground {
            common: Common {
                quiet: true,
                grace: GRACE,
                ..setup.common.clone()
            },
            interrupt: setup.interrupt.clone(),
            limit: network::sys::raise_descriptor_limit()?,
        };
        let both = [target.clone(), raw.clone()];
        let mut notes = Vec::new();
        let mut parts: Vec<Box<dyn Attackers>> = Vec::new();
        if forces.deaf > 0 {
            let names = Names::draw();
            let publishers = deaf::publishers(forces.busy_rate).max(1);
            let clients = forces.deaf + publishers;
            let load = ground.start(&both[..1], clients, |place| {
                Deaf::new(place, names, publishers)
            })?;
            let publish: fn(&Load<Deaf>, u32) = |load, n| load.order(0, n);
            parts.push(Part::new("deaf", load, clients, forces.busy_rate, publish));
        }
        if forces.drips > 0 {
            let load = ground.start(&both, forces.drips, Drip::new)?;
            parts.push(Part::new("drips", load, forces.drips, 0, dial));
        }
        if forces.bombs > 0 {
            let shells = bomb::shells(target, &raw, setup.common.handshake_timeout);
            if !bomb::inflates(&shells) {
                notes.push("No deflate bombs: the server does not negotiate permessage-deflate.");
            }
            let targets: Vec<_> = shells.iter().map(|shell| shell.target.clone()).collect();
            let at_once = forces.bombs * FRAME_SECONDS;
            let load = ground.start(&targets, at_once, |place| Bomb::new(place, &shells))?;
            parts.push(Part::new("bombs", load, 0, forces.bombs, dial));
        }
        if forces.storm > 0 {
            let at_once = forces.storm * CLOSE_SECONDS;
            let load = ground.start(&both, at_once, Storm::new)?;
            parts.push(Part::new("storm", load, 0, forces.storm, dial));
        }
        Ok(Self {
            parts,
            pulsed: Duration::ZERO,
            notes,
        })
    }

    /// Those who come once come now.
    pub(super) fn begin(&self) {
        for part in &self.parts {
            part.begin();
        }
    }

    /// What has become due `elapsed` after the begin.
    pub(super) fn go_on(&mut self, elapsed: Duration) {
        let pulse = elapsed.saturating_sub(self.pulsed) >= PULSE_EVERY;
        if pulse {
            self.pulsed = elapsed;
        }
        for part in &mut self.parts {
            part.go_on(elapsed, pulse);
        }
    }

    pub(super) fn end(self) -> anyhow::Result<Vec<Finding>> {
        self.parts.into_iter().map(|part| part.end()).collect()
    }
}

/// What all parts need to start.
struct Ground {
    common: Common,
    interrupt: Interrupt,
    /// Descriptors of one thread.
    limit: u64,
}

impl Ground {
    /// Starts the thread of a part that has `at_once` connections at most.
    fn start<S: Script>(
        &self,
        targets: &[Target],
        at_once: u32,
        script: impl Fn(Place) -> S,
    ) -> anyhow::Result<Load<S>> {
        let start = Start {
            common: &self.common,
            targets,
            plan: Plan::of_attackers(at_once, self.limit)?,
            message_bytes: deaf::BODY_BYTES + 512,
            outbox_bytes: bomb::BYTES_MAX,
            interrupt: self.interrupt.clone(),
        };
        Load::start(start, script)
    }
}

/// A part of the attack, whatever its script.
trait Attackers: std::fmt::Debug {
    fn begin(&self);
    fn go_on(&mut self, elapsed: Duration, pulse: bool);
    fn end(self: Box<Self>) -> anyhow::Result<Finding>;
}

struct Part<S: Script> {
    key: &'static str,
    load: Load<S>,
    /// Connections to begin with.
    once: u32,
    pacer: Pacer,
    /// What the pacer deals out.
    act: fn(&Load<S>, u32),
}

impl<S: Script> Part<S> {
    fn new(
        key: &'static str,
        load: Load<S>,
        once: u32,
        rate: u32,
        act: fn(&Load<S>, u32),
    ) -> Box<Self> {
        Box::new(Self {
            key,
            load,
            once,
            pacer: Pacer::new(rate, 1),
            act,
        })
    }
}

impl<S: Script> std::fmt::Debug for Part<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl<S: Script> Attackers for Part<S> {
    fn begin(&self) {
        if self.once > 0 {
            self.load.dial(0, self.once);
        }
    }

    fn go_on(&mut self, elapsed: Duration, pulse: bool) {
        for (_, n) in self.pacer.due(elapsed) {
            (self.act)(&self.load, n);
        }
        if pulse {
            self.load.pulse();
        }
    }

    fn end(self: Box<Self>) -> anyhow::Result<Finding> {
        let ended = self.load.finish()?;
        Ok(Finding {
            key: self.key,
            totals: ended.totals,
            reasons: ended.reasons,
        })
    }
}

fn dial<S: Script>(load: &Load<S>, n: u32) {
    load.dial(0, n);
}
