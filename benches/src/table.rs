//! Figures in aligned columns.

use std::fmt::Display;

/// A table whose first column is words and whose others are figures. Units stand in the heads of
/// the columns.
#[derive(Debug)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            rows: vec![columns.iter().map(|&column| column.to_owned()).collect()],
        }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// If it has not as many cells as there are columns.
    pub fn row<const CELLS: usize>(&mut self, cells: [&dyn Display; CELLS]) {
        assert_eq!(CELLS, self.rows[0].len(), "one cell a column");
        self.rows.push(cells.map(ToString::to_string).to_vec());
    }

    /// Writes the table to standard output.
    pub fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.rows[0].len()).map(width).collect();
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
