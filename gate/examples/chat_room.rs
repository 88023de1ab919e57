//! A chat room: everyone who connects hears what anyone says, over WebSocket and over TCP lines.
//!
//! `cargo run -p gatehouse-gate --example chat_room [WS_ADDR [LINES_ADDR]]`, then
//! `nc 127.0.0.1 9004` in two terminals.

use std::env;
use std::error::Error;

use gate::{
    Builder, CloseReason, Context, Envelope, Handshake, Listener, Message, Module, Placement,
    RunningGate, SessionId, TcpFraming, TopicId,
};

const ROOM: TopicId = TopicId(1);

struct Room;

impl Module for Room {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, _: &Handshake) {
        context.subscribe(session, ROOM);
        context.publish(ROOM, Message::text(format!("{session} comes in")));
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        let text = String::from_utf8_lossy(envelope.payload());
        context.publish(ROOM, Message::text(format!("{}: {text}", envelope.session)));
    }

    fn on_close(&mut self, context: &mut Context<'_>, session: SessionId, _: CloseReason) {
        context.publish(ROOM, Message::text(format!("{session} has left")));
    }
}

/// Opens the room; port 0 stands for any port that is free.
pub(crate) fn start(web: &str, lines: &str) -> Result<RunningGate, Box<dyn Error>> {
    let framing = TcpFraming::named("ndjson").ok_or("no such framing")?;
    let mut builder = Builder::new();
    let room = builder.module(Placement::Worker, |_| Room);
    builder.listen(Listener::http(web.parse()?).websocket("/room", room));
    builder.listen(Listener::tcp(lines.parse()?, framing, room));
    Ok(builder.start()?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let web = args.next().unwrap_or_else(|| "127.0.0.1:9003".to_owned());
    let lines = args.next().unwrap_or_else(|| "127.0.0.1:9004".to_owned());
    let running = start(&web, &lines)?;
    let addrs = running.addrs();
    println!("ws://{}/room  lines {}", addrs[0], addrs[1]);
    running.wait();
    Ok(())
}
