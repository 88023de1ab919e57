//! yawc behind hyper; with the variant `128k` the buffers of its own benchmark.

use futures_util::StreamExt;
use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use hyper::Request;
use hyper::body::Incoming;
use yawc::{Frame, OpCode, Options, WebSocket};

fn is_data(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, variant, .. } = Arguments::take()?;
    let mut options = Options::default();
    if variant == "128k" {
        options = options
            .with_read_buffer_capacity(128 * 1024)
            .with_backpressure_boundary(64 * 1024);
    }
    let hub = Hub::default();
    tasks::run(move |stream| {
        let (hub, options) = (hub.clone(), options.clone());
        tasks::serve_http(stream, move |mut request: Request<Incoming>| {
            let (response, upgraded) =
                WebSocket::upgrade_with_options(&mut request, options.clone())?;
            let hub = hub.clone();
            tokio::task::spawn_local(tokio::task::unconstrained(async move {
                let Ok(socket) = upgraded.await else {
                    return;
                };
                if mode == Mode::Echo {
                    return tasks::echo(socket.map(Ok::<_, yawc::WebSocketError>), is_data).await;
                }
                let (writer, reader) = socket.split();
                hub.join(writer);
                tasks::fan_out(reader.map(Ok::<_, yawc::WebSocketError>), hub, is_data).await;
            }));
            Ok::<_, yawc::WebSocketError>(response)
        })
    })
}
