//! The examination as text for a person, and as JSON for a program.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::row::{Mark, Row};
use super::{Examination, words};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

impl Mark {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Tight => "tight",
            Self::Short => "short",
            Self::Binds => "binds",
            Self::Info => "",
        }
    }

    fn style(self) -> Style {
        let color = match self {
            Self::Ok => AnsiColor::Green,
            Self::Tight => AnsiColor::Yellow,
            Self::Short | Self::Binds => AnsiColor::Red,
            Self::Info => return DIM,
        };
        Style::new().fg_color(Some(color.into()))
    }
}

/// Writes an examination as one JSON object.
///
/// # Errors
/// Whatever the writer answers.
pub fn write_json(out: &mut impl Write, examination: &Examination) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, examination)?;
    writeln!(out)
}

/// Writes an examination for a person to read.
///
/// # Errors
/// Whatever the writer answers.
pub fn write_text(out: &mut impl Write, examination: &Examination) -> io::Result<()> {
    let facts = &examination.facts;
    let place = if facts.container {
        ", in a container"
    } else {
        ""
    };
    let kernel = facts.kernel.as_deref().unwrap_or("?");
    writeln!(
        out,
        "{BOLD}gatehouse doctor{BOLD:#}  Linux {kernel}{place}\n"
    )?;
    write_rows(out, &examination.rows)?;
    write_verdict(out, examination)?;
    write_remedies(out, examination)
}

fn write_rows(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let allows = |row: &Row| row.connections.map_or_else(String::new, words::count);
    let width = |text: &dyn Fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let names = width(&|row| row.name.len());
    let nows = width(&|row| row.now.len());
    let head = "connections";
    let numbers = width(&|row| allows(row).len()).max(head.len());
    let (empty, now) = ("", "now");
    writeln!(
        out,
        "  {DIM}{empty:5}  {empty:names$}  {now:nows$}  {head:>numbers$}{DIM:#}"
    )?;
    for row in rows {
        let (mark, style) = (row.mark.word(), row.mark.style());
        let line = format!(
            "{:names$}  {:nows$}  {:>numbers$}",
            row.name,
            row.now,
            allows(row)
        );
        writeln!(out, "  {style}{mark:5}{style:#}  {}", line.trim_end())?;
    }
    writeln!(out)
}

fn write_verdict(out: &mut impl Write, examination: &Examination) -> io::Result<()> {
    let connections = words::count(examination.connections);
    let binds = words::name(examination.binds);
    writeln!(
        out,
        "{BOLD}This host can hold {connections} connections. What binds first: {binds}.{BOLD:#}"
    )?;
    if let Some(wanted) = examination.wanted {
        let wanted = words::count(wanted);
        let fits = examination.wanted <= Some(examination.connections);
        let (mark, verb) = if fits {
            (Mark::Ok, "fit")
        } else {
            (Mark::Binds, "do not fit")
        };
        let style = mark.style();
        writeln!(out, "{style}{wanted} connections {verb}.{style:#}")?;
    }
    for broken in &examination.broken_promises {
        let style = Mark::Tight.style();
        writeln!(out, "{style}warning:{style:#} {broken}")?;
    }
    Ok(())
}

fn write_remedies(out: &mut impl Write, examination: &Examination) -> io::Result<()> {
    let remedies = &examination.remedies;
    let remedied = words::count(examination.remedied);
    if remedies.is_empty() {
        return writeln!(out, "\nNothing has to be raised for {remedied}.");
    }
    let fits = examination.remedied <= examination.connections;
    let title = |out: &mut _, text: &str| writeln_title(out, text);
    if fits {
        writeln!(out, "\nWith {remedied} connections this is felt:")?;
    } else {
        writeln!(out, "\nTo hold {remedied} connections:")?;
    }
    if !remedies.settings.is_empty() {
        title(
            out,
            "in gatehouse.toml, without raising a limit of the host",
        )?;
        lines(out, remedies.settings.iter())?;
    }
    if !remedies.sysctls.is_empty() {
        let at_once = remedies.sysctls.iter();
        title(out, "at once, as root")?;
        lines(
            out,
            at_once.map(|s| format!("sysctl -w {}=\"{}\"", s.name, s.value)),
        )?;
        title(out, "for good, in /etc/sysctl.d/90-gatehouse.conf")?;
        lines(
            out,
            remedies
                .sysctls
                .iter()
                .map(|s| format!("{} = {}", s.name, s.value)),
        )?;
    }
    if !remedies.unit.is_empty() {
        title(out, "in the [Service] section of the systemd unit")?;
        lines(out, remedies.unit.iter())?;
    }
    if let Some(limit) = descriptors(&remedies.unit)
        && !examination.facts.container
    {
        title(out, "or in a shell from which the server is started")?;
        lines(
            out,
            [format!("sudo prlimit --pid $$ --nofile={limit}:{limit}")].iter(),
        )?;
    }
    if examination.facts.container {
        let sysctls = remedies.sysctls.iter().filter(|s| s.per_container);
        let sysctls = sysctls.map(|s| format!("--sysctl {}=\"{}\"", s.name, s.value));
        let flags: Vec<_> = remedies.container.iter().cloned().chain(sysctls).collect();
        if !flags.is_empty() {
            title(
                out,
                "or as flags of docker run; other sysctls belong to the host",
            )?;
            lines(out, flags.iter())?;
        }
    }
    if !remedies.notes.is_empty() {
        writeln!(out)?;
        lines(out, remedies.notes.iter().map(|note| format!("- {note}")))?;
    }
    Ok(())
}

fn writeln_title(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n  {DIM}# {text}{DIM:#}")
}

fn lines<T: AsRef<str>>(out: &mut impl Write, lines: impl Iterator<Item = T>) -> io::Result<()> {
    for line in lines {
        writeln!(out, "  {}", line.as_ref())?;
    }
    Ok(())
}

fn descriptors(unit: &[String]) -> Option<&str> {
    unit.iter()
        .find_map(|line| line.strip_prefix("LimitNOFILE="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};
    use crate::host::tree::Tree;

    fn examine(tree: &Tree, text: &str, asked: Option<u64>) -> (Examination, String) {
        let config = Config::from_sources(&Sources::of_text("a.toml", text, Vec::new())).unwrap();
        let examination = Examination::new(tree.facts(), &config, asked);
        let mut out = Vec::new();
        write_text(&mut out, &examination).unwrap();
        let text = anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string();
        (examination, text)
    }

    const TWO: &str = "memory = \"4GiB\"\nreactors = 2\nworkers = 2\n";

    #[test]
    fn a_sandbox_is_told_what_to_set_and_what_others_would_have_to_raise() {
        let (examination, text) = examine(&Tree::sandbox(), TWO, Some(1_000_000));
        assert!(!examination.fits);
        for line in [
            "binds  descriptors       20,000 for each of 2 reactors",
            "tight  accept queue",
            "1,000,000 connections do not fit.",
            "  reactors = 52\n",
            "  sysctl -w net.core.somaxconn=\"65535\"\n",
            "  net.core.somaxconn = 65535\n",
            "  LimitNOFILE=1048576\n",
            "  --ulimit nofile=1048576:1048576\n",
            "net.ipv4.ip_local_port_range = 1024 65535",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("fs.nr_open"), "it is high enough: {text}");
        assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
        // With what is advised it fits.
        let advised = TWO.replace("reactors = 2", "reactors = 52");
        let (examination, text) = examine(&Tree::sandbox(), &advised, Some(1_000_000));
        assert!(examination.fits, "{text}");
        assert!(examination.remedies.settings.is_empty(), "{text}");
    }

    #[test]
    fn a_laptop_has_nothing_to_raise() {
        let (examination, text) = examine(&Tree::laptop(), TWO, Some(10_000));
        assert!(
            examination.fits && examination.remedies.is_empty(),
            "{text}"
        );
        assert!(
            text.contains("Nothing has to be raised for 10,000."),
            "{text}"
        );
        assert!(text.contains("524,288 for each of 2 reactors (soft 1,024, raised at start)"));
    }

    #[test]
    fn a_container_is_told_how_much_memory_is_missing() {
        let config = format!("connections = 200000\n{}", TWO.replace('4', "0.25"));
        let (examination, text) = examine(&Tree::container(), &config, None);
        assert!(!examination.fits && !examination.broken_promises.is_empty());
        assert!(text.contains("of memory are missing"), "{text}");
        let limit = text.split_once("MemoryMax=").unwrap().1;
        let mebibytes: u64 = limit.split_once('M').unwrap().0.parse().unwrap();
        let raised =
            Tree::container().file("sys/fs/cgroup/memory.max", &(mebibytes << 20).to_string());
        let (examination, text) = examine(&raised, &config, None);
        assert!(examination.fits, "what was advised is enough: {text}");
    }

    #[test]
    fn a_big_server_is_told_of_its_firewall() {
        let big = "memory = \"64GiB\"\nreactors = 32\n";
        let (examination, text) = examine(&Tree::server(), big, Some(10_000_000));
        assert!(!examination.fits);
        assert!(text.contains("binds  conntrack"), "{text}");
        assert!(
            text.contains("net.netfilter.nf_conntrack_max = 16777216\n"),
            "{text}"
        );
        assert!(text.contains("notrack"), "{text}");
        assert!(!text.contains("LimitNOFILE"), "{text}");
    }
}
