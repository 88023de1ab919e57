//! Medians and ratios of all rounds, as tables, as JSON, and in the document.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::servers::{FLOOR, GATEHOUSE, GATEHOUSE_WORKER, PEERS, SHUFFLED, Server, UNMASKING};
use crate::session::{Effort, Figure};

const BEGIN: &str = "<!-- peers: begin -->";
const END: &str = "<!-- peers: end -->";

/// How figures of a measure are written.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// So many a second.
    Rate,
    /// Two decimals.
    Fine,
    /// One decimal.
    Coarse,
    /// None.
    Whole,
}

impl Form {
    fn write(self, value: f64) -> String {
        match self {
            Self::Rate if value >= 1e6 => format!("{:.2} M", value / 1e6),
            Self::Rate if value >= 1e5 => format!("{:.0} k", value / 1e3),
            Self::Rate => format!("{:.1} k", value / 1e3),
            Self::Fine => format!("{value:.2}"),
            Self::Coarse => format!("{value:.1}"),
            Self::Whole => format!("{value:.0}"),
        }
    }
}

/// A table of the report: measures beside each other, servers below each other.
#[derive(Debug)]
struct Table {
    title: &'static str,
    columns: &'static [(&'static str, &'static str, Form)],
    /// Whose figures the ratios are ratios to.
    base: &'static Server,
}

static TABLES: [Table; 8] = [
    Table {
        title: "Echo, 200 connections: messages a second",
        columns: &[
            ("echo-20-1-few", "20 B", Form::Rate),
            ("echo-1024-1-few", "1 KiB", Form::Rate),
            ("echo-20-16-few", "20 B, 16 in flight", Form::Rate),
            ("echo-1024-16-few", "1 KiB, 16 in flight", Form::Rate),
        ],
        base: &FLOOR,
    },
    Table {
        title: "Echo, 10,000 connections: messages a second",
        columns: &[
            ("echo-20-1-many", "20 B", Form::Rate),
            ("echo-1024-1-many", "1 KiB", Form::Rate),
            ("echo-20-16-many", "20 B, 16 in flight", Form::Rate),
            ("echo-1024-16-many", "1 KiB, 16 in flight", Form::Rate),
        ],
        base: &FLOOR,
    },
    Table {
        title: "CPU time of the server for a message, in µs. The first two columns: server and \
                client on one core; then each on its own, 200 connections",
        columns: &[
            ("cpu-1", "one core, 20 B", Form::Fine),
            ("cpu-16", "one core, 20 B, 16 in flight", Form::Fine),
            ("echo-cpu-20-1-few", "20 B", Form::Fine),
            ("echo-cpu-1024-1-few", "1 KiB", Form::Fine),
            ("echo-cpu-20-16-few", "20 B, 16 in flight", Form::Fine),
            ("echo-cpu-1024-16-few", "1 KiB, 16 in flight", Form::Fine),
        ],
        base: &FLOOR,
    },
    Table {
        title: "Upgrades in bursts of 400; 100 B to 17,000 connections, until the last has them; \
                memory of an idle connection",
        columns: &[
            ("upgrades", "upgrades a second", Form::Rate),
            ("upgrades-cpu", "CPU of upgrade and end, µs", Form::Fine),
            ("broadcast", "broadcast, ms", Form::Coarse),
            ("memory", "memory, bytes", Form::Whole),
        ],
        base: &FLOOR,
    },
    Table {
        title: "100 B to 30,000 connections over two loops, until the last has them",
        columns: &[
            ("broadcast-wide", "broadcast, ms", Form::Coarse),
            ("broadcast-cpu-wide", "CPU a receiver, µs", Form::Fine),
        ],
        base: &FLOOR,
    },
    Table {
        title: "100 B to 1,000,000 connections over 55 loops, until the last has them",
        columns: &[
            ("broadcast-million", "broadcast, ms", Form::Coarse),
            ("broadcast-cpu-million", "CPU a receiver, µs", Form::Fine),
        ],
        base: &FLOOR,
    },
    Table {
        title: "Where the module is placed: 20 B, 200 connections, one in flight, server and \
                client on both cores",
        columns: &[
            ("placement", "messages per core-second", Form::Rate),
            ("placement-rate", "messages a second", Form::Rate),
            ("placement-p50", "p50, µs", Form::Whole),
            ("placement-p99", "p99, µs", Form::Whole),
        ],
        base: &GATEHOUSE,
    },
    Table {
        title: "How busy the cores were, in percent, server / client, 200 connections",
        columns: &[
            ("echo-20-1-few", "20 B", Form::Whole),
            ("echo-1024-1-few", "1 KiB", Form::Whole),
            ("echo-20-16-few", "20 B, 16 in flight", Form::Whole),
            ("echo-1024-16-few", "1 KiB, 16 in flight", Form::Whole),
        ],
        base: &FLOOR,
    },
];

/// Which table shows busy shares and not values.
const BUSY: usize = 7;

/// All samples of a run.
#[derive(Debug)]
pub(crate) struct Report {
    rounds: usize,
    seed: u64,
    effort: Effort,
    /// By server and measure, and then by round.
    samples: BTreeMap<(&'static str, String), BTreeMap<usize, Figure>>,
    failures: Vec<String>,
}

impl Report {
    /// An empty one. That the files can be written is found out before minutes are spent.
    pub(crate) fn new(
        json: &Option<PathBuf>,
        rounds: usize,
        seed: u64,
        effort: Effort,
    ) -> anyhow::Result<Self> {
        ensure!(rounds > 0, "a median needs a round");
        if let Some(folder) = json.as_ref().and_then(|path| path.parent())
            && folder != Path::new("")
        {
            fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
        }
        Ok(Self {
            rounds,
            seed,
            effort,
            samples: BTreeMap::new(),
            failures: Vec::new(),
        })
    }

    pub(crate) fn add(&mut self, round: usize, server: &Server, figures: Vec<Figure>) {
        for figure in figures {
            let key = (server.name, figure.measure.clone());
            self.samples.entry(key).or_default().insert(round, figure);
        }
    }

    /// A server that fails has a sample less, the report says so, and the run ends with an error;
    /// the others are measured all the same.
    pub(crate) fn fail(&mut self, server: &Server, subject: &str, error: &anyhow::Error) {
        self.failures
            .push(format!("{} in {subject}: {error:#}", server.name));
    }

    fn samples(&self, server: &Server, measure: &str) -> Option<&BTreeMap<usize, Figure>> {
        self.samples.get(&(server.name, measure.to_owned()))
    }

    fn median(&self, server: &Server, measure: &str) -> Option<f64> {
        let samples = self.samples(server, measure)?;
        Some(median(samples.values().map(|figure| figure.value)))
    }

    /// The ratio of both in the median round. What else runs on a host for a while meets both in
    /// most rounds.
    fn ratio_in_round(&self, server: &Server, base: &Server, measure: &str) -> Option<f64> {
        let bases = self.samples(base, measure)?;
        let ratios: Vec<_> = self
            .samples(server, measure)?
            .iter()
            .filter_map(|(round, figure)| Some(figure.value / bases.get(round)?.value))
            .collect();
        (!ratios.is_empty()).then(|| median(ratios.into_iter()))
    }

    fn busy(&self, server: &Server, measure: &str) -> Option<(f64, f64)> {
        let samples = self.samples(server, measure)?;
        let busy: Vec<_> = samples.values().filter_map(|figure| figure.busy).collect();
        (!busy.is_empty()).then(|| {
            let server = median(busy.iter().map(|share| share.0));
            (server, median(busy.iter().map(|share| share.1)))
        })
    }

    fn cell(&self, table: usize, server: &Server, measure: &str, form: Form) -> String {
        if table == BUSY {
            return self
                .busy(server, measure)
                .map_or_else(String::new, |(server, client)| {
                    format!("{:.0} / {:.0}", server * 100.0, client * 100.0)
                });
        }
        let Some(value) = self.median(server, measure) else {
            return String::new();
        };
        let base = TABLES[table].base;
        let medians = self.median(base, measure).map(|base| value / base);
        match (medians, self.ratio_in_round(server, base, measure)) {
            // The floor's own memory is next to nothing, and a ratio to it says as much.
            (Some(medians), Some(in_round)) if measure != "memory" => {
                format!("{} ({medians:.2}; {in_round:.2})", form.write(value))
            }
            _ => form.write(value),
        }
    }

    /// The rows of a table that have a figure, with their names in front.
    fn rows(&self, at: usize) -> Vec<Vec<String>> {
        let table = &TABLES[at];
        every_server()
            .map(|server| {
                let cells = table
                    .columns
                    .iter()
                    .map(|&(measure, _, form)| self.cell(at, server, measure, form));
                std::iter::once(server.name.to_owned())
                    .chain(cells)
                    .collect::<Vec<_>>()
            })
            .filter(|row| row[1..].iter().any(|cell| !cell.is_empty()))
            .collect()
    }

    /// The tables in Markdown, aligned so that they can be read as they stand.
    fn tables(&self) -> String {
        let mut text = String::new();
        for (at, table) in TABLES.iter().enumerate() {
            let rows = self.rows(at);
            if rows.is_empty() {
                continue;
            }
            let heads = std::iter::once("").chain(table.columns.iter().map(|column| column.1));
            let mut lines = vec![heads.map(str::to_owned).collect::<Vec<_>>()];
            lines.extend(rows);
            let width = |column: usize| {
                let cells = lines.iter().map(|line| line[column].chars().count());
                cells.max().unwrap_or(0)
            };
            let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
            text.push_str(&format!("\n{}:\n\n", table.title));
            for (number, line) in lines.iter().enumerate() {
                let cells =
                    line.iter()
                        .zip(&widths)
                        .enumerate()
                        .map(|(at, (cell, &width))| match at {
                            0 => format!("{cell:<width$}"),
                            _ => format!("{cell:>width$}"),
                        });
                text.push_str(&format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")));
                if number == 0 {
                    let rule = widths.iter().enumerate().map(|(at, &width)| match at {
                        0 => "-".repeat(width),
                        _ => format!("{}:", "-".repeat(width - 1)),
                    });
                    text.push_str(&format!("| {} |\n", rule.collect::<Vec<_>>().join(" | ")));
                }
            }
        }
        text
    }

    pub(crate) fn print(&self) {
        println!("{}", self.tables());
    }

    /// Replaces what stands between the markers.
    pub(crate) fn write_into(&self, path: &Path) -> anyhow::Result<()> {
        let text = fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
        let begin = text.find(BEGIN).with_context(|| format!("no {BEGIN}"))? + BEGIN.len();
        let end = text.find(END).with_context(|| format!("no {END}"))?;
        ensure!(begin <= end, "the markers stand in the wrong order");
        let head = format!(
            "Medians of {} rounds; in brackets their ratio to the floor's (of placements: to that \
             in the reactor), and the median of the ratios within each round, in which most of \
             what else runs on the host cancels.\n{}; Linux {}; seed {}.\n",
            self.rounds,
            processor(),
            kernel(),
            self.seed,
        );
        let failures: String = self
            .failures
            .iter()
            .map(|failure| format!("\nA sample less: {failure}.\n"))
            .collect();
        let report = format!("\n{head}{}{failures}", self.tables());
        fs::write(path, format!("{}{report}{}", &text[..begin], &text[end..]))?;
        println!("{} is written", path.display());
        Ok(())
    }

    /// Every sample, in the order of the rounds.
    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let mut measures: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
        for ((server, measure), samples) in &self.samples {
            let values: Vec<_> = samples.values().map(|figure| figure.value).collect();
            let busy: Vec<_> = samples.values().filter_map(|figure| figure.busy).collect();
            let mut entry = json!({ "median": median(values.iter().copied()), "samples": values });
            if !busy.is_empty() {
                entry["busy_server_client"] = json!(busy);
            }
            measures.entry(measure).or_default().insert(server, entry);
        }
        let report = json!({
            "rounds": self.rounds,
            "seed": self.seed,
            "processor": processor(),
            "kernel": kernel(),
            "span_ms": self.effort.span.as_millis(),
            "receivers": self.effort.receivers,
            "wide": self.effort.wide,
            "million": self.effort.million,
            "many": self.effort.many,
            "servers": every_server()
                .map(|server| (server.name, server.about))
                .collect::<BTreeMap<_, _>>(),
            "measures": measures,
            "failures": self.failures,
        });
        fs::write(path, format!("{report:#}\n"))?;
        println!("{} is written", path.display());
        Ok(())
    }

    /// Whether everybody came through.
    pub(crate) fn verdict(&self) -> anyhow::Result<()> {
        ensure!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        Ok(())
    }
}

fn every_server() -> impl Iterator<Item = &'static Server> {
    [&FLOOR, &SHUFFLED, &UNMASKING, &GATEHOUSE, &GATEHOUSE_WORKER]
        .into_iter()
        .chain(&PEERS)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(String::new, |(_, name)| name.to_owned())
}
