//! The way back: the file that means a configuration, with every key set.

use std::path::Path;
use std::time::Duration;

use gate::{DeflateConfig, Limits, Overflow, Rate};
use module::storage::sqlite::{Location, StoreConfig};
use toml::Spanned;

use super::accounts::accounts_to_typed;
use super::admin::admin_to_typed;
use super::attachments::attachments_to_typed;
use super::raw::{
    FramingName, OverflowPolicy, Protocol, RawCompression, RawConfig, RawDeflate, RawLimitedRate,
    RawLimits, RawListener, RawLog, RawRate, RawShutdown, RawStore, Typed,
};
use super::tls::{proxy_protocol_to_typed, tls_to_typed};
use super::value::{Address, Auto, Cap, Keep, Networks, Number, OriginRule, Seconds, Size};
use super::webhooks::webhooks_to_typed;
use super::{Config, IN_MEMORY, ListenerConfig, Speech};

pub(super) fn typed<T>(value: T) -> Typed<T> {
    Some(Spanned::new(0..0, value))
}

impl Config {
    /// The file that means this configuration, with every key set, except `listen` and `tcp`,
    /// which stand in the listeners.
    #[must_use]
    pub fn to_typed(&self) -> RawConfig {
        let listeners = self.listeners.iter();
        RawConfig {
            listen: None,
            tcp: None,
            reactors: typed(Auto::Is(Number(self.reactors))),
            workers: typed(Auto::Is(Number(self.workers))),
            private_fd_tables: typed(self.private_fd_tables),
            connections: typed(Cap::of(self.connections_max)),
            mailbox_events: typed(Number(self.mailbox_events_max)),
            memory: typed(Auto::Is(Size(self.memory_bytes_max))),
            compression_memory: typed(Size(self.context_bytes_max)),
            store: store_to_typed(&self.store),
            accounts: accounts_to_typed(&self.accounts),
            attachments: attachments_to_typed(&self.attachments, &self.store),
            webhooks: webhooks_to_typed(self.webhooks.as_ref(), &self.accounts),
            log: RawLog {
                level: typed(self.log_level),
                format: typed(self.log_format),
            },
            admin: admin_to_typed(self.admin.as_ref()),
            shutdown: RawShutdown {
                deadline: typed(Seconds(self.shutdown.seconds)),
                drain_rate: typed(Cap::of(
                    self.shutdown
                        .per_second
                        .map_or(usize::MAX, |rate| rate as usize),
                )),
                close_code: typed(Number(
                    self.shutdown.reason.ws_code().unwrap_or_default().into(),
                )),
            },
            trusted_proxies: typed(Networks(self.trusted_proxies.clone())),
            limits: limits_to_typed(&self.limits),
            listener: listeners
                .map(|l| Spanned::new(0..0, listener_to_typed(l)))
                .collect(),
        }
    }
}

fn store_to_typed(store: &StoreConfig) -> RawStore {
    let seconds = |time: Duration| Seconds(time.as_secs() as u32);
    let retention = &store.retention;
    RawStore {
        path: typed(match &store.location {
            Location::Memory => IN_MEMORY.to_owned(),
            Location::Directory(directory) => directory.display().to_string(),
        }),
        check: typed(store.check),
        inbox: typed(seconds(retention.inbox)),
        messages: typed(
            retention
                .messages
                .map_or(Keep::Forever, |time| Keep::For(seconds(time))),
        ),
        recall: typed(seconds(store.rules.recall_window)),
        fanout_limit: typed(Number(store.rules.fanout_limit)),
    }
}

fn listener_to_typed(listener: &ListenerConfig) -> RawListener {
    let mut limits = limits_to_typed(&listener.limits);
    let mut raw = RawListener {
        name: typed(listener.name.clone()),
        listen: typed(Address(listener.addr)),
        framing: typed(FramingName::WebSocket),
        protocol: typed(Protocol::Native),
        trusted_proxies: typed(Networks(listener.trusted_proxies.clone())),
        backlog: typed(Number(listener.options.backlog as usize)),
        receive_buffer: typed(Auto::of(listener.options.receive_buffer_bytes.map(Size))),
        send_buffer: typed(Auto::of(listener.options.send_buffer_bytes.map(Size))),
        proxy_protocol: proxy_protocol_to_typed(listener.proxy_protocol),
        tls: listener.tls.as_ref().map(tls_to_typed).and_then(typed),
        ..RawListener::default()
    };
    match listener.speech {
        Speech::WebSocket { page } => {
            let files = listener.files.as_deref().unwrap_or_else(|| Path::new(""));
            raw.page = typed(page);
            raw.origins = typed(OriginRule(listener.origins.clone()));
            raw.files = typed(files.display().to_string());
            raw.compression = typed(compression_to_typed(listener.compression.as_ref()));
        }
        Speech::Tcp(framing) => {
            raw.framing = FramingName::named(framing.name()).and_then(typed);
            raw.min_frame = typed(Size(framing.frame_bytes_min() as usize));
            raw.max_frame = typed(Size(framing.frame_bytes_max() as usize));
            // Keys of websocket listeners.
            limits.message_bytes = None;
            limits.body_bytes = None;
        }
    }
    raw.limits = limits;
    raw
}

fn compression_to_typed(compression: Option<&DeflateConfig>) -> RawCompression {
    compression.map_or(RawCompression::Off, |deflate| {
        RawCompression::Deflate(RawDeflate {
            level: typed(Number(deflate.level.into())),
            threshold: typed(Size(deflate.threshold_bytes)),
            window_bits: typed(Number(deflate.server_max_window_bits.into())),
            server_takeover: typed(deflate.server_context_takeover),
            client_takeover: typed(deflate.client_context_takeover),
        })
    })
}

fn limits_to_typed(limits: &Limits) -> RawLimits {
    let rate = |Rate { per_second, burst }| {
        RawRate::Limited(RawLimitedRate {
            per_second: typed(Number(per_second as usize)),
            burst: typed(Number(burst as usize)),
        })
    };
    RawLimits {
        connections: typed(Cap::of(limits.connections_max)),
        connections_per_address: typed(Cap::of(limits.connections_per_address_max)),
        message_bytes: typed(Size(limits.message_bytes_max)),
        body_bytes: typed(Size(limits.body_bytes_max)),
        message_rate: typed(limits.message_rate.map_or(RawRate::Unlimited, rate)),
        outbox_bytes: typed(Size(limits.outbox_bytes_max)),
        overflow: typed(match limits.overflow {
            Overflow::Close => OverflowPolicy::Close,
            Overflow::DropNewest => OverflowPolicy::DropNewest,
            Overflow::DropOldest => OverflowPolicy::DropOldest,
            Overflow::Latest => OverflowPolicy::Latest,
        }),
        handshake: typed(Seconds(limits.handshake_seconds)),
        frame: typed(Seconds(limits.frame_seconds)),
        auth: typed(Seconds(limits.auth_seconds)),
        idle: typed(Seconds(limits.idle_seconds)),
        close: typed(Seconds(limits.close_seconds)),
    }
}
