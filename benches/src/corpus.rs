//! The bytes to measure with.

use network::codec::ws::{self, Opcode};

/// What payloads are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// English chat, one byte a character.
    Ascii,
    /// Chinese and Greek with an emoji: characters of two, three and four bytes.
    Utf8,
    /// Bytes that are no text.
    Binary,
}

impl Text {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ascii, Self::Utf8, Self::Binary];

    /// Name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Utf8 => "utf-8",
            Self::Binary => "binary",
        }
    }

    /// The opcode of messages of this kind.
    #[must_use]
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Ascii | Self::Utf8 => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }

    /// A payload of exactly so many bytes.
    #[must_use]
    pub fn payload(self, bytes: usize) -> Vec<u8> {
        match self {
            Self::Ascii => repeat("The quick brown fox jumps over the lazy dog. ", bytes),
            Self::Utf8 => repeat("你好世界，今天天气很好。καλημέρα 🦀", bytes),
            Self::Binary => (0..bytes).map(|at| (at * 151 % 256) as u8).collect(),
        }
    }
}

/// `bytes` bytes of JSON as a chat server sends it: a history of messages, cut off where it is long
/// enough. Each `seed` has its own numbers and words.
#[must_use]
pub fn json(bytes: usize, seed: u64) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "the", "hello", "meeting", "tomorrow", "ok", "I", "think", "we", "should", "ship",
        "before", "lunch", "maybe", "thanks", "server", "你好",
    ];
    let mut state = seed.wrapping_add(1);
    let mut text = String::new();
    while text.len() < bytes {
        // Knuth's MMIX generator; its upper bits are good enough for words.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let said: Vec<_> = (0..8)
            .map(|word| WORDS[(state >> (32 + 4 * word)) as usize % WORDS.len()])
            .collect();
        text.push_str(&format!(
            "{{\"type\":\"message\",\"conversation\":\"group:{}\",\"seq\":{},\"from\":\"user{}\",\
             \"time\":{},\"text\":\"{}\"}}\n",
            state >> 54,
            state >> 44 & 0xffff,
            state >> 50,
            1_760_000_000_000 + (state >> 30),
            said.join(" ")
        ));
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_bytes()
}

/// Whole characters of `pattern`, over and over, and dots where the next does not fit.
fn repeat(pattern: &str, bytes: usize) -> Vec<u8> {
    let mut text = String::with_capacity(bytes);
    for character in pattern.chars().cycle() {
        if text.len() + character.len_utf8() > bytes {
            break;
        }
        text.push(character);
    }
    text.extend(std::iter::repeat_n('.', bytes - text.len()));
    text.into_bytes()
}

/// As many masked frames of `payload` as there are, one behind another, as a client sends them.
///
/// The key is zero: unmasking costs the same, and the buffer is afterwards what it was before, so
/// that it can be decoded again without being restored.
#[must_use]
pub fn ws_frames(opcode: Opcode, payload: &[u8], frames: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..frames {
        ws::encode(opcode, payload, Some([0; 4]), &mut wire);
    }
    wire
}

/// An upgrade as programs send it.
pub const UPGRADE_SHORT: &str = "GET /ws HTTP/1.1\r\n\
    Host: 127.0.0.1:9001\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// An upgrade as a browser sends it.
pub const UPGRADE_BROWSER: &str = "GET /im?token=0123456789abcdef HTTP/1.1\r\n\
    Host: chat.example.org\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://chat.example.org\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=5f2c6d1e8b7a4903; theme=dark\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
