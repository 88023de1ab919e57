//! fastwebsockets behind hyper, as its example server has it.

use std::convert::Infallible;

use bytes::Bytes;
use fastwebsockets::upgrade::{self, UpgradeFut};
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError,
    WebSocketWrite,
};
use gatehouse_peers::serve::{Arguments, Mode};
use gatehouse_peers::tasks::{self, Hub};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::WriteHalf;

type Writers = Hub<WebSocketWrite<WriteHalf<TokioIo<Upgraded>>>>;

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

async fn fan_out(upgraded: UpgradeFut, hub: Writers) -> Result<(), WebSocketError> {
    let (reader, writer) = upgraded.await?.split(tokio::io::split);
    hub.join(writer);
    let mut reader = FragmentCollectorRead::new(reader);
    // Nobody pings in a measurement, so nothing has to be answered.
    let mut silent = |_: Frame<'_>| async { Ok::<_, Infallible>(()) };
    loop {
        let frame = reader.read_frame(&mut silent).await?;
        if matches!(frame.opcode, OpCode::Text | OpCode::Binary) {
            let payload: &[u8] = &frame.payload;
            hub.broadcast(async |writer| {
                writer
                    .write_frame(Frame::binary(Payload::Borrowed(payload)))
                    .await
            })
            .await;
        }
    }
}

fn main() -> anyhow::Result<()> {
    let Arguments { mode, .. } = Arguments::take()?;
    let hub = Writers::default();
    tasks::run(move |stream| {
        let hub = hub.clone();
        tasks::serve_http(stream, move |mut request: Request<Incoming>| {
            let (response, upgraded) = upgrade::upgrade(&mut request)?;
            let hub = hub.clone();
            tokio::task::spawn_local(tokio::task::unconstrained(async move {
                // A client that leaves is the end of every connection here, and no error.
                let _ = match mode {
                    Mode::Echo => echo(upgraded).await,
                    Mode::Broadcast => fan_out(upgraded, hub).await,
                };
            }));
            Ok::<Response<http_body_util::Empty<Bytes>>, WebSocketError>(response)
        })
    })
}
