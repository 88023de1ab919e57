//! tokio-tungstenite, with its read buffer of 128 KiB, or of 4 KiB with the variant `4k`.

use futures_util::StreamExt;
use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

fn is_data(message: &Message) -> bool {
    message.is_binary() || message.is_text()
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, variant, .. } = Arguments::take()?;
    let mut config = WebSocketConfig::default();
    if variant == "4k" {
        config = config.read_buffer_size(4096);
    }
    let hub = Hub::default();
    tasks::run(move |stream| {
        let hub = hub.clone();
        async move {
            let accepted = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await;
            let Ok(socket) = accepted else {
                return;
            };
            if mode == Mode::Echo {
                return tasks::echo(socket, is_data).await;
            }
            let (writer, reader) = socket.split();
            hub.join(writer);
            tasks::fan_out(reader, hub, is_data).await;
        }
    })
}
