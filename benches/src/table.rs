//! Figures in aligned columns.

use std::fmt::Display;

/// A table whose first column is words and whose others are figures. Units stand in the heads of
/// the columns.
#[derive(Debug)]
pub struct Table<const COLUMNS: usize> {
    title: String,
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// An empty table.
    #[must_use]
    pub fn new(title: impl Into<String>, columns: [&str; COLUMNS]) -> Self {
        Self {
            title: title.into(),
            rows: vec![columns.map(str::to_owned)],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [&dyn Display; COLUMNS]) {
        self.rows.push(cells.map(ToString::to_string));
    }

    /// Writes the table to standard output.
    pub fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        println!("\n{}", self.title);
        for row in &self.rows {
            let mut line = format!("  {:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            println!("{}", line.trim_end());
        }
    }
}

/// A figure with three digits that count.
#[must_use]
pub fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        0.0 => 0,
        size if size < 0.01 => 4,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// `part` for each of `whole`.
#[must_use]
pub fn per(part: u64, whole: u64) -> String {
    figure(part as f64 / whole as f64)
}
