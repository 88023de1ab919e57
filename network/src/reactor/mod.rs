//! One thread, one `Poll`, the loop.

mod command;
mod config;
mod cork;
mod date;
mod delivery;
#[cfg(feature = "fuzz")]
mod fuzz;
mod handler;
mod messages;
mod net;
mod observe;
mod peers;
mod stats;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::{Clock, MonotonicClock, Tick};
use mio::event::Event;
use mio::{Events, Poll, Registry, Token, Waker};

pub use command::{ReactorHandle, Stopped};
pub use config::{Listen, Profile, ReactorConfig};
pub use delivery::{Delivery, Drops, Overflow};
pub use handler::{Admission, Ctx, Deadline, Ending, Handler, LastInput, Offer, SendError};
pub use messages::Messages;
pub(crate) use net::Net;
pub use stats::{ProfileStats, ReactorStats};

use crate::buffer::ReadBuf;
use crate::conn::state::State;
use crate::conn::{Flags, read};
use crate::listener::Listener;
use crate::memory::Pressure;
use crate::sys::{self, SpareDescriptor};
use command::CommandQueue;
use net::Due;

/// How long a reactor that may not read waits for memory to be freed elsewhere.
const STALL: Duration = Duration::from_millis(2);
const WAKER: Token = Token(usize::MAX);
/// Tokens from here on are listeners. Those of connections are their ids, whose generation is never
/// the last and which therefore stay below.
const LISTENERS: usize = usize::MAX - 1024;

/// A reactor before it has a handler and a thread.
///
/// Made in the thread that sets everything up, so that the descriptors of all reactors' epoll
/// instances and wakers have the same numbers in every thread's table, private or not; then moved
/// into the reactor's own thread and started there.
#[derive(Debug)]
pub struct ReactorSeed<C> {
    index: u16,
    poll: Poll,
    registry: Registry,
    commands: CommandQueue<C>,
    config: ReactorConfig,
    profiles: Vec<Profile>,
    stats: Arc<ReactorStats>,
}

impl<C: Send> ReactorSeed<C> {
    /// Makes a seed and the handle by which other threads reach the reactor.
    ///
    /// # Errors
    /// If the host has no descriptors for an epoll instance and its waker.
    pub fn new(
        index: u16,
        config: ReactorConfig,
        profiles: Vec<Profile>,
    ) -> io::Result<(Self, ReactorHandle<C>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let registry = poll.registry().try_clone()?;
        let (commands, handle) = CommandQueue::new(waker, config.command_batches_max);
        let stats = Arc::new(ReactorStats::new(profiles.len()));
        Ok((
            Self {
                index,
                poll,
                registry,
                commands,
                config,
                profiles,
                stats,
            },
            handle,
        ))
    }

    /// The counters of this reactor.
    #[must_use]
    pub fn stats(&self) -> Arc<ReactorStats> {
        Arc::clone(&self.stats)
    }

    /// In the reactor's own thread: separates the descriptor table and opens the listeners.
    ///
    /// # Errors
    /// What the host answers.
    pub fn start<H: Handler<Command = C>>(
        self,
        handler: H,
        listen: &[Listen],
    ) -> io::Result<Reactor<H>> {
        self.start_with_clock(handler, listen, MonotonicClock::start())
    }

    /// As [`ReactorSeed::start`], by another clock than the host's.
    ///
    /// # Errors
    /// What the host answers.
    pub fn start_with_clock<H: Handler<Command = C>, K: Clock>(
        self,
        handler: H,
        listen: &[Listen],
        clock: K,
    ) -> io::Result<Reactor<H, K>> {
        if self.config.private_fd_tables {
            sys::unshare_descriptors()?;
        }
        let net = Net::new(
            self.index,
            &self.config,
            self.profiles,
            self.registry,
            self.stats,
            Tick(1),
        );
        let mut listeners = Vec::with_capacity(listen.len());
        for (index, listen) in listen.iter().enumerate() {
            listeners.push(Listener::bind(listen, Token(LISTENERS + index), &net)?);
        }
        Ok(Reactor {
            poll: self.poll,
            events: Events::with_capacity(self.config.events_per_turn),
            commands: self.commands,
            listeners,
            net,
            handler,
            read_buf: ReadBuf::new(),
            spare: SpareDescriptor::new(),
            clock,
            config: self.config,
            busy: false,
            measured: Tick::default(),
        })
    }
}

/// Owns an epoll instance, listeners, connections and a handler, and runs them in one thread. It
/// must be dropped there too: what it opened means nothing in another descriptor table.
pub struct Reactor<H: Handler, K: Clock = MonotonicClock> {
    poll: Poll,
    events: Events,
    commands: CommandQueue<H::Command>,
    listeners: Vec<Listener>,
    net: Net,
    handler: H,
    read_buf: ReadBuf,
    spare: SpareDescriptor,
    clock: K,
    config: ReactorConfig,
    /// The handler has more to do: the next wait does not sleep.
    busy: bool,
    /// When a turn was last measured.
    measured: Tick,
}

impl<H: Handler, K: Clock> std::fmt::Debug for Reactor<H, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reactor")
            .field("index", &self.net.index)
            .field("connections", &self.net.conns.len())
            .finish_non_exhaustive()
    }
}

impl<H: Handler, K: Clock> Reactor<H, K> {
    /// Turns until the handler stops it.
    ///
    /// # Errors
    /// If the wait fails, which an epoll instance that exists does not.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.net.stopping {
            self.turn()?;
        }
        Ok(())
    }

    /// One pass: wait, then everything that is due, each step within its budget.
    ///
    /// Ends are told before the turn of the handler, so that what they cause (a notice to others,
    /// an event for a worker) leaves in this turn; whoever fails in the flush is freed in the next.
    fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        self.wait(timeout)?;
        self.work();
        Ok(())
    }

    /// What is to be done after the wait.
    fn work(&mut self) {
        let began = self.read_clock();
        self.net.transports.begin_turn();
        // While this reactor slept, the others may have used the memory up.
        self.net.pressure = self.net.memory.pressure();
        self.drain_commands();
        self.serve_carried();
        self.serve_events();
        self.accept();
        self.expire();
        self.net.settle_memory();
        self.free_doomed();
        self.tell_slow();
        self.busy |= self.handler.on_turn(&mut Ctx { net: &mut self.net });
        self.net.flush_dirty();
        self.net.deflaters.trim();
        self.read_buf.inflater.trim();
        self.observe(began);
        self.net.stats.turns.add(1);
    }

    /// How long the next wait may sleep; `None` until an event comes.
    fn timeout(&mut self) -> Option<Duration> {
        let more = std::mem::take(&mut self.busy)
            || !self.net.carry.is_empty()
            || !self.net.doomed.is_empty()
            || !self.net.drained.is_empty()
            || !self.net.drops.is_empty()
            || self
                .listeners
                .iter()
                .any(|listener| listener.is_ready(self.net.now));
        let mut timeout = if self.net.pressure == Pressure::Full {
            // Whoever is not read now is looked at again when memory may have been freed.
            Some(STALL)
        } else if more || !self.commands.may_sleep() {
            Some(Duration::ZERO)
        } else if self.net.wheel.is_empty() && !self.listeners.iter().any(Listener::is_paused) {
            // Nobody is connected, and it may be long until the next turn.
            self.net.set_gauges();
            None
        } else {
            // To the next second, where the wheel has its next slot.
            let past = u64::from(self.clock.elapsed().subsec_millis());
            Some(Duration::from_millis(1001 - past))
        };
        if let Some(at) = self.net.wake_at_ms.take() {
            let left = Duration::from_millis(at).saturating_sub(self.clock.elapsed());
            timeout = Some(timeout.map_or(left, |timeout| timeout.min(left)));
        }
        timeout
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let waited = self.poll.poll(&mut self.events, timeout);
        self.commands.awake();
        match waited {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn read_clock(&mut self) -> Duration {
        let elapsed = self.clock.elapsed();
        self.net.now_ms = elapsed.as_millis() as u64;
        // Tick 0 means "none" in the connections.
        self.net.now = Tick(elapsed.as_secs() as u32 + 1);
        elapsed
    }

    fn drain_commands(&mut self) {
        for _ in 0..self.config.command_batches_per_turn {
            let Some(batch) = self.commands.next() else {
                return;
            };
            for command in batch {
                self.handler
                    .on_command(&mut Ctx { net: &mut self.net }, command);
            }
        }
        self.busy |= !self.commands.is_empty();
    }

    fn serve_carried(&mut self) {
        for _ in 0..self.net.carry.len() {
            let Some(slot) = self.net.carry.pop_front() else {
                return;
            };
            // A slot that was freed and taken again is not on the list any more.
            let Some(conn) = self.net.conns.at(slot) else {
                continue;
            };
            if conn.flags.has(Flags::CARRIED) {
                conn.flags.clear(Flags::CARRIED);
                if let Some(id) = self.net.conns.id_at(slot) {
                    self.serve(id);
                }
            }
        }
    }

    fn serve_events(&mut self) {
        // The events are taken out so that `self` can be borrowed; no allocation comes of it.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let mut count = 0;
        for event in &events {
            count += 1;
            match event.token() {
                WAKER => self.net.stats.woken.add(1),
                Token(token) if token >= LISTENERS => {
                    if let Some(listener) = self.listeners.get_mut(token - LISTENERS) {
                        listener.on_event();
                    }
                }
                token => self.on_event(token, event),
            }
        }
        self.net.stats.events.add(count);
        self.events = events;
    }

    #[inline]
    fn on_event(&mut self, token: Token, event: &Event) {
        let Some((id, conn)) = self.net.conns.resolve(token) else {
            return;
        };
        if event.is_readable() {
            conn.flags.set(Flags::READABLE);
        }
        if event.is_read_closed() || event.is_error() {
            conn.flags.set(Flags::READABLE | Flags::ENDING);
        }
        if event.is_writable() {
            if conn.state == State::Connecting {
                if self.net.finish_connect(id) {
                    self.announce(id);
                }
            } else if conn.flags.has(Flags::BLOCKED) {
                conn.flags.clear(Flags::BLOCKED);
                self.net.flush(id.slot());
            }
        }
        self.serve(id);
    }

    /// An outgoing connection is made, and needs nothing before it may be used.
    fn announce(&mut self, id: common::ConnId) {
        let Some(conn) = self.net.conns.get(id) else {
            return;
        };
        // It was connected a moment ago; if it is gone again, reading will say so.
        if let Ok(peer) = conn.stream.peer_addr() {
            let offer = Offer {
                peer,
                profile: conn.profile,
                proxy: None,
            };
            self.handler
                .on_open(&mut Ctx { net: &mut self.net }, id, offer);
        }
    }

    #[inline]
    fn serve(&mut self, id: common::ConnId) {
        let slot = id.slot();
        let dirty = self.net.dirty.len();
        read::serve(&mut self.net, &mut self.handler, &mut self.read_buf, id);
        // Who answered nobody but this peer is written at once, while the connection is in the
        // cache; what went to others too waits for the end of the turn, where it is gathered.
        if self.net.dirty.len() == dirty + 1 && self.net.dirty[dirty] == slot {
            self.net.dirty.pop();
            self.net.flush(slot);
        }
    }

    fn accept(&mut self) {
        if !self.net.accepting {
            self.listeners.clear();
        }
        for listener in &mut self.listeners {
            listener.accept(
                &mut self.net,
                &mut self.handler,
                &mut self.spare,
                self.config.accepts_per_turn,
            );
        }
    }

    fn expire(&mut self) {
        for _ in 0..self.config.deadlines_per_turn {
            let net = &mut self.net;
            let Some(slot) = net.wheel.pop_due(&mut net.conns, net.now) else {
                return;
            };
            let Some(id) = net.conns.id_at(slot) else {
                continue;
            };
            if let Due::Handler(deadline) = net.expire(slot) {
                self.handler.on_deadline(&mut Ctx { net }, id, deadline);
            }
        }
        self.busy = true;
    }

    /// Tells the handler what slow consumers have missed, and who has caught up.
    fn tell_slow(&mut self) {
        if !self.net.drops.is_empty() {
            for (slot, drops) in std::mem::take(&mut self.net.drops) {
                // Who has ended meanwhile has missed more than that.
                if let Some(id) = self.net.conns.id_at(slot) {
                    self.handler
                        .on_drops(&mut Ctx { net: &mut self.net }, id, drops);
                }
            }
        }
        if !self.net.drained.is_empty() {
            for id in std::mem::take(&mut self.net.drained) {
                if self.net.conns.get(id).is_some() {
                    self.handler.on_drained(&mut Ctx { net: &mut self.net }, id);
                }
            }
        }
    }

    fn free_doomed(&mut self) {
        let mut at = 0;
        while at < self.net.doomed.len() {
            let slot = self.net.doomed[at];
            at += 1;
            let Some(id) = self.net.conns.id_at(slot) else {
                continue;
            };
            let reason = self.net.conns.at(slot).and_then(|conn| conn.state.reason());
            if let Some(reason) = reason {
                self.net.stats.closes[reason.index()].add(1);
                let never_there = self.net.transports.take_offer(slot);
                let ctx = &mut Ctx { net: &mut self.net };
                match never_there {
                    Some(offer) => self.handler.on_abandon(ctx, offer),
                    None => self.handler.on_close(ctx, id, reason),
                }
            }
            let net = &mut self.net;
            net.transports.remove(slot);
            net.drops.remove(&slot);
            net.input_bytes -= net.conns.at(slot).map_or(0, |conn| conn.input_bytes());
            net.wheel.cancel(&mut net.conns, slot);
            let mut conn = net.conns.remove(slot);
            let counts = &net.stats.profiles[usize::from(conn.profile)];
            counts.of(conn.state.phase()).sub(1);
            conn.outbox.clear(&mut net.pool);
        }
        if !self.net.doomed.is_empty() {
            self.net.dying_bytes = 0;
            self.net.doomed.clear();
            self.net.stats.connections.set(self.net.conns.len() as u64);
        }
    }
}
