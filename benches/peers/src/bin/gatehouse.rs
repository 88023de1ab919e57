//! Gatehouse, by its public framework: one reactor a loop, and one worker with the variant
//! `worker`.

use std::net::{Ipv4Addr, SocketAddr};

use gate::{
    Builder, Context, Envelope, GateHandle, Limits, Listener, Message, Module, Placement, TopicId,
};
use gatehouse_peers::serve::{self, Arguments, Mode};

struct Peer(Mode);

impl Module for Peer {
    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        match self.0 {
            Mode::Echo => context.send(envelope.session, envelope.kind, envelope.payload()),
            Mode::Broadcast => {
                let message = Message::new(envelope.kind, envelope.payload().to_vec());
                context.publish(TopicId::ALL, message);
            }
        }
    }
}

fn main() -> anyhow::Result<()> {
    let Arguments {
        mode,
        variant,
        loops,
        ..
    } = Arguments::take()?;
    let placement = match variant.as_str() {
        "worker" => Placement::Worker,
        _ => Placement::Reactor,
    };
    let mut builder = Builder::new().reactors(loops.into()).workers(1);
    let peer = builder.module(placement, move |_: &GateHandle| Peer(mode));
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    // Nobody is asked for a sign of life in the middle of a measurement.
    let limits = Limits {
        idle_seconds: 0,
        ..Limits::default()
    };
    builder.listen(Listener::http(any).websocket("*", peer).limits(limits));
    let gate = builder.start()?;
    serve::announce(gate.addrs()[0])?;
    gate.wait();
    Ok(())
}
