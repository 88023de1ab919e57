//! `gatehouse doctor`: how many connections this host can hold, what binds first, and how to raise
//! it. The facts and the model are in [`host`](crate::host); here they meet a configuration, and
//! are put into words.

mod promise;
mod remedy;
mod report;
mod row;
mod words;

use serde::Serialize;

use crate::config::Config;
use crate::host::{Capacity, HostFacts, Resource, Shape};

pub use promise::{Promise, broken_promises};
pub use remedy::{Remedies, Sysctl};
pub use report::{write_json, write_text};
pub use row::{Mark, Row};

/// What the remedies lead to if nobody says how many connections there will be, as far as the
/// memory of the host goes.
const CONNECTIONS_WORTH_RAISING_FOR: u64 = 1_000_000;

/// What was found out about a host, for the node of a configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Examination {
    /// Connections that the host can hold.
    pub connections: u64,
    /// What binds first.
    pub binds: Resource,
    /// Connections that it could hold if all were raised that can be raised.
    pub connections_at_best: u64,
    /// Connections that were asked for, or else those that the configuration promises.
    pub wanted: Option<u64>,
    /// Whether they fit, and the configuration promises nothing else that the host cannot hold.
    pub fits: bool,
    /// Promises of the configuration that the host cannot hold.
    pub broken_promises: Vec<String>,
    /// One line for each thing that was looked at.
    pub rows: Vec<Row>,
    /// Connections that the remedies lead to.
    pub remedied: u64,
    /// How to hold them.
    pub remedies: Remedies,
    /// The node.
    pub shape: Shape,
    /// What the kernel told.
    pub facts: HostFacts,
}

impl Examination {
    /// Examines a host for the node of `config`, and for `asked` connections in place of those that
    /// it promises.
    #[must_use]
    pub fn new(facts: HostFacts, config: &Config, asked: Option<u64>) -> Self {
        let shape = Shape::of(config);
        let capacity = Capacity::of(&facts, &shape);
        let wanted = asked.or_else(|| Promise::of(config).connections);
        let broken_promises = broken_promises(config, &facts);
        let fits = wanted.is_none_or(|wanted| wanted <= capacity.connections());
        let at_best = capacity.connections_at_best();
        let worth = CONNECTIONS_WORTH_RAISING_FOR.min(at_best);
        let remedied = wanted.unwrap_or_else(|| worth.max(capacity.connections()));
        Self {
            connections: capacity.connections(),
            binds: capacity.binding().resource,
            connections_at_best: at_best,
            wanted,
            fits: fits && (asked.is_some() || broken_promises.is_empty()),
            broken_promises,
            rows: row::rows(&facts, &shape, &capacity, wanted),
            remedied,
            remedies: Remedies::towards(remedied, &facts, &shape),
            shape,
            facts,
        }
    }
}
