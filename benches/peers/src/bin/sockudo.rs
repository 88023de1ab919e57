//! sockudo-ws by its streams, split in its own way for broadcasts, without the timers that nobody
//! else here has running.

use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use sockudo_ws::{Config, Message, WebSocketStream};

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, .. } = Arguments::take()?;
    let hub = Hub::default();
    tasks::run(move |mut stream| {
        let hub = hub.clone();
        async move {
            if tasks::upgrade(&mut stream).await.is_err() {
                return;
            }
            let config = Config::builder().auto_ping(false).idle_timeout(0).build();
            let socket = WebSocketStream::server(stream, config);
            if mode == Mode::Echo {
                return tasks::echo(socket, is_data).await;
            }
            let (mut reader, writer) = socket.split();
            hub.join(writer);
            while let Some(Ok(message)) = reader.next().await {
                if is_data(&message) {
                    hub.broadcast(async |writer| writer.send(message.clone()).await)
                        .await;
                }
            }
        }
    })
}
