//! `gatehouse ctl`: what an operator does with a store beside the server.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use module::storage::sqlite::backup::{self, Counts, Manifest, Progress, Report, Stage};

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
pub enum Ctl {
    /// Copy a store while it is served
    ///
    /// The copy is one state of the store, that of the moment at which the copying began; the
    /// server goes on. It holds the database, what users have uploaded, the secret of the tokens,
    /// and, written last, manifest.json: a folder without it is no backup. Everything is on the
    /// disk when the command ends.
    Backup(Backup),
    /// Check a backup, or a store
    ///
    /// Looks for damage in the database, at the numbers that clients rely on (the messages of a
    /// conversation and the entries of an inbox are numbered without gaps), and, in a backup, for
    /// files that are not what was written. A store may be in use. The exit status is 1 if
    /// something is wrong.
    Verify {
        /// Folder of the backup or store
        #[arg(value_name = "DIR")]
        directory: PathBuf,
    },
    /// Make a store of a backup
    ///
    /// Nobody may use the store, and it must be empty. All sessions are ended, and clients load
    /// everything anew: numbers that were given after the backup will be given again.
    Restore(Restore),
}

/// Options of `backup`.
#[derive(Clone, Debug, Args)]
pub struct Backup {
    /// Folder of the store: `path` of [store]
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// Folder of the backup: empty, or not there
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

/// Options of `restore`.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// Folder of the backup
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Folder of the store: empty, or not there
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
}

/// Does it; whether all is well.
///
/// # Errors
/// Whatever keeps it from being done.
pub fn run(ctl: &Ctl) -> anyhow::Result<bool> {
    match ctl {
        Ctl::Backup(Backup { store, to }) => {
            let manifest = watched(|on_progress| backup::back_up(store, to, on_progress))?;
            say(&format!("{} holds {}", to.display(), held(&manifest)))?;
            Ok(true)
        }
        Ctl::Verify { directory } => {
            let report = watched(|on_progress| backup::verify(directory, on_progress))?;
            tell(directory, &report)?;
            Ok(report.findings.is_empty())
        }
        Ctl::Restore(Restore { from, store }) => {
            let manifest = watched(|on_progress| backup::restore(from, store, on_progress))?;
            say(&format!("{} holds {}", store.display(), held(&manifest)))?;
            say("all sessions are ended; clients load everything anew")?;
            Ok(true)
        }
    }
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(anstream::stdout(), "{line}")
}

fn tell(directory: &Path, report: &Report) -> std::io::Result<()> {
    let what = if report.manifest.is_some() {
        "backup"
    } else {
        "store"
    };
    if report.findings.is_empty() {
        let (name, counts) = (directory.display(), counted(&report.counts));
        return say(&format!(
            "the {what} {name} is whole: {counts}, version {}",
            report.schema
        ));
    }
    say(&format!("the {what} {} is damaged:", directory.display()))?;
    for finding in &report.findings {
        say(&format!("  {finding}"))?;
    }
    Ok(())
}

fn counted(counts: &Counts) -> String {
    let Counts {
        users,
        groups,
        messages,
    } = counts;
    format!("{users} users, {groups} groups, {messages} messages")
}

fn held(manifest: &Manifest) -> String {
    format!(
        "{} in {}, and {} attachments in {}",
        counted(&manifest.counts),
        ByteSize(manifest.database.bytes),
        manifest.attachments.files,
        ByteSize(manifest.attachments.bytes),
    )
}

/// Does something that tells how far it is, and shows that on a terminal.
fn watched<T>(work: impl FnOnce(backup::OnProgress<'_>) -> T) -> T {
    if !std::io::stderr().is_terminal() {
        return work(&mut |_| {});
    }
    let bar = ProgressBar::new(0);
    let outcome = work(&mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    outcome
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (name, counts) = match progress.stage {
        Stage::Database => ("database", "{bytes} of {total_bytes}, {eta}"),
        Stage::Attachments => ("attachments", "{bytes} of {total_bytes}, {eta}"),
        Stage::Check => ("check", "{pos} of {len}"),
    };
    if bar.prefix() != name {
        let template = format!("{{prefix:>12.bold.cyan}} [{{bar:30}}] {counts}");
        let style = ProgressStyle::with_template(&template).expect("a template known to be right");
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(name);
        bar.reset();
    }
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}
