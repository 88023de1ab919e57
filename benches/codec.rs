//! What do the framings cost, by the frame and by the byte, next to a plain copy of the same bytes,
//! and does any of them allocate?

use std::hint::black_box;

use anyhow::ensure;
use gatehouse_benches::alloc;
use gatehouse_benches::corpus::{self, Text};
use gatehouse_benches::table::{Table, figure, per};
use gatehouse_benches::timing::Effort;
use network::bench_support;
use network::codec::http::{HttpCodec, HttpConfig};
use network::codec::tcp::{LengthCodec, LineCodec, TcpFraming, encode_line, encode_prefix};
use network::codec::ws::handshake;
use network::codec::ws::{self, Role, WsCodec, WsConfig};
use network::codec::{Codec, Decoded, Frame};

/// As much as one read may bring, within the second level of cache.
const BUFFER_BYTES: usize = 64 * 1024;
const PAYLOADS: [(&str, usize); 4] = [
    ("20 B", 20),
    ("125 B", 125),
    ("1 KiB", 1024),
    ("64 KiB", 64 * 1024),
];

fn main() -> anyhow::Result<()> {
    let effort = Effort::from_args();
    decode_websocket(effort)?;
    parts_of_websocket(effort);
    encode_websocket(effort);
    decode_tcp(effort)?;
    encode_tcp(effort)?;
    upgrade(effort)
}

/// A table of what is done to a buffer of frames.
struct Costs {
    effort: Effort,
    table: Table<6>,
}

impl Costs {
    fn new(effort: Effort, title: &str) -> Self {
        let columns = [
            "",
            "ns/frame",
            "best ns/frame",
            "best GB/s",
            "time of a copy",
            "allocations/frame",
        ];
        Self {
            effort,
            table: Table::new(title, columns),
        }
    }

    /// Adds what `work` costs, which goes through `bytes` bytes in `frames` frames.
    fn measure(&mut self, what: &str, bytes: usize, frames: usize, mut work: impl FnMut()) {
        // The first pass grows what is kept and used again.
        work();
        let before = alloc::of_this_thread();
        work();
        let allocations = alloc::of_this_thread() - before;

        let source = vec![1_u8; bytes];
        let mut target = vec![0_u8; bytes];
        let cost = self.effort.compare(work, || {
            black_box(&mut target).copy_from_slice(black_box(&source));
        });
        self.table.row([
            &what,
            &figure(cost.median_ns / frames as f64),
            &figure(cost.best_ns / frames as f64),
            &figure(bytes as f64 / cost.best_ns),
            &format!("x {}", figure(cost.ratio)),
            &per(allocations.allocations, frames as u64),
        ]);
    }
}

/// Frames of a payload that fill the buffer; at least one.
fn frames_in_buffer(payload: usize) -> usize {
    (BUFFER_BYTES / (payload + 14)).max(1)
}

/// Decodes a buffer of whole frames; gives how many there were.
fn decode_all<C: Codec>(codec: &mut C, config: &C::Config, input: &mut [u8]) -> usize {
    let (mut at, mut frames) = (0, 0);
    while let Ok(Decoded::Frame { consumed, frame }) = codec.decode(config, &mut input[at..]) {
        black_box(&frame);
        at += consumed;
        frames += 1;
    }
    frames
}

fn decode_websocket(effort: Effort) -> anyhow::Result<()> {
    let mut costs = Costs::new(effort, "WebSocket decode: header, unmask, check text");
    let config = WsConfig::default();
    for (size, bytes) in PAYLOADS {
        for text in Text::ALL {
            let frames = frames_in_buffer(bytes);
            let mut wire = corpus::ws_frames(text.opcode(), &text.payload(bytes), frames);
            let mut codec = WsCodec::new(Role::Server);
            ensure!(decode_all(&mut codec, &config, &mut wire) == frames);
            let what = format!("{size} {} x {frames}", text.name());
            costs.measure(&what, wire.len(), frames, || {
                black_box(decode_all(&mut codec, &config, &mut wire));
            });
        }
    }
    costs.table.print();
    Ok(())
}

fn parts_of_websocket(effort: Effort) {
    let mut costs = Costs::new(effort, "parts of it alone");
    for (size, bytes) in PAYLOADS {
        let mut payload = Text::Binary.payload(bytes);
        costs.measure(&format!("mask {size}"), bytes, 1, || {
            bench_support::mask([1, 2, 3, 4], black_box(&mut payload));
        });
    }
    for (size, bytes) in PAYLOADS {
        for text in [Text::Ascii, Text::Utf8] {
            let payload = text.payload(bytes);
            let what = format!("check {size} {}", text.name());
            costs.measure(&what, bytes, 1, || {
                black_box(bench_support::is_utf8(black_box(&payload)));
            });
        }
    }
    costs.table.print();
}

fn encode_websocket(effort: Effort) {
    let mut costs = Costs::new(effort, "WebSocket encode into a buffer that is there");
    for (role, mask) in [("server", None), ("client", Some([1, 2, 3, 4]))] {
        for (size, bytes) in PAYLOADS {
            let payload = Text::Ascii.payload(bytes);
            let frames = frames_in_buffer(bytes);
            let mut out = Vec::new();
            let what = format!("{role} {size} x {frames}");
            costs.measure(&what, frames * bytes, frames, || {
                out.clear();
                for _ in 0..frames {
                    ws::encode(ws::Opcode::Text, black_box(&payload), mask, &mut out);
                }
                black_box(&out);
            });
        }
    }
    costs.table.print();
}

fn decode_tcp(effort: Effort) -> anyhow::Result<()> {
    let mut costs = Costs::new(effort, "TCP framings, decode");
    for (size, bytes) in PAYLOADS {
        let payload = Text::Ascii.payload(bytes);
        let frames = frames_in_buffer(bytes);
        if let Some(TcpFraming::Length(config)) = TcpFraming::named("len4be") {
            let mut wire = Vec::new();
            for _ in 0..frames {
                wire.extend_from_slice(&encode_prefix(&config, bytes)?);
                wire.extend_from_slice(&payload);
            }
            ensure!(decode_all(&mut LengthCodec, &config, &mut wire) == frames);
            let what = format!("len4be {size} x {frames}");
            costs.measure(&what, wire.len(), frames, || {
                black_box(decode_all(&mut LengthCodec, &config, &mut wire));
            });
        }
    }
    for (size, bytes) in PAYLOADS {
        if let Some(TcpFraming::Line(config)) = TcpFraming::named("ndjson") {
            let bytes = bytes.min(config.line_bytes_max() as usize);
            let frames = frames_in_buffer(bytes);
            let mut wire = Vec::new();
            for _ in 0..frames {
                encode_line(&Text::Ascii.payload(bytes), &mut wire)?;
            }
            let mut codec = LineCodec::default();
            ensure!(decode_all(&mut codec, &config, &mut wire) == frames);
            let what = format!("ndjson {size} x {frames}");
            costs.measure(&what, wire.len(), frames, || {
                black_box(decode_all(&mut codec, &config, &mut wire));
            });
        }
    }
    costs.table.print();
    Ok(())
}

fn encode_tcp(effort: Effort) -> anyhow::Result<()> {
    let mut costs = Costs::new(effort, "TCP framings, encode into a buffer that is there");
    for (size, bytes) in PAYLOADS {
        let payload = Text::Ascii.payload(bytes);
        let frames = frames_in_buffer(bytes);
        let mut out = Vec::new();
        encode_line(&payload, &mut out)?;
        costs.measure(
            &format!("ndjson {size} x {frames}"),
            frames * bytes,
            frames,
            || {
                out.clear();
                for _ in 0..frames {
                    // It has just been encoded once: it is one line.
                    let _ = black_box(encode_line(black_box(&payload), &mut out));
                }
            },
        );
    }
    costs.table.print();
    Ok(())
}

fn upgrade(effort: Effort) -> anyhow::Result<()> {
    let mut costs = Costs::new(effort, "HTTP upgrade: request to accepting answer");
    let config = HttpConfig::default();
    for (what, request) in [
        ("by a program", corpus::UPGRADE_SHORT),
        ("by a browser", corpus::UPGRADE_BROWSER),
    ] {
        let mut wire = request.as_bytes().to_vec();
        let mut out = Vec::new();
        ensure!(accept(&config, &mut wire, &mut out), "an upgrade");
        let bytes = wire.len();
        costs.measure(&format!("{what}, {bytes} B"), bytes, 1, || {
            black_box(accept(&config, &mut wire, &mut out));
        });
    }
    costs.table.print();
    Ok(())
}

fn accept(config: &HttpConfig, wire: &mut [u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let decoded = HttpCodec::new().decode(config, wire);
    let Ok(Decoded::Frame {
        frame: Frame::Request(request),
        ..
    }) = decoded
    else {
        return false;
    };
    handshake::accept(&request).is_ok_and(|accept| {
        accept.write_response(None, None, out);
        true
    })
}
