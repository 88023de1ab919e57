//! Broadcasts of `gatehouse echo --broadcast`: the body of a POST goes to everybody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, bail};

/// Time for the answer; the reactor that gives it may be in a turn.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Has `body` sent to everybody who is connected to the server at `addr`.
pub(super) fn broadcast(addr: SocketAddr, body: &[u8]) -> anyhow::Result<()> {
    let mut stream =
        TcpStream::connect_timeout(&addr, ANSWER_TIME).context("connecting for a broadcast")?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let mut request = format!(
        "POST /broadcast HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = [0; 12];
    stream
        .read_exact(&mut answer)
        .context("waiting for the answer to a broadcast")?;
    if &answer != b"HTTP/1.1 202" {
        bail!(
            "a broadcast is answered with {:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    Ok(())
}
