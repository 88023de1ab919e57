//! What a server does that is watched from outside while its clients are idle.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context as _;
use gate::{
    Builder, Context, Envelope, GateHandle, Handshake, Limits, Listener, Module, ModuleId,
    Placement, RunningGate, SessionId, TcpFraming, TopicId,
};
use module::adapter::native::Native;
use module::storage::sqlite::{Location, StoreConfig};
use module::{Im, ImConfig};

use crate::client::Wire;
use crate::server::{Echo, placement_name};

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Each message is answered with itself.
    Echo(Placement),
    /// The same, and each session has a user and is in a topic.
    Topic,
    /// The IM, on the store of this directory.
    Im(PathBuf),
}

impl fmt::Display for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo(placement) => f.write_str(placement_name(*placement)),
            Self::Topic => f.write_str("topic"),
            Self::Im(store) => write!(f, "im:{}", store.display()),
        }
    }
}

impl FromStr for Serving {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        Ok(match text {
            "reactor" => Self::Echo(Placement::Reactor),
            "worker" => Self::Echo(Placement::Worker),
            "topic" => Self::Topic,
            other => {
                let store = other.strip_prefix("im:");
                Self::Im(
                    store
                        .with_context(|| format!("nothing is called {other}"))?
                        .into(),
                )
            }
        })
    }
}

impl Serving {
    /// Starts it on free ports of the loopback interface, one for each [`Wire`].
    ///
    /// # Errors
    /// What the gate says, or the store.
    ///
    /// # Panics
    /// If the framing's name is not known any more.
    pub fn start(&self, reactors: usize, workers: usize) -> anyhow::Result<RunningGate> {
        let mut builder = Builder::new().reactors(reactors).workers(workers);
        let module = self.module(&mut builder)?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let framing = TcpFraming::named("len4be").expect("a framing of ours");
        // Nobody is asked for a sign of life in the middle of a measurement.
        let limits = Limits {
            idle_seconds: 0,
            ..Limits::default()
        };
        builder.listen(
            Listener::http(any)
                .websocket("*", module)
                .limits(limits.clone()),
        );
        builder.listen(Listener::tcp(any, framing, module).limits(limits));
        Ok(builder.start()?)
    }

    fn module(&self, builder: &mut Builder) -> anyhow::Result<ModuleId> {
        Ok(match self {
            Self::Echo(placement) => builder.module(*placement, |_: &GateHandle| Echo),
            Self::Topic => builder.module(Placement::Reactor, |_: &GateHandle| InTopic),
            Self::Im(store) => {
                let im = Im::open(ImConfig {
                    store: StoreConfig {
                        location: Location::Directory(store.clone()),
                        ..StoreConfig::default()
                    },
                    ..ImConfig::default()
                })?;
                builder.module(Placement::Worker, move |_: &GateHandle| {
                    Native::new(Arc::clone(&im))
                })
            }
        })
    }
}

/// Binds each session to a user and a topic, as soon as it comes.
#[derive(Debug)]
struct InTopic;

impl Module for InTopic {
    fn on_open(&mut self, context: &mut Context<'_>, session: SessionId, _: &Handshake) {
        context.bind(session);
        context.subscribe(session, TopicId(1));
    }

    fn on_message(&mut self, _: &mut Context<'_>, _: Envelope<'_>) {}
}

/// Addresses of a server that [`Serving::start`] has started, by [`Wire`].
#[must_use]
pub fn addr(gate: &RunningGate, wire: Wire) -> SocketAddr {
    gate.addrs()[wire as usize]
}
