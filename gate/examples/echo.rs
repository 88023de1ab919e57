//! An echo server: WebSocket on every path of one port, length-prefixed TCP on another.
//!
//! `cargo run --release -p gatehouse-gate --example echo [WS_ADDR [TCP_ADDR]]`

use std::env;
use std::error::Error;

use gate::{Builder, Context, Envelope, Listener, Module, Placement, RunningGate, TcpFraming};

struct Echo;

impl Module for Echo {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

/// Starts the server; port 0 stands for any port that is free.
pub(crate) fn start(web: &str, tcp: &str) -> Result<RunningGate, Box<dyn Error>> {
    let framing = TcpFraming::named("len4be").ok_or("no such framing")?;
    let mut builder = Builder::new();
    let echo = builder.module(Placement::Reactor, |_| Echo);
    builder.listen(Listener::http(web.parse()?).websocket("*", echo));
    builder.listen(Listener::tcp(tcp.parse()?, framing, echo));
    Ok(builder.start()?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let web = args.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let tcp = args.next().unwrap_or_else(|| "127.0.0.1:9002".to_owned());
    let running = start(&web, &tcp)?;
    println!("ws://{}  tcp {}", running.addrs()[0], running.addrs()[1]);
    running.wait();
    Ok(())
}
