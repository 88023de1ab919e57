//! What does compression save and cost, by the length of a message, level and window, when each
//! message is compressed by itself?

use std::hint::black_box;

use anyhow::ensure;
use gatehouse_benches::corpus;
use gatehouse_benches::table::{Table, figure};
use gatehouse_benches::timing::Effort;
use network::codec::ws::{DeflateConfig, Deflaters, Inflater, Role, WsCodec, WsConfig};
use network::codec::{Decoded, MessageKind, WireForm};

/// Lengths around the threshold, a page of history, and the largest message.
const LENGTHS: [usize; 6] = [128, 256, 512, 1024, 4096, 65_536];
const LEVELS: [u8; 4] = [1, 2, 6, 9];
const WINDOWS: [u8; 2] = [15, 11];
/// Different messages of each length.
const MESSAGES: usize = 16;

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    let columns = [
        "",
        "bytes left, %",
        "compress, µs",
        "inflate, µs",
        "inflate by copy",
    ];
    let mut table = Table::new("JSON of chat messages, each by itself", columns);
    for length in LENGTHS {
        let messages: Vec<_> = (0..MESSAGES)
            .map(|seed| corpus::json(length, seed as u64))
            .collect();
        for level in LEVELS {
            for window in WINDOWS {
                let config = DeflateConfig {
                    level,
                    threshold_bytes: 0,
                    ..DeflateConfig::default()
                };
                let form = WireForm::WebSocketDeflated(config.form(window));
                let mut deflaters = Deflaters::default();
                let mut encode = |message: &[u8]| {
                    form.encode(MessageKind::Text, message, &mut deflaters)
                        .expect("WebSocket carries everything")
                };
                let wires: Vec<_> = messages.iter().map(|message| encode(message)).collect();
                let left: usize = wires.iter().map(|wire| wire.len()).sum();
                let compress = effort.compare(
                    || {
                        for message in &messages {
                            black_box(encode(message));
                        }
                    },
                    || black_box(messages.clone()),
                );

                let mut inflater = Inflater::default();
                let mut wires: Vec<_> = wires.iter().map(|wire| wire.to_vec()).collect();
                let mut codec = WsCodec::with_deflate(Role::Client, 15);
                let ws = WsConfig::default();
                let mut decode = |wire: &mut [u8]| {
                    let decoded = codec.decode_with(&ws, &mut inflater, wire);
                    matches!(black_box(decoded), Ok(Decoded::Frame { .. }))
                };
                ensure!(wires.iter_mut().all(|wire| decode(wire)));
                let inflate = effort.compare(
                    || {
                        for wire in &mut wires {
                            decode(wire);
                        }
                    },
                    || black_box(messages.clone()),
                );
                let each = |ns: f64| figure(ns / 1000.0 / MESSAGES as f64);
                table.row([
                    &format!("{length} B, level {level}, window 2^{window}"),
                    &figure(100.0 * left as f64 / (length * MESSAGES) as f64),
                    &each(compress.median_ns),
                    &each(inflate.median_ns),
                    &format!("x {}", figure(inflate.ratio)),
                ]);
            }
        }
    }
    table.print();
    Ok(())
}
