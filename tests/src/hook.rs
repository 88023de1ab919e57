//! A server that webhooks are sent to.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::PATIENCE;

/// A request as it has come.
#[derive(Clone, Debug)]
pub struct HookRequest {
    /// Header fields, their names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: String,
}

impl HookRequest {
    /// The body, which is JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// Status and body of an answer; none for one that never comes.
pub type HookAnswer = Option<(u16, String)>;

type Answering = dyn Fn(&HookRequest) -> HookAnswer + Send + Sync;

/// An HTTP server with a thread for each connection. It keeps the requests that it has answered, or
/// never will. It ends with the test.
#[derive(Debug)]
pub struct HookServer {
    addr: SocketAddr,
    requests: Mutex<Receiver<HookRequest>>,
}

impl HookServer {
    /// Starts one that answers so.
    ///
    /// # Panics
    /// If there is no free port.
    pub fn start(answer: impl Fn(&HookRequest) -> HookAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (sender, requests) = channel();
        let answer: Arc<Answering> = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                thread::spawn(move || serve(&stream, &*answer, &sender));
            }
        });
        Self {
            addr,
            requests: Mutex::new(requests),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    /// The next request.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    pub fn next(&self) -> HookRequest {
        let requests = self.requests.lock().expect("no test thread has failed");
        let next = requests.recv_timeout(PATIENCE);
        next.expect("a request of the webhook")
    }

    /// The body of the next request, which must be of this type.
    ///
    /// # Panics
    /// If it is of another, or none comes.
    #[must_use]
    pub fn event(&self, kind: &str) -> Value {
        let event = self.next().json();
        assert_eq!(event["type"], kind, "{event}");
        event
    }
}

/// Serves a connection until its end, or until an answer is not to come.
fn serve(stream: &TcpStream, answer: &Answering, requests: &Sender<HookRequest>) {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(request) = read(&mut reader) {
        let answer = answer(&request);
        // Nobody looks any more when the test has ended.
        let _ = requests.send(request);
        let Some((status, body)) = answer else {
            // Held open until the other side has had enough.
            let _ = reader.read(&mut [0]);
            return;
        };
        let head = format!(
            "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if writer.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<HookRequest> {
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|bytes| *bytes > 0)?;
    let mut headers = HashMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(HookRequest {
        headers,
        body: String::from_utf8(body).ok()?,
    })
}
