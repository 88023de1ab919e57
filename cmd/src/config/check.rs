//! From what was typed to what it means: defaults, ranges, and how values stand to each other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use common::{REACTORS_MAX, limits};
use gate::{CloseReason, DeflateConfig, Drain, Limits, ListenOptions, Overflow, Rate, TcpFraming};
use module::storage::sqlite::{Location, Retention, Rules, StoreConfig};
use toml::Spanned;

use super::error::ConfigError;
use super::raw::{
    Format, FramingName, Level, OverflowPolicy, RawCompression, RawConfig, RawLimits, RawListener,
    RawRate, RawShutdown, RawStore, Typed,
};
use super::source::Sources;
use super::value::{Address, Auto, Cap, Keep, Networks, Number, OriginRule, Seconds, Size};
use super::{
    Config, IN_MEMORY, ListenerConfig, MEMORY_BYTES_MIN, SHUTDOWN_SECONDS, Speech, limits_default,
    memory_default, reactors_default, workers_default,
};

pub(super) type Checked<T> = Result<T, ConfigError>;

/// More threads than this is a slip of the finger on any host there is.
const WORKERS_MAX: usize = 1024;
/// Most messages of a burst. A session is closed after twice as many that came too fast, and the
/// gate counts those in 16 bits.
const BURST_MAX: usize = 32_767;
/// Most messages per second: beyond a million, "unlimited" is meant.
const PER_SECOND_MAX: usize = 1_000_000;
/// Most inboxes that one message is entered in: a transaction of so many rows takes tens of
/// milliseconds.
const FANOUT_MAX: usize = 10_000;
/// Most bytes of a size that ends up in 32 bits.
const BYTES_MAX: usize = u32::MAX as usize;
/// What a frame needs beside its payload: the longest header, that of a WebSocket server's frame
/// (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 10;
/// Listeners if the file has none.
const WEB: (&str, SocketAddr, FramingName) = ("web", local(8080), FramingName::WebSocket);
const TCP: (&str, SocketAddr, FramingName) = ("tcp", local(8081), FramingName::Len4be);

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

pub(super) fn check(sources: &Sources, raw: RawConfig) -> Checked<Config> {
    let check = Check {
        sources,
        limits: &raw.limits,
        trusted_proxies: or(&raw.trusted_proxies, Networks::default()),
    };
    let limits = check.limits(&raw.limits, &limits_default())?;
    let mut store = check.store(&raw.store)?;
    let attachments = check.attachments(&raw.attachments, &mut store)?;
    let raw_listeners = placed(&raw);
    let mut listeners: Vec<ListenerConfig> = Vec::with_capacity(raw_listeners.len());
    for listener in &raw_listeners {
        let checked = check.listener(listener, &limits)?;
        for (other, known) in raw_listeners.iter().zip(&listeners) {
            check.distinct((other, known), (listener, &checked))?;
        }
        listeners.push(checked);
    }
    Ok(Config {
        reactors: check.threads(&raw.reactors, reactors_default(), REACTORS_MAX)?,
        workers: check.threads(&raw.workers, workers_default(), WORKERS_MAX)?,
        private_fd_tables: or(&raw.private_fd_tables, cfg!(target_os = "linux")),
        connections_max: check.cap(&raw.connections, usize::MAX)?,
        mailbox_events_max: check.number(
            &raw.mailbox_events,
            limits::MAILBOX_EVENTS_MAX,
            1..=BYTES_MAX,
        )?,
        memory_bytes_max: check.memory(&raw.memory)?,
        context_bytes_max: or(&raw.compression_memory, Size(limits::CONTEXT_BYTES_MAX)).0,
        accounts: check.accounts(&raw.accounts, &raw.webhooks, &store.location)?,
        attachments,
        store,
        webhooks: check.webhooks(&raw)?,
        log_level: or(&raw.log.level, Level::Info),
        log_format: or(&raw.log.format, Format::Text),
        admin: check.admin(&raw, &listeners)?,
        shutdown: check.shutdown(&raw.shutdown)?,
        trusted_proxies: check.trusted_proxies.0,
        limits,
        listeners,
    })
}

/// The listeners, with the addresses of `listen` and `tcp` in their places.
fn placed(raw: &RawConfig) -> Vec<Spanned<RawListener>> {
    let mut listeners = raw.listener.clone();
    let none = listeners.is_empty();
    for (address, (name, default, framing)) in [(&raw.listen, WEB), (&raw.tcp, TCP)] {
        let fits = |listener: &Spanned<RawListener>| {
            let framing_of = or(&listener.get_ref().framing, FramingName::WebSocket);
            (framing_of == FramingName::WebSocket) == (framing == FramingName::WebSocket)
        };
        if let (Some(address), Some(first)) = (
            address,
            listeners.iter_mut().find(|listener| fits(listener)),
        ) {
            first.get_mut().listen = Some(address.clone());
        } else if none || address.is_some() {
            let address = address
                .clone()
                .unwrap_or_else(|| Spanned::new(0..0, Address(default)));
            let span = address.span();
            let listener = RawListener {
                name: Some(Spanned::new(span.clone(), name.to_owned())),
                listen: Some(address),
                framing: Some(Spanned::new(span.clone(), framing)),
                ..RawListener::default()
            };
            listeners.push(Spanned::new(span, listener));
        }
    }
    listeners
}

pub(super) fn or<T: Clone>(typed: &Typed<T>, default: T) -> T {
    typed
        .as_ref()
        .map_or(default, |typed| typed.get_ref().clone())
}

/// The folder that a listener serves.
fn folder(raw: &RawListener) -> Option<PathBuf> {
    let folder = raw.files.as_ref()?.get_ref();
    (!folder.is_empty()).then(|| PathBuf::from(folder))
}

pub(super) struct Check<'a> {
    pub(super) sources: &'a Sources,
    /// `[limits]`, whose values may be the cause of what is wrong with a listener.
    limits: &'a RawLimits,
    /// Those of listeners that have none of their own.
    trusted_proxies: Networks,
}

impl Check<'_> {
    pub(super) fn refuse<T, V>(
        &self,
        typed: &Spanned<T>,
        message: impl Into<String>,
    ) -> Checked<V> {
        Err(self.sources.refuse(typed.span(), message))
    }

    fn range<T>(
        &self,
        typed: &Spanned<T>,
        number: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Checked<()> {
        if range.contains(&number) {
            return Ok(());
        }
        let (least, most) = range.into_inner();
        self.refuse(typed, format!("{number} is outside {least} to {most}"))
    }

    pub(super) fn number(
        &self,
        typed: &Typed<Number>,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Checked<usize> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        let number = typed.get_ref().0;
        self.range(typed, number, range).map(|()| number)
    }

    fn threads(&self, typed: &Typed<Auto<Number>>, default: usize, most: usize) -> Checked<usize> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        let Some(Number(threads)) = typed.get_ref().value() else {
            return Ok(default);
        };
        self.range(typed, threads, 1..=most).map(|()| threads)
    }

    fn cap(&self, typed: &Typed<Cap>, default: usize) -> Checked<usize> {
        match typed {
            Some(typed) if *typed.get_ref() == Cap::At(0) => self.refuse(
                typed,
                "0 would let nobody in; write \"unlimited\" for no cap",
            ),
            Some(typed) => Ok(typed.get_ref().most()),
            None => Ok(default),
        }
    }

    fn size(&self, typed: &Typed<Size>, default: usize) -> Checked<usize> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        match typed.get_ref().0 {
            0 => self.refuse(typed, "0 bytes would let nothing through"),
            bytes if bytes > BYTES_MAX => self.refuse(typed, "beyond 4GiB"),
            bytes => Ok(bytes),
        }
    }

    fn memory(&self, typed: &Typed<Auto<Size>>) -> Checked<usize> {
        let Some(typed) = typed else {
            return Ok(memory_default());
        };
        match typed.get_ref().value() {
            None => Ok(memory_default()),
            Some(Size(bytes)) if bytes < MEMORY_BYTES_MIN => self.refuse(
                typed,
                format!("less than {} is not enough", Size(MEMORY_BYTES_MIN)),
            ),
            Some(Size(bytes)) => Ok(bytes),
        }
    }

    fn store(&self, raw: &RawStore) -> Checked<StoreConfig> {
        let default = StoreConfig::default();
        let seconds = |time: Duration| time.as_secs() as u32;
        let time = |typed, default: Duration| -> Checked<Duration> {
            let seconds = self.seconds(typed, seconds(default), 1)?;
            Ok(Duration::from_secs(seconds.into()))
        };
        let location = match raw.path.as_ref().map(Spanned::get_ref) {
            None => default.location,
            Some(path) if path == IN_MEMORY => Location::Memory,
            Some(path) if path.trim().is_empty() => {
                let message = format!("a directory, or \"{IN_MEMORY}\"");
                return Err(self
                    .sources
                    .refuse(span(&raw.path).unwrap_or_default(), message));
            }
            Some(path) => Location::Directory(self.sources.directory().join(path)),
        };
        let inbox = time(&raw.inbox, default.retention.inbox)?;
        let messages = match &raw.messages {
            None => default.retention.messages,
            Some(typed) => match *typed.get_ref() {
                Keep::Forever => None,
                Keep::For(Seconds(kept)) if u64::from(kept) < inbox.as_secs() => {
                    return self.refuse(
                        typed,
                        "shorter than `inbox`, whose entries stand for messages that are kept",
                    );
                }
                Keep::For(Seconds(kept)) => Some(Duration::from_secs(kept.into())),
            },
        };
        Ok(StoreConfig {
            location,
            check: or(&raw.check, default.check),
            rules: Rules {
                recall_window: time(&raw.recall, default.rules.recall_window)?,
                fanout_limit: self.number(
                    &raw.fanout_limit,
                    default.rules.fanout_limit,
                    1..=FANOUT_MAX,
                )?,
                ..default.rules
            },
            retention: Retention {
                inbox,
                messages,
                ..default.retention
            },
            ..default
        })
    }

    fn shutdown(&self, raw: &RawShutdown) -> Checked<Drain> {
        let per_second = match &raw.drain_rate {
            Some(typed) => match typed.get_ref() {
                Cap::Unlimited => None,
                Cap::At(rate) => {
                    self.range(typed, *rate, 1..=1_000_000)?;
                    Some(*rate as u32)
                }
            },
            None => None,
        };
        let reason = match &raw.close_code {
            Some(typed) => match typed.get_ref().0 {
                1001 => CloseReason::Shutdown,
                1012 => CloseReason::Restart,
                _ => return self.refuse(typed, "1012 (service restart) or 1001 (going away)"),
            },
            None => CloseReason::Restart,
        };
        Ok(Drain {
            seconds: self.seconds(&raw.deadline, SHUTDOWN_SECONDS, 1)?,
            per_second,
            reason,
        })
    }

    pub(super) fn seconds(&self, typed: &Typed<Seconds>, default: u32, least: u32) -> Checked<u32> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        match typed.get_ref().0 {
            seconds if seconds < least => self.refuse(
                typed,
                format!("less than {least}s would leave no time at all"),
            ),
            seconds => Ok(seconds),
        }
    }

    fn limits(&self, raw: &RawLimits, default: &Limits) -> Checked<Limits> {
        let limits = Limits {
            connections_max: self.cap(&raw.connections, default.connections_max)?,
            connections_per_address_max: self.cap(
                &raw.connections_per_address,
                default.connections_per_address_max,
            )?,
            message_bytes_max: self.size(&raw.message_bytes, default.message_bytes_max)?,
            body_bytes_max: self.size(&raw.body_bytes, default.body_bytes_max)?,
            message_rate: self.rate(&raw.message_rate, default.message_rate)?,
            outbox_bytes_max: self.size(&raw.outbox_bytes, default.outbox_bytes_max)?,
            overflow: match raw.overflow.as_ref().map(Spanned::get_ref) {
                Some(OverflowPolicy::Close) => Overflow::Close,
                Some(OverflowPolicy::DropNewest) => Overflow::DropNewest,
                Some(OverflowPolicy::DropOldest) => Overflow::DropOldest,
                Some(OverflowPolicy::Latest) => Overflow::Latest,
                None => default.overflow,
            },
            handshake_seconds: self.seconds(&raw.handshake, default.handshake_seconds, 1)?,
            frame_seconds: self.seconds(&raw.frame, default.frame_seconds, 1)?,
            auth_seconds: self.seconds(&raw.auth, default.auth_seconds, 0)?,
            idle_seconds: self.seconds(&raw.idle, default.idle_seconds, 0)?,
            close_seconds: self.seconds(&raw.close, default.close_seconds, 1)?,
        };
        let (each, all) = (limits.connections_per_address_max, limits.connections_max);
        if each != usize::MAX
            && each > all
            && let Some(place) =
                span(&raw.connections_per_address).or_else(|| span(&raw.connections))
        {
            let message = format!("connections_per_address ({each}) is above connections ({all})");
            return Err(self.sources.refuse(place, message));
        }
        Ok(limits)
    }

    /// A message that an outbox could never hold would close everyone it is sent to.
    fn outbox_holds(
        &self,
        limits: &Limits,
        (key, bytes): (&str, usize),
        places: [Option<Range<usize>>; 4],
    ) -> Checked<()> {
        let outbox = limits.outbox_bytes_max;
        if outbox >= bytes + HEADER_BYTES_MAX {
            return Ok(());
        }
        let message = format!(
            "outbox_bytes ({}) has no room for a message of {key} ({}) and its header",
            Size(outbox),
            Size(bytes)
        );
        // The defaults hold together, so one of the values was typed.
        Err(self
            .sources
            .refuse(places.into_iter().flatten().next().unwrap_or(0..0), message))
    }

    fn rate(&self, typed: &Typed<RawRate>, default: Option<Rate>) -> Checked<Option<Rate>> {
        let Some(typed) = typed else {
            return Ok(default);
        };
        let RawRate::Limited(raw) = typed.get_ref() else {
            return Ok(None);
        };
        let fallback = default.unwrap_or(super::MESSAGE_RATE);
        let per_second = self.number(
            &raw.per_second,
            fallback.per_second as usize,
            1..=PER_SECOND_MAX,
        )?;
        let burst = self.number(&raw.burst, fallback.burst as usize, 1..=BURST_MAX)?;
        Ok(Some(Rate {
            per_second: per_second as u32,
            burst: burst as u32,
        }))
    }

    fn listener(
        &self,
        spanned: &Spanned<RawListener>,
        default: &Limits,
    ) -> Checked<ListenerConfig> {
        let raw = spanned.get_ref();
        let Some(Address(addr)) = raw.listen.as_ref().map(Spanned::get_ref).copied() else {
            return self.refuse(spanned, "a listener needs `listen = \"IP:PORT\"`");
        };
        let framing = or(&raw.framing, FramingName::WebSocket);
        let limits = self.limits(&raw.limits, default)?;
        let speech = match framing {
            FramingName::WebSocket => self.websocket(raw, &limits)?,
            framing => self.tcp(raw, framing, &limits)?,
        };
        let compression = match speech {
            Speech::WebSocket { .. } => self.compression(&raw.compression)?,
            Speech::Tcp(_) => None,
        };
        let name = match &raw.name {
            Some(name) if name.get_ref().trim().is_empty() => {
                return self.refuse(name, "a listener's name is not empty");
            }
            Some(name) => name.get_ref().clone(),
            None => framing.as_str().to_owned(),
        };
        let buffer = |typed: &Typed<Auto<Size>>| match typed {
            Some(typed) => match typed.get_ref().value() {
                Some(size) => self
                    .size(&Some(Spanned::new(typed.span(), size)), 0)
                    .map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        };
        let options = ListenOptions {
            backlog: self.number(
                &raw.backlog,
                ListenOptions::default().backlog as usize,
                1..=i32::MAX as usize,
            )? as i32,
            receive_buffer_bytes: buffer(&raw.receive_buffer)?,
            send_buffer_bytes: buffer(&raw.send_buffer)?,
        };
        let trusted_proxies = or(&raw.trusted_proxies, self.trusted_proxies.clone()).0;
        Ok(ListenerConfig {
            name,
            addr,
            speech,
            files: folder(raw).map(|folder| self.sources.directory().join(folder)),
            origins: or(&raw.origins, OriginRule::default()).0,
            compression,
            limits,
            options,
            tls: self.tls(raw)?,
            proxy_protocol: self.proxy_protocol(raw, &trusted_proxies)?,
            trusted_proxies,
        })
    }

    fn websocket(&self, raw: &RawListener, limits: &Limits) -> Checked<Speech> {
        for (key, typed) in [("min_frame", &raw.min_frame), ("max_frame", &raw.max_frame)] {
            if let Some(typed) = typed {
                let message = format!(
                    "{key} is for TCP framings; a websocket listener has `message_bytes` in \
                     [listener.limits]"
                );
                return self.refuse(typed, message);
            }
        }
        let places = [
            span(&raw.limits.outbox_bytes),
            span(&raw.limits.message_bytes),
            span(&self.limits.outbox_bytes),
            span(&self.limits.message_bytes),
        ];
        self.outbox_holds(limits, ("message_bytes", limits.message_bytes_max), places)?;
        let files = folder(raw).is_some();
        if let Some(page) = &raw.page
            && *page.get_ref()
            && files
        {
            return self.refuse(
                page,
                "the chat page and `files` would both be at /; leave out one of them",
            );
        }
        Ok(Speech::WebSocket {
            page: or(&raw.page, !files),
        })
    }

    fn compression(&self, typed: &Typed<RawCompression>) -> Checked<Option<DeflateConfig>> {
        let default = DeflateConfig::default();
        let raw = match typed.as_ref().map(Spanned::get_ref) {
            None | Some(RawCompression::Shared) => return Ok(Some(default)),
            Some(RawCompression::Off) => return Ok(None),
            Some(RawCompression::Deflate(raw)) => raw,
        };
        let level = self.number(&raw.level, default.level.into(), 1..=9)?;
        let bits = default.server_max_window_bits.into();
        let window_bits = self.number(&raw.window_bits, bits, 9..=15)?;
        Ok(Some(DeflateConfig {
            level: level as u8,
            threshold_bytes: or(&raw.threshold, Size(default.threshold_bytes)).0,
            server_max_window_bits: window_bits as u8,
            server_context_takeover: or(&raw.server_takeover, default.server_context_takeover),
            client_context_takeover: or(&raw.client_takeover, default.client_context_takeover),
            ..default
        }))
    }

    fn tcp(&self, raw: &RawListener, framing: FramingName, limits: &Limits) -> Checked<Speech> {
        let name = framing.as_str();
        if let Some(page) = &raw.page {
            return self.refuse(
                page,
                format!("{name} cannot serve a page; a websocket listener can"),
            );
        }
        if let Some(files) = &raw.files {
            return self.refuse(
                files,
                format!("{name} cannot serve files; a websocket listener can"),
            );
        }
        if let Some(origins) = &raw.origins {
            let message =
                format!("browsers do not speak {name}; origins are for websocket listeners");
            return self.refuse(origins, message);
        }
        if let Some(compression) = &raw.compression {
            return self.refuse(
                compression,
                format!("{name} knows no compression; WebSocket does"),
            );
        }
        for (key, typed) in [
            ("message_bytes", &raw.limits.message_bytes),
            ("body_bytes", &raw.limits.body_bytes),
        ] {
            if let Some(typed) = typed {
                let message = format!("{key} is for websocket listeners; {name} has `max_frame`");
                return self.refuse(typed, message);
            }
        }
        let named = TcpFraming::named(name).expect("every name here is one that the codec knows");
        let least = self.size(&raw.min_frame, named.frame_bytes_min() as usize)?;
        let most = self.size(&raw.max_frame, named.frame_bytes_max() as usize)?;
        let frame = span(&raw.max_frame).or_else(|| span(&raw.min_frame));
        let framing = match named.with_frame_bytes(least as u32, most as u32) {
            Ok(framing) => framing,
            // The defaults hold together, so one of the two was typed.
            Err(error) => {
                let place = frame.unwrap_or(0..0);
                let message = format!("min_frame, max_frame of {name}: {error}");
                return Err(self.sources.refuse(place, message));
            }
        };
        let places = [
            span(&raw.limits.outbox_bytes),
            frame,
            span(&self.limits.outbox_bytes),
            None,
        ];
        self.outbox_holds(limits, ("max_frame", most), places)?;
        Ok(Speech::Tcp(framing))
    }

    /// Two listeners have two names and two addresses.
    fn distinct(
        &self,
        (raw_a, a): (&Spanned<RawListener>, &ListenerConfig),
        (raw_b, b): (&Spanned<RawListener>, &ListenerConfig),
    ) -> Checked<()> {
        let later =
            |a: Range<usize>, b: Range<usize>| if a.start > b.start { (a, b) } else { (b, a) };
        let place = |span: Range<usize>| match span {
            Range { start: 0, end: 0 } => "a default".to_owned(),
            span => format!("at {}", self.sources.place(span)),
        };
        if a.name == b.name {
            let spans =
                [raw_a, raw_b].map(|raw| span(&raw.get_ref().name).unwrap_or_else(|| raw.span()));
            let [first, second] = spans;
            let (here, there) = later(first, second);
            let message = format!(
                "two listeners are called `{}`; the other is {}",
                a.name,
                place(there)
            );
            return Err(self.sources.refuse(here, message));
        }
        if overlap(a.addr, b.addr) {
            let spans =
                [raw_a, raw_b].map(|raw| span(&raw.get_ref().listen).unwrap_or_else(|| raw.span()));
            let [first, second] = spans;
            let (here, there) = later(first, second);
            let message = format!(
                "listeners `{}` ({}) and `{}` ({}) want the same address; the other is {}",
                a.name,
                a.addr,
                b.name,
                b.addr,
                place(there)
            );
            return Err(self.sources.refuse(here, message));
        }
        Ok(())
    }
}

pub(super) fn span<T>(typed: &Typed<T>) -> Option<Range<usize>> {
    typed.as_ref().map(Spanned::span)
}

/// Whether the kernel would refuse one of the two because of the other.
pub(super) fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() == b.port()
        && a.port() != 0
        && (a.ip() == b.ip()
            || a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()))
}
