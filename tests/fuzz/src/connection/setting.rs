//! What the first bytes of an input choose.

use std::sync::Arc;

use bytes::Bytes;
use network::codec::Framing;
use network::codec::tcp::TcpFraming;
use network::codec::ws::DeflateConfig;
use network::{MemoryBudget, Overflow, Profile, ReactorConfig};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finale {
    /// The handler closes; peers read, and do not answer.
    Close,
    /// The handler closes, and peers answer.
    CloseAnswered,
    /// Nobody does anything any more.
    Silence,
    /// The peers are gone at once.
    HangUp,
}

#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) framing: Framing,
    pub(super) deflate: bool,
    pub(super) overflow: Overflow,
    pub(super) proxied: bool,
    pub(super) outbox_bytes_max: usize,
    pub(super) send_buffer_bytes: usize,
    pub(super) receive_buffer_bytes: usize,
    read_bytes_per_turn: usize,
    memory_bytes: usize,
    pub(super) finale: Finale,
}

impl Setting {
    pub(super) fn of([framing, outbox, memory, end]: [u8; 4]) -> Self {
        let tcp = |name| Framing::Tcp(TcpFraming::named(name).expect("a framing"));
        let choose = |byte: u8, shift: u8| usize::from(byte >> shift & 3);
        Self {
            deflate: framing & 4 != 0,
            proxied: framing & 8 != 0 && framing & 3 != 3,
            overflow: [
                Overflow::Close,
                Overflow::DropNewest,
                Overflow::DropOldest,
                Overflow::Latest,
            ][choose(framing, 6)],
            framing: match framing & 3 {
                0 => Framing::Http,
                1 => tcp("len4be"),
                2 => tcp("ndjson"),
                _ => Framing::WebSocketClient {
                    host: "a.example".to_owned(),
                    target: "/chat".to_owned(),
                },
            },
            outbox_bytes_max: [600, 4000, 30_000, 200_000][choose(outbox, 0)],
            send_buffer_bytes: [0, 4608, 9000, 100_000][choose(outbox, 2)],
            receive_buffer_bytes: [0, 4608, 9000, 100_000][choose(outbox, 4)],
            read_bytes_per_turn: [100, 2000, 50_000, 262_144][choose(outbox, 6)],
            memory_bytes: [usize::MAX, usize::MAX, 1 << 20, 1 << 17][choose(memory, 0)],
            finale: [
                Finale::Close,
                Finale::CloseAnswered,
                Finale::Silence,
                Finale::HangUp,
            ][choose(end, 0)],
        }
    }

    pub(super) fn reactor_config(&self) -> ReactorConfig {
        ReactorConfig {
            events_per_turn: 16,
            read_bytes_per_turn: self.read_bytes_per_turn,
            private_fd_tables: false,
            memory: Arc::new(MemoryBudget::new(self.memory_bytes)),
            seed: Some([7; 32]),
            ..ReactorConfig::default()
        }
    }

    pub(super) const fn is_short_of_memory(&self) -> bool {
        self.memory_bytes < usize::MAX
    }

    pub(super) fn profile(&self) -> Profile {
        let mut profile = Profile::new(self.framing.clone());
        profile.handshake_seconds = 3;
        profile.frame_seconds = 3;
        profile.idle_seconds = 5;
        profile.close_seconds = 2;
        profile.outbox_bytes_max = self.outbox_bytes_max;
        profile.overflow = self.overflow;
        profile.proxy_protocol = self.proxied;
        profile.farewell = self.farewell();
        profile.stack.ws.message_bytes_max = 30_000;
        profile.stack.ws.fragments_max = 20;
        profile.stack.http.head_bytes_max = 1000;
        profile.stack.http.body_bytes_max = 3000;
        if self.deflate {
            profile.stack.ws.deflate = Some(DeflateConfig::default());
        }
        profile
    }

    fn farewell(&self) -> Option<Bytes> {
        match &self.framing {
            Framing::Tcp(TcpFraming::Length(_)) => Some(Bytes::from_static(b"\0\0\0\x03bye")),
            Framing::Tcp(TcpFraming::Line(_)) => Some(Bytes::from_static(b"bye\n")),
            _ => None,
        }
    }
}
