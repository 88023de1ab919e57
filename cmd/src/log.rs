//! The log: to stderr, from a thread of its own.

use std::io;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::LevelFilter;

use crate::config::{Format, Level};

/// Starts the log. What waits to be written is written when the guard is dropped.
///
/// A reactor that logs must not wait for a terminal or a pipe, so lines go through a bounded queue
/// to a thread that writes them; what comes faster than it can write is dropped.
pub fn start(level: Level, format: Format) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(io::stderr());
    let level = match level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    let lines = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(writer);
    let lines = lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr()));
    // A second call finds the log started, which is what it asked for.
    let _ = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    guard
}
