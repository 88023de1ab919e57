//! The `gatehouse` program: reads its command line, and says on stdout what listens where.

#![forbid(unsafe_code)]

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use common::limits::IDLE_SECONDS;
use gate::admin::AdminConfig;
use gate::{CertificateFiles, Drain, Placement};
use gatehouse::compression::Deflate;
use gatehouse::config::{Config, ConfigError, Format, Level, Setting, Size};
use gatehouse::ctl::{self, Ctl};
use gatehouse::doctor::{self, Examination};
use gatehouse::echo::{self, EchoConfig};
use gatehouse::host::HostFacts;
use gatehouse::log;
use gatehouse::node::{NOT_RELOADED, Node};
use gatehouse::signal::{self, Request, Signals};

/// Seconds that the echo server's stop may take.
const ECHO_SHUTDOWN_SECONDS: u32 = 10;

/// Instant-messaging server and messaging gateway in one binary.
#[derive(Debug, Parser)]
#[command(name = "gatehouse", version, arg_required_else_help = true)]
#[command(after_help = "`gatehouse serve` starts a server that needs no configuration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the messaging server
    ///
    /// Without a file it listens for browsers and WebSocket clients on 127.0.0.1:8080 (the chat
    /// page is at /, the protocol at /im) and for TCP clients, framed by a 4-byte length, on
    /// 127.0.0.1:8081. Metrics, CPU profiles and a dashboard are on 127.0.0.1:8082.
    ///
    /// SIGTERM or SIGINT (Ctrl-C) stops it in order: nobody is accepted any more, every client is
    /// told to come back (WebSocket code 1012), as many a second as --drain-rate says, and the exit
    /// status is 0. A second signal ends it at once.
    ///
    /// SIGHUP reads the certificates of listeners with TLS anew, and with them [listener.tls] of
    /// the file; connections that are open stay.
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// Run an echo server, for conformance suites and load tests
    ///
    /// Every message comes back as it was, on every WebSocket path and on TCP, and the body of an
    /// HTTP request in the answer to it. Nobody has to log in, no rate is limited, and pages of
    /// every origin may connect; connections that are silent for 60 s are pinged. With --broadcast
    /// a POST to /broadcast sends its body to everybody.
    ///
    /// Prints one line for each address, with its real port: `listening ws://127.0.0.1:9001`, or
    /// wss:// and tls+tcp:// with a certificate, which SIGHUP lets it read anew.
    Echo(Echo),
    /// Check a configuration file and print what it means
    ///
    /// The output is a complete file: every key with the value that holds, GATEHOUSE_… variables
    /// of this environment included. The files of certificates and keys are read and checked too.
    /// The exit status is 0 if `serve` would accept the file, 1 if it would not, and then the error
    /// says where and why.
    CheckConfig {
        /// File to check (TOML)
        file: PathBuf,
    },
    /// Say how many connections this host can hold, and how to raise it
    ///
    /// Looks at what bounds connections here (limits of descriptors, of the kernel and of the
    /// control group, memory, connection tracking), for the node that `gatehouse serve` would
    /// start with the same file and GATEHOUSE_… variables, and prints what binds first, the
    /// commands and lines that raise it, and the settings that make the most of limits that cannot
    /// be raised. It changes nothing.
    ///
    /// The exit status is 1 if the connections that are asked for, or those that the configuration
    /// promises, do not fit.
    Doctor(Doctor),
    /// Back up, check and restore a store
    #[command(subcommand)]
    Ctl(Ctl),
}

#[derive(Debug, Args)]
struct Doctor {
    /// Ask whether so many connections fit [default: those that the configuration promises]
    #[arg(long, value_name = "N")]
    connections: Option<u64>,
    /// Configuration file (TOML) to examine the host for
    #[arg(long, value_name = "FILE", env = "GATEHOUSE_CONFIG")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

const SERVE_HELP: &str = "\
Flags go over environment variables, and those over the file. Every key of the file that is not \
about a single listener has its variable: GATEHOUSE_REACTORS=4, GATEHOUSE_LIMITS__CONNECTIONS=1000 \
(two underscores after the section). All keys: gatehouse.toml, docs/configuration.md";

#[derive(Debug, Args)]
struct Serve {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "GATEHOUSE_CONFIG")]
    config: Option<PathBuf>,
    /// Address for browsers and WebSocket clients: of the first websocket listener, which is added
    /// if there is none. Port 0 lets the system choose
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Address for TCP clients: of the first TCP listener, which is added (len4be) if there is none
    #[arg(long, value_name = "ADDR")]
    tcp: Option<SocketAddr>,
    /// Address of the admin listener: /metrics, /healthz, /readyz, /debug/pprof/profile, and a
    /// dashboard at /; off for none. Other hosts need a token [default: 127.0.0.1:8082]
    #[arg(long, value_name = "ADDR")]
    admin: Option<String>,
    /// Threads that serve connections [default: one per core; half of the cores beyond 4]
    #[arg(long, value_name = "N")]
    reactors: Option<usize>,
    /// Threads that work on messages [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Clients told per second when the server stops, so that they do not all come back at once
    /// [default: all at once]
    #[arg(long, value_name = "N")]
    drain_rate: Option<u32>,
    /// What is logged to stderr: this and everything more urgent [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = ["off", "error", "warn", "info", "debug"])]
    log: Option<String>,
    /// How a line of the log looks [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    log_format: Option<String>,
}

#[derive(Debug, Args)]
struct Echo {
    /// Address of the WebSocket listener. Port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9001")]
    listen: SocketAddr,
    /// Address of a TCP listener [default: none]
    #[arg(long, value_name = "ADDR")]
    tcp: Option<SocketAddr>,
    /// Address of the admin listener, one of this host alone: /metrics, /healthz, /readyz,
    /// /debug/pprof/profile, and a dashboard at / [default: none]
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Framing of the TCP listener
    #[arg(long, value_name = "NAME", default_value = "len4be", requires = "tcp")]
    #[arg(value_parser = ["len1", "len2be", "len2le", "len4be", "len4le", "ndjson"])]
    framing: String,
    /// Certificate (PEM, with those that lead to a root): all listeners speak TLS
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Threads in which the echo runs: those that serve connections, or workers of their own
    #[arg(long, value_name = "WHERE", value_enum, default_value = "reactor")]
    placement: Where,
    /// Threads that serve connections [default: one per core; half of the cores beyond 4]
    #[arg(long, value_name = "N", value_parser = threads)]
    reactors: Option<usize>,
    /// Threads that work on messages [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    workers: Option<usize>,
    /// Largest message, in bytes or with a unit. TCP framings take less where their length cannot
    /// count so far
    #[arg(long, value_name = "SIZE", default_value = "32MiB", value_parser = size)]
    message_bytes_max: usize,
    /// Clients told per second when the server stops [default: all at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    drain_rate: Option<u32>,
    /// Compress WebSocket messages for clients that offer permessage-deflate
    #[arg(long, value_name = "HOW", value_enum, default_value = "off")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "shared")]
    deflate: Deflate,
    /// Send the body of a POST to /broadcast to every connection; it is answered with 202
    #[arg(long)]
    broadcast: bool,
    /// Seconds of silence after which a WebSocket connection is pinged, and after twice as many any
    /// connection closed; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = IDLE_SECONDS)]
    #[arg(value_parser = clap::value_parser!(u32).range(..=86_400))]
    idle: u32,
    /// Stop when standard input ends: for programs that start this one, and may end before it
    #[arg(long)]
    until_eof: bool,
    /// What is logged to stderr: this and everything more urgent
    #[arg(long, value_name = "LEVEL", value_enum, default_value = "warn")]
    log: LogLevel,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Where {
    Reactor,
    Worker,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("a number from 1 to 1024 is wanted".to_owned()),
    }
}

fn size(text: &str) -> Result<usize, String> {
    match text.parse()? {
        Size(bytes @ 1..=0x7fff_ffff) => Ok(bytes),
        Size(_) => Err("1 byte to 2GiB is what can be echoed".to_owned()),
    }
}

fn main() -> ExitCode {
    network::sys::return_large_blocks();
    let outcome = match Cli::parse().command {
        Command::Serve(options) => serve(options),
        Command::Echo(options) => run_echo(&options),
        Command::CheckConfig { file } => check_config(&file),
        Command::Doctor(options) => match run_doctor(&options) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
        Command::Ctl(ctl) => match ctl::run(&ctl) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The error alone: its sources are part of what it says.
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            let _ = writeln!(anstream::stderr(), "{red}error:{red:#} {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Serve) -> anyhow::Result<()> {
    let config = load(&options)?;
    let signals = Signals::block().context("cannot block signals")?;
    let _log = log::start(config.log_level, config.log_format);
    run(
        signals,
        config.shutdown,
        || Ok(Node::start(&config)?),
        announce,
        |node| reload(node, &options),
    )
}

fn load(options: &Serve) -> Result<Config, ConfigError> {
    let file = options.config.as_deref();
    Config::load(file, std::env::vars_os(), options.settings())
}

/// Takes over what SIGHUP is for: the TLS of listeners that are there.
fn reload(node: &Node, options: &Serve) {
    match load(options) {
        Ok(config) => node.reload_tls(|name| {
            let listener = config.listeners.iter().find(|l| l.name == name)?;
            listener.tls.clone()
        }),
        Err(error) => tracing::error!(%error, "{NOT_RELOADED}"),
    }
}

fn run_echo(options: &Echo) -> anyhow::Result<()> {
    let signals = Signals::block().context("cannot block signals")?;
    let _log = log::start(options.log.into(), Format::Text);
    let framing = echo::framing(&options.framing, options.message_bytes_max)
        .context("the framing cannot take such messages")?;
    let config = EchoConfig {
        listen: options.listen,
        tcp: options.tcp.map(|addr| (addr, framing)),
        placement: options.placement.into(),
        reactors: options.reactors.unwrap_or(0),
        workers: options.workers.unwrap_or(0),
        message_bytes_max: options.message_bytes_max,
        tls: options
            .tls_cert
            .clone()
            .zip(options.tls_key.clone())
            .map(|(cert, key)| CertificateFiles { cert, key }),
        deflate: options.deflate,
        admin: options.admin.map(AdminConfig::new),
        broadcast: options.broadcast,
        idle_seconds: options.idle,
    };
    if options.until_eof {
        signal::end_at_eof().context("cannot start the thread for standard input")?;
    }
    let listening = |node: &Node| {
        let mut out = anstream::stdout();
        for listener in node.listeners() {
            writeln!(out, "listening {listener}")?;
        }
        if let Some(addr) = node.admin_addr() {
            writeln!(out, "admin http://{addr}/")?;
        }
        out.flush()
    };
    run(
        signals,
        Drain {
            per_second: options.drain_rate,
            ..Drain::within(ECHO_SHUTDOWN_SECONDS)
        },
        || Ok(echo::start(&config)?),
        listening,
        |node| node.reload_tls(|name| config.tls_settings(name)),
    )
}

/// Starts a node, says so, reloads when asked, waits for a signal that ends it, and stops it.
fn run(
    signals: Signals,
    drain: Drain,
    start: impl FnOnce() -> anyhow::Result<Node>,
    announce: impl FnOnce(&Node) -> std::io::Result<()>,
    reload: impl Fn(&Node),
) -> anyhow::Result<()> {
    let (requests, asked) = signals
        .watch()
        .context("cannot start the thread for signals")?;
    let node = start()?;
    let health = node.health().clone();
    health.on_failure(move |_| {
        // Without a receiver the program is ending already.
        let _ = requests.send(Request::Fail);
    });
    if let Err(error) = announce(&node) {
        // A server that nobody watches start is a server all the same.
        tracing::debug!(%error, "cannot write to stdout");
    }
    loop {
        match asked.recv() {
            Ok(Request::Reload) => reload(&node),
            Ok(Request::End(signal)) => {
                tracing::info!(signal = signal.as_str(), "asked to stop");
                break;
            }
            Ok(Request::Fail) => break,
            Err(_) => {
                tracing::error!("signals can no longer be waited for");
                break;
            }
        }
    }
    node.stop(drain)?;
    match health.failure() {
        None => Ok(()),
        // A part of a node is not what was asked for: whoever supervises it starts it anew.
        Some(failure) => {
            anyhow::bail!("{failure}; the others were drained, and the node has to be started anew")
        }
    }
}

/// What an operator wants to know first: what listens where, and where to look.
fn announce(node: &Node) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    let (bold, link) = (Style::new().bold(), Style::new().underline());
    let listeners = node.listeners();
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut listeners.iter().map(|l| l.name.chars().count()));
    let urls = width(&mut listeners.iter().map(|l| l.to_string().len()));
    writeln!(
        out,
        "{bold}gatehouse {}{bold:#}\n",
        env!("CARGO_PKG_VERSION")
    )?;
    for listener in listeners {
        let (name, url) = (&listener.name, listener.to_string());
        writeln!(
            out,
            "  {bold}{name:names$}{bold:#}  {url:urls$}  {}",
            listener.framing
        )?;
    }
    writeln!(out)?;
    for url in listeners.iter().filter_map(|listener| listener.page_url()) {
        writeln!(out, "  chat page: {link}{url}{link:#}")?;
    }
    if let Some(addr) = node.admin_addr() {
        writeln!(out, "  dashboard: {link}http://{addr}/{link:#}")?;
    }
    writeln!(out, "  {}", node.room())?;
    writeln!(out, "  Ctrl-C stops the server")?;
    out.flush()
}

fn check_config(file: &Path) -> anyhow::Result<()> {
    let config = Config::load(Some(file), std::env::vars_os(), Vec::new())?;
    // A certificate that is not valid now is no error, but worth a word.
    let log = log::start(Level::Warn, Format::Text);
    config.check_files()?;
    drop(log);
    let mut out = anstream::stdout();
    writeln!(out, "# {} is valid, and means:\n", file.display())?;
    write!(out, "{config}")?;
    Ok(())
}

/// Whether all fits.
fn run_doctor(options: &Doctor) -> anyhow::Result<bool> {
    let config = Config::load(options.config.as_deref(), std::env::vars_os(), Vec::new())?;
    let facts = HostFacts::read(Path::new("/"));
    let examination = Examination::new(facts, &config, options.connections);
    let mut out = anstream::stdout();
    if options.json {
        doctor::write_json(&mut out, &examination)?;
    } else {
        doctor::write_text(&mut out, &examination)?;
    }
    out.flush()?;
    Ok(examination.fits)
}

impl Serve {
    fn settings(&self) -> Vec<Setting> {
        let flags = [
            (
                "--listen",
                "listen",
                self.listen.map(|addr| addr.to_string()),
            ),
            ("--tcp", "tcp", self.tcp.map(|addr| addr.to_string())),
            ("--admin", "admin.listen", self.admin.clone()),
            (
                "--reactors",
                "reactors",
                self.reactors.map(|threads| threads.to_string()),
            ),
            (
                "--workers",
                "workers",
                self.workers.map(|threads| threads.to_string()),
            ),
            (
                "--drain-rate",
                "shutdown.drain_rate",
                self.drain_rate.map(|rate| rate.to_string()),
            ),
            ("--log", "log.level", self.log.clone()),
            ("--log-format", "log.format", self.log_format.clone()),
        ];
        flags
            .into_iter()
            .filter_map(|(name, path, value)| Some(Setting::flag(name, path, value?)))
            .collect()
    }
}

impl From<Where> for Placement {
    fn from(place: Where) -> Self {
        match place {
            Where::Reactor => Self::Reactor,
            Where::Worker => Self::Worker,
        }
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::Off,
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
        }
    }
}
