//! tokio-websockets, with the limits of its example server.

use futures_util::StreamExt;
use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

fn is_data(message: &Message) -> bool {
    message.is_binary() || message.is_text()
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, .. } = Arguments::take()?;
    let hub = Hub::default();
    tasks::run(move |stream| {
        let hub = hub.clone();
        async move {
            let server = ServerBuilder::new()
                .config(Config::default().frame_size(usize::MAX))
                .limits(Limits::unlimited());
            let Ok((_, socket)) = server.accept(stream).await else {
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
