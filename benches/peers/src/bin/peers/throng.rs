//! More clients than one table of descriptors holds: crowds in threads, each with a table of its
//! own.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use nix::sched::CloneFlags;

use crate::crowd::{Crowd, Exchange};

/// Connections of one table, on either side: most of the 20,000 files that many hosts allow. The
/// kernel spreads a server's by a hash, so that some of its tables have more.
const TABLE: usize = 18_500;

/// Loops that it takes to hold so many connections.
pub(crate) fn loops(connections: usize) -> u16 {
    connections.div_ceil(TABLE) as u16
}

/// What a crowd is told.
#[derive(Clone, Copy, Debug)]
enum Order {
    /// Everybody will hear a message of so many bytes.
    Expect(usize),
    /// The first sends one.
    Speak(usize),
    /// Wait until all have heard it.
    Hear,
}

#[derive(Debug)]
struct Part {
    orders: Sender<Order>,
    done: Receiver<anyhow::Result<Instant>>,
    thread: JoinHandle<()>,
}

impl Part {
    fn start(number: u8, addr: SocketAddr, clients: usize) -> anyhow::Result<Self> {
        let (orders, taken) = mpsc::channel();
        let (told, done) = mpsc::channel();
        let run = move || {
            let mut crowd = match gather(number, addr, clients) {
                Ok(crowd) => crowd,
                // Whoever has gone meanwhile has an error of its own to tell.
                Err(error) => return drop(told.send(Err(error))),
            };
            let mut answer = told.send(Ok(Instant::now()));
            // It ends with the one who gives the orders.
            while let (Ok(()), Ok(order)) = (&answer, taken.recv()) {
                answer = told.send(follow(&mut crowd, order));
            }
        };
        let thread = thread::Builder::new().spawn(run)?;
        Ok(Self {
            orders,
            done,
            thread,
        })
    }

    fn order(&self, order: Order) -> anyhow::Result<()> {
        let sent = self.orders.send(order);
        sent.map_err(|_| anyhow!("a thread of clients has ended"))
    }

    fn done(&self) -> anyhow::Result<Instant> {
        self.done.recv().context("a thread of clients has ended")?
    }
}

fn gather(number: u8, addr: SocketAddr, clients: usize) -> anyhow::Result<Crowd> {
    nix::sched::unshare(CloneFlags::CLONE_FILES)?;
    let mut crowd = Crowd::of_network([127, 1, number])?;
    crowd.connect(addr, clients)?;
    Ok(crowd)
}

fn follow(crowd: &mut Crowd, order: Order) -> anyhow::Result<Instant> {
    match order {
        Order::Expect(bytes) => {
            crowd.expect(&Exchange::new(bytes, 1));
            Ok(Instant::now())
        }
        Order::Speak(bytes) => crowd.speak(&Exchange::new(bytes, 1)),
        Order::Hear => crowd.hear(),
    }
}

/// The crowds of one server.
#[derive(Debug)]
pub(crate) struct Throng(Vec<Part>);

impl Throng {
    /// Connects so many, evenly.
    pub(crate) fn connect(addr: SocketAddr, clients: usize) -> anyhow::Result<Self> {
        let parts = usize::from(loops(clients));
        let share = |part| clients / parts + usize::from(part < clients % parts);
        let start = |part| Part::start(part as u8, addr, share(part));
        let throng = Self((0..parts).map(start).collect::<anyhow::Result<_>>()?);
        throng.all_done()?;
        Ok(throng)
    }

    fn all_done(&self) -> anyhow::Result<Vec<Instant>> {
        self.0.iter().map(Part::done).collect()
    }

    fn order_all(&self, order: Order) -> anyhow::Result<()> {
        self.0.iter().try_for_each(|part| part.order(order))
    }

    /// One client sends, everybody receives: the time until the last has it.
    pub(crate) fn broadcast(&self, payload_bytes: usize) -> anyhow::Result<Duration> {
        self.order_all(Order::Expect(payload_bytes))?;
        self.all_done()?;
        self.0[0].order(Order::Speak(payload_bytes))?;
        self.order_all(Order::Hear)?;
        let begun = self.0[0].done()?;
        let heard = self.all_done()?;
        let last = heard.into_iter().max().context("there are clients")?;
        Ok(last - begun)
    }

    /// Closes all connections.
    pub(crate) fn leave(self) -> anyhow::Result<()> {
        for Part { orders, thread, .. } in self.0 {
            drop(orders);
            thread
                .join()
                .map_err(|_| anyhow!("a thread of clients has failed"))?;
        }
        Ok(())
    }
}
