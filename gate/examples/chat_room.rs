//! A chat room: everyone who connects hears what anyone says, over WebSocket and over TCP lines.
//!
//! `cargo run -p gatehouse-gate --example chat_room`, then `nc 127.0.0.1 9004` in two terminals.

use gate::{
    Builder, CloseReason, Context, Envelope, Handshake, Listener, Message, Module, Placement,
    SessionId, TcpFraming, TopicId,
};

const ROOM: TopicId = TopicId(1);

struct Room;

impl Room {
    fn tell(context: &mut Context<'_>, text: String) {
        context.publish(ROOM, Message::text(text));
    }
}

impl Module for Room {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, _: &Handshake) {
        context.subscribe(session, ROOM);
        Self::tell(context, format!("{session} comes in"));
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let text = String::from_utf8_lossy(envelope.payload());
        Self::tell(context, format!("{}: {text}", envelope.session));
    }

    fn on_close(&mut self, context: &mut Context<'_>, session: SessionId, _: CloseReason) {
        Self::tell(context, format!("{session} has left"));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = TcpFraming::named("ndjson").ok_or("no such framing")?;
    let mut builder = Builder::new();
    let room = builder.module(Placement::Worker, |_| Room);
    builder.listen(Listener::http("127.0.0.1:9003".parse()?).websocket("/room", room));
    builder.listen(Listener::tcp("127.0.0.1:9004".parse()?, lines, room));
    let running = builder.start()?;
    println!(
        "ws://{}/room  lines {}",
        running.addrs()[0],
        running.addrs()[1]
    );
    running.wait();
    Ok(())
}
