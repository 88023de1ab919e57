//! The WebSocket client role under the Autobahn suite's fuzzing server: echoes what each case
//! sends, with compression.
//!
//! `tests/conformance/autobahn.sh --serve ws://127.0.0.1:9001 OUTDIR core`, and then
//! `cargo run --release -p gatehouse-network --example autobahn_client 127.0.0.1:9001 [takeover]`

use std::net::SocketAddr;

use common::{CloseReason, ConnId};
use network::codec::ws::DeflateConfig;
use network::codec::{Frame, Framing};
use network::*;

const AGENT: &str = "gatehouse-client";
/// Larger than any message of the suite, which go up to 16 MiB.
const MESSAGE_BYTES_MAX: usize = 32 << 20;

/// Works through the paths of its profiles, one connection after the other.
struct Client {
    remote: SocketAddr,
    profiles: u16,
    next: u16,
    /// What the server said last, if it was text: the number of cases.
    heard: String,
    done: Option<std::sync::mpsc::Sender<String>>,
}

impl Client {
    fn proceed(&mut self, ctx: &mut Ctx<'_>) {
        let profile = self.next;
        self.next += 1;
        if profile == self.profiles || ctx.connect(self.remote, None, profile).is_err() {
            if let Some(done) = self.done.take() {
                // Whoever waited for it may have ended.
                let _ = done.send(std::mem::take(&mut self.heard));
            }
            ctx.stop();
        }
    }
}

impl Handler for Client {
    type Command = ();

    fn on_open(&mut self, _: &mut Ctx<'_>, _: ConnId, _: Offer) {}

    fn on_frame(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, frame: Frame<'_>) {
        if let Some((kind, payload)) = frame.into_message() {
            if self.done.is_some() {
                self.heard = String::from_utf8_lossy(&payload).into_owned();
            } else {
                // Whoever cannot be answered is gone.
                let _ = ctx.send(conn, kind, &payload);
            }
        }
    }

    fn on_command(&mut self, ctx: &mut Ctx<'_>, (): ()) {
        self.proceed(ctx);
    }

    fn on_deadline(&mut self, ctx: &mut Ctx<'_>, conn: ConnId, _: Deadline) {
        ctx.close(conn, CloseReason::Idle, "idle");
    }

    fn on_close(&mut self, ctx: &mut Ctx<'_>, _: ConnId, _: CloseReason) {
        self.proceed(ctx);
    }
}

/// Opens these paths one after the other, and echoes; or, with `listen`, tells what was said last.
fn visit(
    remote: SocketAddr,
    paths: Vec<String>,
    deflate: &DeflateConfig,
    listen: bool,
) -> Result<String, Box<dyn std::error::Error>> {
    let profiles: Vec<_> = paths
        .into_iter()
        .map(|target| {
            let host = remote.to_string();
            let mut profile = Profile::new(Framing::WebSocketClient { host, target });
            profile.stack.ws.message_bytes_max = MESSAGE_BYTES_MAX;
            profile.stack.ws.deflate = Some(deflate.clone());
            profile.outbox_bytes_max = 8 * MESSAGE_BYTES_MAX;
            profile
        })
        .collect();
    let config = ReactorConfig {
        private_fd_tables: false,
        ..ReactorConfig::default()
    };
    let (done, heard) = std::sync::mpsc::channel();
    let client = Client {
        remote,
        profiles: u16::try_from(profiles.len())?,
        next: 0,
        heard: String::new(),
        done: listen.then_some(done),
    };
    let (seed, handle) = ReactorSeed::new(0, config, profiles)?;
    let mut reactor = seed.start(client, &[])?;
    handle
        .submit(vec![()])
        .map_err(|_| "the reactor has ended")?;
    reactor.run()?;
    Ok(heard.try_recv().unwrap_or_default())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let remote = arguments.next().unwrap_or("127.0.0.1:9001".to_owned());
    let remote: SocketAddr = remote.parse()?;
    let takeover = arguments.next().as_deref() == Some("takeover");
    let deflate = DeflateConfig {
        threshold_bytes: 0,
        server_context_takeover: takeover,
        client_context_takeover: takeover,
        ..DeflateConfig::default()
    };
    let cases: u32 = visit(remote, vec!["/getCaseCount".to_owned()], &deflate, true)?.parse()?;
    let mut paths: Vec<_> = (1..=cases)
        .map(|case| format!("/runCase?case={case}&agent={AGENT}"))
        .collect();
    paths.push(format!(
        "/updateReports?agent={AGENT}&shutdownOnComplete=true"
    ));
    visit(remote, paths, &deflate, false)?;
    Ok(())
}
