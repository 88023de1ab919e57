//! web-socket over a buffered reader, as its benchmark has it. It has no upgrade of its own.

use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use tokio::io::BufReader;
use tokio::net::tcp::OwnedWriteHalf;
use web_socket::{DataType, Event, Frame, MessageType, WebSocket};

fn frame(ty: MessageType, data: &[u8]) -> Frame<'_> {
    match ty {
        MessageType::Binary => Frame::from(data),
        MessageType::Text => Frame {
            fin: true,
            opcode: 1,
            data,
        },
    }
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, .. } = Arguments::take()?;
    let hub: Hub<WebSocket<OwnedWriteHalf>> = Hub::default();
    tasks::run(move |mut stream| {
        let hub = hub.clone();
        async move {
            if tasks::upgrade(&mut stream).await.is_err() {
                return;
            }
            if mode == Mode::Echo {
                let mut socket = WebSocket::server(BufReader::new(stream));
                while let Ok(Event::Data { ty, data }) = socket.recv().await {
                    if let DataType::Complete(ty) = ty
                        && socket.send(frame(ty, &data)).await.is_err()
                    {
                        return;
                    }
                }
                return;
            }
            let (reader, writer) = stream.into_split();
            hub.join(WebSocket::server(writer));
            let mut reader = WebSocket::server(BufReader::new(reader));
            while let Ok(Event::Data { ty, data }) = reader.recv().await {
                if let DataType::Complete(ty) = ty {
                    hub.broadcast(async |writer| writer.send(frame(ty, &data)).await)
                        .await;
                }
            }
        }
    })
}
