//! The summary: a table for people, the same figures as JSON for machines.

// For strings, to which writing does not fail: what `write!` answers is left.
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::latency::{Latency, QUANTILES};
use crate::units;

/// Collects what a scenario found, in the order in which it is to be read.
#[derive(Debug)]
pub(crate) struct Report {
    headline: String,
    blocks: Vec<Block>,
    json: Map<String, Value>,
    notes: Vec<String>,
    problems: Vec<String>,
    interrupted: bool,
}

/// Rows under a title; columns are aligned to the right.
#[derive(Debug)]
struct Block {
    title: String,
    columns: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    label: String,
    cells: Vec<String>,
    note: String,
}

/// One block under construction, with the JSON object of the same figures.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    block: &'a mut Block,
    json: &'a mut Value,
}

impl Report {
    pub(crate) fn new(scenario: &str, headline: String) -> Self {
        let mut json = Map::new();
        json.insert("scenario".to_owned(), scenario.into());
        Self {
            headline,
            blocks: vec![],
            json,
            notes: vec![],
            problems: vec![],
            interrupted: false,
        }
    }

    /// Adds a fact for machines only.
    pub(crate) fn fact(&mut self, key: &str, value: impl Into<Value>) {
        self.json.insert(key.to_owned(), value.into());
    }

    /// Begins a block of figures; in JSON they stand in the object `key`.
    pub(crate) fn section(&mut self, key: &str, title: &str) -> Section<'_> {
        self.blocks.push(Block {
            title: title.to_owned(),
            columns: vec![],
            rows: vec![],
        });
        let block = self.blocks.last_mut().expect("just pushed");
        Section {
            block,
            json: self.json.entry(key).or_insert_with(|| json!({})),
        }
    }

    /// Adds distributions, one a row, under their quantiles.
    pub(crate) fn latencies(&mut self, rows: &[(&str, &str, &Latency)]) {
        let columns = QUANTILES.iter().map(|&(name, _)| name.to_owned());
        self.table("Latency", columns.chain(["max".to_owned()]).collect());
        let mut json = json!({});
        for (key, label, latency) in rows {
            self.row(label, latency.cells());
            json[*key] = latency.json();
        }
        self.fact("latency", json);
    }

    /// Begins a table, which [`Report::row`] fills.
    pub(crate) fn table(&mut self, title: &str, columns: Vec<String>) {
        self.blocks.push(Block {
            title: title.to_owned(),
            columns,
            rows: vec![],
        });
    }

    pub(crate) fn row(&mut self, label: &str, cells: Vec<String>) {
        let block = self.blocks.last_mut().expect("a table was begun");
        block.rows.push(Row {
            label: label.to_owned(),
            cells,
            note: String::new(),
        });
    }

    /// A sentence above the verdict.
    pub(crate) fn note(&mut self, note: &str) {
        self.notes.push(note.to_owned());
    }

    /// Something that makes the run a failure, unless there is none of it.
    pub(crate) fn problem(&mut self, n: u64, noun: &str, what: &str) {
        if n > 0 {
            self.problems
                .push(format!("{} {what}", units::plural(n, noun)));
        }
    }

    /// Something that makes the run a failure.
    pub(crate) fn fault(&mut self, what: &str) {
        self.problems.push(what.to_owned());
    }

    /// The run was ended from outside; what it has measured stands.
    pub(crate) fn interrupted(&mut self) {
        self.interrupted = true;
    }

    /// What makes the run a failure.
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// Prints the table, and writes the JSON to `file` if there is one.
    pub(crate) fn publish(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let text = self.text(io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none());
        match file {
            Some(file) if file == Path::new("-") => {
                eprint!("{text}");
                writeln!(io::stdout(), "{}", self.json()).context("writing the report")?;
            }
            Some(file) => {
                write!(io::stdout(), "{text}").context("writing the report")?;
                fs::write(file, self.json() + "\n")
                    .with_context(|| format!("writing {}", file.display()))?;
            }
            None => write!(io::stdout(), "{text}").context("writing the report")?,
        }
        Ok(())
    }

    fn json(&self) -> String {
        let mut json = self.json.clone();
        json.insert("ok".to_owned(), self.is_ok().into());
        json.insert("interrupted".to_owned(), self.interrupted.into());
        json.insert("notes".to_owned(), self.notes.clone().into());
        json.insert("problems".to_owned(), self.problems.clone().into());
        format!("{:#}", Value::Object(json))
    }

    fn text(&self, color: bool) -> String {
        let paint = |code: &str, text: &str| {
            if color {
                format!("\x1b[{code}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let mut text = format!("\n{}\n", paint("1", &self.headline));
        let labels = self.blocks.iter().flat_map(|block| &block.rows);
        let label_width = labels.map(|row| width(&row.label)).max().unwrap_or(0);
        for block in &self.blocks {
            block.write(&mut text, label_width, &paint);
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        let verdict = if self.is_ok() {
            paint("32;1", "OK") + "  nothing lost, nothing corrupted, no failures"
        } else {
            paint("31;1", "FAILED") + "  " + &self.problems.join(", ")
        };
        let early = if self.interrupted {
            "  (ended early by a signal)"
        } else {
            ""
        };
        // A string never refuses.
        let _ = writeln!(text, "\n{verdict}{early}");
        text
    }
}

impl Block {
    fn write(&self, text: &mut String, label_width: usize, paint: &impl Fn(&str, &str) -> String) {
        let columns = self
            .rows
            .iter()
            .map(|row| row.cells.len())
            .max()
            .unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
                let widest = cells
                    .chain(self.columns.get(column))
                    .map(|cell| width(cell))
                    .max();
                // A lone column gets a floor, so that the blocks stand below each other.
                widest.unwrap_or(0).max(if columns == 1 { 12 } else { 8 })
            })
            .collect();
        let pad = |cell: &str, to: usize| " ".repeat(to.saturating_sub(width(cell)));

        let heading = paint("1", &self.title);
        let mut line = format!("{heading}{}", pad(&self.title, label_width + 2));
        for (column, to) in self.columns.iter().zip(&widths) {
            line += &format!("  {}{column}", pad(column, *to));
        }
        let _ = write!(text, "\n  {}\n", line.trim_end());
        for row in &self.rows {
            let mut line = format!("{}{}", row.label, pad(&row.label, label_width));
            for (cell, to) in row.cells.iter().zip(&widths) {
                line += &format!("  {}{cell}", pad(cell, *to));
            }
            if !row.note.is_empty() {
                line += &format!("  {}", row.note);
            }
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    {}", line.trim_end());
        }
    }
}

/// Columns that a text takes: none of ours uses wide characters.
fn width(text: &str) -> usize {
    text.chars().count()
}

impl Section<'_> {
    /// A count.
    pub(crate) fn count(&mut self, key: &str, label: &str, n: u64) -> &mut Self {
        self.show(key, label, units::count(n), n)
    }

    /// A count, which is left away in the table if there is none.
    pub(crate) fn count_if_any(&mut self, key: &str, label: &str, n: u64) -> &mut Self {
        if n > 0 {
            return self.count(key, label, n);
        }
        self.json[key] = n.into();
        self
    }

    /// A number per second.
    pub(crate) fn rate(&mut self, key: &str, label: &str, rate: f64, unit: &str) -> &mut Self {
        let shown = if rate < 10.0 {
            format!("{rate:.1}")
        } else {
            units::count(rate.round() as u64)
        };
        self.show(key, label, shown, rate)
            .note(&format!("{unit}/s"))
    }

    /// Seconds.
    pub(crate) fn seconds(&mut self, key: &str, label: &str, seconds: f64) -> &mut Self {
        self.show(key, label, format!("{seconds:.2}"), seconds)
            .note("s")
    }

    /// Any value, with how it is to be shown.
    pub(crate) fn show(
        &mut self,
        key: &str,
        label: &str,
        shown: String,
        value: impl Into<Value>,
    ) -> &mut Self {
        self.json[key] = value.into();
        self.line(label, vec![shown])
    }

    /// A row for people only.
    pub(crate) fn line(&mut self, label: &str, cells: Vec<String>) -> &mut Self {
        self.block.rows.push(Row {
            label: label.to_owned(),
            cells,
            note: String::new(),
        });
        self
    }

    /// A value for machines only.
    pub(crate) fn fact(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.json[key] = value.into();
        self
    }

    /// Words behind the last row.
    pub(crate) fn note(&mut self, note: &str) -> &mut Self {
        if let Some(row) = self.block.rows.last_mut() {
            row.note = note.to_owned();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut report = Report::new("echo", "headline".to_owned());
        report
            .section("messages", "Messages")
            .count("sent", "sent", 1_234_567)
            .note("in all");
        let mut latency = Latency::default();
        latency.record(1_500_000);
        report.latencies(&[("round_trip", "round trip", &latency)]);
        report.problem(0, "message", "lost");
        assert!(report.is_ok());
        let text = report.text(false);
        assert!(
            text.contains("    sent           1,234,567  in all\n"),
            "{text}"
        );
        let lines: Vec<_> = text
            .lines()
            .filter(|line| line.contains("p50") || line.contains("trip"))
            .collect();
        assert_eq!(
            lines[0].find("p50").unwrap() + 3,
            lines[1].find(" ms").unwrap() + 3,
            "{text}"
        );

        report.problem(1, "message", "lost");
        assert!(!report.is_ok() && report.text(false).contains("1 message lost"));
        let json: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(
            (&json["ok"], &json["messages"]["sent"]),
            (&json!(false), &json!(1_234_567))
        );
        assert_eq!(json["latency"]["round_trip"]["count"], 1);
    }
}
