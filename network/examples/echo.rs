//! An echo server for lines on a bare reactor, without sessions or workers.
//!
//! `cargo run --release -p gatehouse-network --example bare_echo [ADDR]`

use common::{CloseReason, ConnId};
use network::codec::{Frame, Framing, tcp::TcpFraming};
use network::sys::{ListenOptions, Reservation};
use network::*;

pub(crate) struct Echo;

impl Handler for Echo {
    type Command = ();

    fn on_open(&mut self, _: &mut Ctx<'_>, _: ConnId, _: Offer) {}

    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>) {
        if let Some((kind, payload)) = frame.into_message() {
            // Whoever cannot be answered is gone, or is being closed as a slow consumer.
            let _ = ctx.send(conn, kind, &payload);
        }
    }

    fn on_command(&mut self, ctx: &mut Ctx<'_>, (): ()) {
        ctx.stop();
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, _: Deadline) {
        ctx.close(conn, CloseReason::Idle, "idle");
    }

    fn on_close(&mut self, _: &mut Ctx<'_>, _: ConnId, _: CloseReason) {}
}

/// A reactor for the calling thread, and the handle that stops it from another one.
pub(crate) fn start(addr: &Reservation) -> std::io::Result<(Reactor<Echo>, ReactorHandle<()>)> {
    let framing = TcpFraming::named("ndjson").expect("a framing of this name");
    let config = ReactorConfig {
        // One thread has nobody to share its descriptors with.
        private_fd_tables: false,
        ..ReactorConfig::default()
    };
    let listen = Listen {
        addr: addr.addr(),
        profile: 0,
        options: ListenOptions::default(),
    };
    let profiles = vec![Profile::new(Framing::Tcp(framing))];
    let (seed, handle) = ReactorSeed::new(0, config, profiles)?;
    Ok((seed.start(Echo, &[listen])?, handle))
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let addr = std::env::args().nth(1);
    let addr = Reservation::new(addr.as_deref().unwrap_or("127.0.0.1:9000").parse()?)?;
    let (mut reactor, _handle) = start(&addr)?;
    println!("lines {}", addr.addr());
    Ok(reactor.run()?)
}
