//! Servers on tokio: one thread, one task a connection, as their examples have it.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;

use bytes::BytesMut;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sockudo_ws::handshake;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

use crate::serve;

/// Messages that are taken before they are answered, beside the first: as many as the benchmark of
/// yawc takes.
const MESSAGES_AT_ONCE: usize = 31;

/// Accepts for ever, on a runtime of one thread, and hands each connection to a task.
///
/// The task is exempt from tokio's budget of work per poll, as the example servers of
/// fastwebsockets and tokio-websockets are.
///
/// # Errors
/// What the host answers.
pub fn run<F>(connect: impl Fn(TcpStream) -> F) -> anyhow::Result<()>
where
    F: Future<Output = ()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = serve::listen()?;
    let addr = listener.local_addr()?;
    LocalSet::new().block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        serve::announce(addr)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(tokio::task::unconstrained(connect(stream)));
        }
    })
}

/// Serves HTTP on a connection until it is upgraded, as the examples of the crates behind hyper
/// have it.
pub async fn serve_http<B, E>(
    stream: TcpStream,
    respond: impl Fn(Request<Incoming>) -> Result<Response<B>, E>,
) where
    B: Body + 'static,
    B::Error: std::error::Error + Send + Sync,
    E: std::error::Error + Send + Sync + 'static,
{
    let service = service_fn(|request| std::future::ready(respond(request)));
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    // Whoever breaks off an upgrade is missed by the client, which waits for the answer.
    let _ = served.await;
}

/// Answers an upgrade with what sockudo-ws has for it, also for the crate that has nothing.
///
/// # Errors
/// If the request is none, or the connection ends.
pub async fn upgrade(stream: &mut TcpStream) -> sockudo_ws::Result<()> {
    let mut head = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(sockudo_ws::Error::ConnectionClosed);
        }
        if let Some((request, _)) = handshake::parse_request(&head)? {
            let accept = handshake::generate_accept_key(request.key);
            let answer = handshake::build_response(&accept, None, None);
            stream.write_all(&answer).await?;
            return Ok(());
        }
    }
}

/// Sends each message back. What one read has brought is answered by one write: the messages that
/// are there already are taken first, since some streams flush their sink when they are asked for
/// the next message.
pub async fn echo<S, M, E>(mut socket: S, is_data: impl Fn(&M) -> bool)
where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
{
    let mut more = Vec::new();
    while let Some(Ok(first)) = socket.next().await {
        while more.len() < MESSAGES_AT_ONCE
            && let Some(next) = socket.next().now_or_never()
        {
            let Some(Ok(message)) = next else {
                return;
            };
            more.push(message);
        }
        for message in std::iter::once(first).chain(more.drain(..)) {
            if is_data(&message) && socket.feed(message).await.is_err() {
                return;
            }
        }
        if socket.flush().await.is_err() {
            return;
        }
    }
}

/// The writing halves of all connections, in the order of acceptance. A broadcast walks them in one
/// task, which costs less than a channel and a task for each.
#[derive(Debug)]
pub struct Hub<W>(Rc<RefCell<Vec<W>>>);

impl<W> Clone for Hub<W> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<W> Default for Hub<W> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<W> Hub<W> {
    /// Adds a connection.
    pub fn join(&self, writer: W) {
        self.0.borrow_mut().push(writer);
    }

    /// Sends to each with `send`. Who cannot be written to any more is left where it is.
    pub async fn broadcast<E>(&self, mut send: impl AsyncFnMut(&mut W) -> Result<(), E>) {
        // Taken out for the time of the walk, since a send may wait; nobody joins meanwhile.
        let mut writers = self.0.take();
        for writer in &mut writers {
            let _ = send(writer).await;
        }
        writers.append(&mut self.0.borrow_mut());
        *self.0.borrow_mut() = writers;
    }
}

/// Sends each message to all. It is cloned for each receiver: in the crates measured here that
/// shares the payload.
pub async fn fan_out<S, M, E>(
    socket: S,
    hub: Hub<impl Sink<M> + Unpin>,
    is_data: impl Fn(&M) -> bool,
) where
    S: Stream<Item = Result<M, E>> + Unpin,
    M: Clone,
{
    let mut socket = socket;
    while let Some(Ok(message)) = socket.next().await {
        if is_data(&message) {
            hub.broadcast(async |writer| writer.send(message.clone()).await)
                .await;
        }
    }
}
