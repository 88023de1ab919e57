//! What is shown while a run goes on: a bar on a terminal, a line now and then elsewhere. Both go
//! to standard error, so that standard output holds the report and nothing else.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Shows progress, one phase at a time.
#[derive(Debug)]
pub(crate) struct Progress {
    show: Show,
    phase: &'static str,
    last: Instant,
}

#[derive(Debug)]
enum Show {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let show = if quiet {
            Show::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix:>12.bold.cyan} [{bar:30}] {msg}")
                .expect("a template known to be right")
                .progress_chars("=> ");
            bar.set_style(style);
            Show::Bar(bar)
        } else {
            Show::Lines
        };
        Self {
            show,
            phase: "",
            last: Instant::now(),
        }
    }

    /// The phase `name` is at `done` of `all`; `text` is asked for when it is shown.
    pub(crate) fn update(
        &mut self,
        name: &'static str,
        done: u64,
        all: u64,
        text: impl FnOnce() -> String,
    ) {
        let begins = self.phase != name;
        let interval = match &self.show {
            Show::Bar(_) => Duration::from_millis(100),
            Show::Lines => LINE_EVERY,
            Show::Nothing => return,
        };
        if !begins && self.last.elapsed() < interval {
            return;
        }
        self.phase = name;
        self.last = Instant::now();
        match &self.show {
            Show::Bar(bar) => {
                bar.set_prefix(name);
                bar.set_length(all.max(1));
                bar.set_position(done.min(all));
                bar.set_message(text());
            }
            // The beginning of a phase has nothing to tell yet but its name.
            Show::Lines if begins => eprintln!("{name} …"),
            Show::Lines => eprintln!("{name}: {}", text()),
            Show::Nothing => {}
        }
    }

    /// Takes the bar away: what follows is the report.
    pub(crate) fn end(&self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
        }
    }
}
