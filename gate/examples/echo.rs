//! An echo server: WebSocket on every path of port 9001, length-prefixed TCP on port 9002.
//!
//! `cargo run --release -p gatehouse-gate --example echo`

use gate::{Builder, Context, Envelope, Listener, Module, Placement, TcpFraming};

struct Echo;

impl Module for Echo {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, envelope.payload());
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let framing = TcpFraming::named("len4be").ok_or("no such framing")?;
    let mut builder = Builder::new();
    let echo = builder.module(Placement::Reactor, |_| Echo);
    builder.listen(Listener::http("127.0.0.1:9001".parse()?).websocket("*", echo));
    builder.listen(Listener::tcp("127.0.0.1:9002".parse()?, framing, echo));
    let running = builder.start()?;
    println!("ws://{}  tcp {}", running.addrs()[0], running.addrs()[1]);
    running.wait();
    Ok(())
}
