//! Raw bytes on a blocking socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, SockRef, Socket, Type};

use crate::PATIENCE;

/// A client that sends what the test says and checks what comes.
#[derive(Debug)]
pub struct Script {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Bytes that came and are not asked for yet.
    pub(crate) pending: Vec<u8>,
}

/// An answer of HTTP, its body delimited by Content-Length.
#[derive(Clone, Debug)]
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpReply {
    /// The value of a header field, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Script {
    /// Connects.
    ///
    /// # Panics
    /// If nobody listens.
    #[must_use]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::try_connect(addr).expect("somebody listens")
    }

    /// Connects, or tells why not.
    ///
    /// # Errors
    /// What the host answers.
    pub fn try_connect(addr: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&addr, PATIENCE)?)
    }

    /// Connects to a server that refuses it at once.
    ///
    /// # Panics
    /// If it is not refused with a reset.
    pub fn refused_with_a_reset(addr: SocketAddr) {
        // The reset may be quicker than our own call that connects.
        match Self::try_connect(addr) {
            Ok(mut refused) => refused.expect_reset(),
            Err(error) => assert!(is_reset(&error), "{error}"),
        }
    }

    /// Connects and makes a TLS handshake, asking for this name.
    ///
    /// # Panics
    /// If nobody listens, or the handshake fails.
    #[must_use]
    pub fn connect_tls(addr: SocketAddr, config: &ClientConfig, name: &str) -> Self {
        Self::connect(addr)
            .secure(config, name)
            .expect("the TLS handshake succeeds")
    }

    /// Makes a TLS handshake; what is sent and read from here on is inside.
    ///
    /// # Errors
    /// What went wrong; an alert of the server is in there.
    ///
    /// # Panics
    /// If the name is none.
    pub fn secure(mut self, config: &ClientConfig, name: &str) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).expect("the name of a server");
        let mut tls =
            ClientConnection::new(Arc::new(config.clone()), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(self)
    }

    /// What was agreed on in the TLS handshake.
    ///
    /// # Panics
    /// If there was none.
    #[must_use]
    pub fn tls(&self) -> &ClientConnection {
        self.tls.as_ref().expect("a TLS handshake was made")
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// If there was none.
    pub fn tls_mut(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().expect("a TLS handshake was made")
    }

    /// Connects from another address of this host, such as 127.0.0.2.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn connect_from(local: impl Into<IpAddr>, addr: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)
            .expect("a socket can be made");
        let local = SocketAddr::new(local.into(), 0);
        socket.bind(&local.into()).expect("an address of this host");
        socket.connect(&addr.into()).expect("somebody listens");
        Self::over(socket.into()).expect("options that a socket takes")
    }

    /// A second script on a socket, to write from one thread while another one reads.
    ///
    /// # Panics
    /// If there is no descriptor for it.
    #[must_use]
    pub fn of(stream: &TcpStream) -> Self {
        let stream = stream.try_clone().expect("a descriptor is left");
        Self::over(stream).expect("options that a socket takes")
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            tls: None,
            pending: Vec::new(),
        })
    }

    /// The socket, for what a script has no word for.
    #[must_use]
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes.
    ///
    /// # Panics
    /// If the socket does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the peer takes what we send");
    }

    /// Sends bytes, or tells why not.
    ///
    /// # Errors
    /// What the host answers.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.tls {
            None => self.stream.write_all(bytes.as_ref()),
            Some(tls) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.stream);
                stream.write_all(bytes.as_ref())?;
                stream.flush()
            }
        }
    }

    /// Sends bytes one by one, each in a segment of its own as far as the kernel plays along.
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>) {
        for byte in bytes.as_ref() {
            self.send([*byte]);
        }
    }

    /// Ends our side of the stream, on the TLS layer alone if there is one.
    pub fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() && tls.write_tls(&mut self.stream).is_ok() {}
            return;
        }
        self.cut();
    }

    /// Ends our side of the TCP stream.
    pub fn cut(&self) {
        // The peer may have been quicker.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset.
    pub fn reset(self) {
        // A socket that is gone already needs no reset.
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads more into `pending`; false at the end of the stream.
    ///
    /// # Errors
    /// What the host answers; `WouldBlock` once the patience is at its end.
    pub fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let read = match &mut self.tls {
                None => self.stream.read(&mut bytes),
                Some(tls) => rustls::Stream::new(tls.as_mut(), &mut self.stream).read(&mut bytes),
            };
            match read {
                Ok(n) => {
                    self.pending.extend_from_slice(&bytes[..n]);
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn fill_or_fail(&mut self, what: &str) {
        match self.fill() {
            Ok(true) => {}
            Ok(false) => panic!("the stream ended before {what}; left: {:?}", self.shown()),
            Err(error) => panic!("{error} before {what}; left: {:?}", self.shown()),
        }
    }

    fn shown(&self) -> String {
        let front = &self.pending[..self.pending.len().min(200)];
        String::from_utf8_lossy(front).into_owned()
    }

    /// The next `n` bytes.
    #[must_use]
    pub fn take(&mut self, n: usize) -> Vec<u8> {
        while self.pending.len() < n {
            self.fill_or_fail("the bytes that were expected");
        }
        self.pending.drain(..n).collect()
    }

    /// The bytes up to and with `end`.
    #[must_use]
    pub fn take_through(&mut self, end: &[u8]) -> Vec<u8> {
        let mut from = 0;
        loop {
            let found = self.pending[from..]
                .windows(end.len())
                .position(|window| window == end);
            if let Some(at) = found {
                return self.pending.drain(..from + at + end.len()).collect();
            }
            from = self.pending.len().saturating_sub(end.len() - 1);
            self.fill_or_fail("the delimiter that was expected");
        }
    }

    /// Checks that exactly these bytes come next.
    ///
    /// # Panics
    /// If others do.
    pub fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let taken = self.take(bytes.len());
        assert_eq!(
            taken.escape_ascii().to_string(),
            bytes.escape_ascii().to_string()
        );
    }

    /// Reads to the end of the stream; what came, and whether it ended with a reset.
    ///
    /// # Panics
    /// If the stream does not end.
    pub fn take_to_end(&mut self) -> (Vec<u8>, bool) {
        loop {
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return (std::mem::take(&mut self.pending), false),
                Err(error) if is_reset(&error) => {
                    return (std::mem::take(&mut self.pending), true);
                }
                Err(error) => panic!("{error} before the end; left: {:?}", self.shown()),
            }
        }
    }

    /// Checks that nothing more comes but the end of the stream, in order.
    ///
    /// # Panics
    /// If something does, or the stream is reset.
    pub fn expect_end(&mut self) {
        let (bytes, reset) = self.take_to_end();
        assert_eq!(bytes.escape_ascii().to_string(), "", "before the end");
        assert!(!reset, "the stream was reset");
    }

    /// Checks that nothing more comes but a reset.
    ///
    /// # Panics
    /// If something does, or the stream ends in order.
    pub fn expect_reset(&mut self) {
        let (bytes, reset) = self.take_to_end();
        assert_eq!(bytes.escape_ascii().to_string(), "", "before the reset");
        assert!(reset, "the stream ended in order");
    }

    /// Whether what has come, and is not taken yet, begins so.
    #[must_use]
    pub fn has_come(&self, front: &[u8]) -> bool {
        self.pending.starts_with(front)
    }

    /// Reads an answer of HTTP.
    ///
    /// # Panics
    /// If what comes is none.
    #[must_use]
    pub fn reply(&mut self) -> HttpReply {
        let head = self.take_through(b"\r\n\r\n");
        let head = String::from_utf8(head).expect("a head in UTF-8");
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let headers: Vec<_> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').expect("a header field");
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut reply = HttpReply {
            status,
            headers,
            body: Vec::new(),
        };
        let length = reply
            .header("content-length")
            .map_or(0, |value| value.parse().expect("a number"));
        reply.body = self.take(length);
        reply
    }

    /// Sends a request without a body and reads the answer.
    #[must_use]
    pub fn get(&mut self, target: &str) -> HttpReply {
        self.send(format!("GET {target} HTTP/1.1\r\nhost: test\r\n\r\n"));
        self.reply()
    }

    /// Sends a payload behind a 4-byte big-endian length.
    pub fn send_len4be(&mut self, payload: impl AsRef<[u8]>) {
        self.send(len4be(payload));
    }

    /// The payload of the next frame behind a 4-byte big-endian length.
    #[must_use]
    pub fn take_len4be(&mut self) -> Vec<u8> {
        let length = self.take(4);
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        self.take(length as usize)
    }

    /// The next line, without its end.
    #[must_use]
    pub fn take_line(&mut self) -> String {
        let mut line = self.take_through(b"\n");
        line.pop();
        String::from_utf8(line).expect("a line in UTF-8")
    }

    /// Waits shorter or longer than [`PATIENCE`] from here on.
    pub fn be_patient_for(&self, wait: Duration) {
        self.stream
            .set_read_timeout(Some(wait))
            .expect("not a time of zero");
    }
}

/// A payload behind a 4-byte big-endian length.
#[must_use]
pub fn len4be(payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = (payload.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// Whether the error is what a socket says after the peer has reset it.
#[must_use]
pub fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
