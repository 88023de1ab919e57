//! `peers`: Gatehouse beside other WebSocket servers and beside what the kernel alone costs.
//!
//! Starts each server as a process of its own, in rounds that go through all of them in an order
//! that is shuffled anew each time, so that all meet the same machine; prints medians and ratios.

mod crowd;
mod process;
mod report;
mod servers;
mod session;
mod throng;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rustix::process::{Resource, getrlimit, setrlimit};

use report::Report;
use session::{Effort, Session};

/// Gatehouse beside other WebSocket servers and beside what the kernel alone costs.
#[derive(Debug, Parser)]
struct Options {
    /// Rounds of which medians are taken.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Measures to take: echo, cpu, placement, upgrades, broadcast, wide, million; all but the last
    /// if none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Servers to measure beside the floor, by a part of their names; all if none is named.
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// Fewer connections and shorter rounds, to see that it runs.
    #[arg(long)]
    quick: bool,
    /// Seed of the order of the servers; a random one if none is given. It is printed.
    #[arg(long)]
    seed: Option<u64>,
    /// File for the figures as JSON, every sample included.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Document whose part between the markers `peers: begin` and `peers: end` the report replaces.
    /// Only a whole run writes it.
    #[arg(long)]
    document: Option<PathBuf>,
}

impl Options {
    fn effort(&self) -> anyhow::Result<Effort> {
        let cores = process::cores()?;
        ensure!(
            cores.len() >= 2,
            "server and client need a core each; here is one"
        );
        let pick = |full, quick| if self.quick { quick } else { full };
        Ok(Effort {
            warm_up: Duration::from_millis(pick(100, 50)),
            span: Duration::from_millis(pick(400, 100)),
            bursts: pick(40, 5) as usize,
            broadcasts: pick(5, 2) as usize,
            receivers: pick(17_000, 2_000) as usize,
            wide: pick(30_000, 20_000) as usize,
            million: pick(1_000_000, 40_000) as usize,
            many: pick(10_000, 1_000) as usize,
            server_core: cores[0],
            client_core: cores[1],
        })
    }

    fn sessions(&self) -> anyhow::Result<Vec<Session>> {
        let mut subjects = Session::ALL.map(Session::subject).to_vec();
        subjects.dedup();
        for subject in &self.only {
            ensure!(
                subjects.contains(&subject.as_str()),
                "nothing is called {subject}; there are {}",
                subjects.join(", ")
            );
        }
        let wanted = |session: &Session| {
            let ordinary = self.only.is_empty() && *session != Session::Million;
            ordinary || self.only.iter().any(|name| name == session.subject())
        };
        Ok(Session::ALL.into_iter().filter(wanted).collect())
    }

    /// Whether a server was asked for; the floor always is, since it is what the others are
    /// compared with.
    fn wants(&self, name: &str) -> bool {
        let named = |part: &String| name.contains(part.as_str());
        self.servers.is_empty() || name == servers::FLOOR.name || self.servers.iter().any(named)
    }

    /// Whether everything is measured, so that the report may stand in the document.
    fn is_whole(&self) -> bool {
        self.only.is_empty() && self.servers.is_empty() && !self.quick
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let effort = options.effort()?;
    let sessions = options.sessions()?;
    process::pin(&[effort.client_core])?;

    let seed = options.seed.unwrap_or_else(|| rand::rng().random());
    println!("seed {seed}: repeat this order with --seed {seed}");
    let mut order = StdRng::seed_from_u64(seed);
    let mut report = Report::new(&options.json, options.rounds, seed, effort)?;
    let contestants = |session: Session| {
        let mut all = session.servers();
        all.retain(|server| options.wants(server.name) && server.is_built());
        all
    };
    let runs: usize = sessions
        .iter()
        .map(|&session| contestants(session).len())
        .sum();
    let bar = ProgressBar::new((runs * options.rounds) as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}, {eta} left  {msg}")?,
    );
    for round in 1..=options.rounds {
        for &session in &sessions {
            let mut servers = contestants(session);
            servers.shuffle(&mut order);
            for server in servers {
                bar.set_message(format!(
                    "round {round}: {} {}",
                    session.subject(),
                    server.name
                ));
                match session.run(server, &effort) {
                    Ok(figures) => report.add(round, server, figures),
                    Err(error) => report.fail(server, session.subject(), &error),
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    report.print();
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    if let Some(path) = &options.document {
        if options.is_whole() {
            report.write_into(path)?;
        } else {
            println!(
                "{} is left as it is: this was not a whole run",
                path.display()
            );
        }
    }
    report.verdict()
}
