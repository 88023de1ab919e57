//! A client of the REST API, which keeps its connection.

use std::net::SocketAddr;

use module::adapter::rest::ROOT;
use module::api::{Entry, find};
use serde_json::{Map, Value};

use crate::{HttpReply, Script, TestNode};

/// Bytes that stand for themselves in a path or a query (RFC 3986 section 2.3).
const UNRESERVED: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

/// What a call was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct RestAnswer {
    /// The status.
    pub status: u16,
    /// The body.
    pub json: Value,
}

impl RestAnswer {
    /// `ok`, or the code of the error, or the text of the listener.
    ///
    /// # Panics
    /// If it is neither.
    #[must_use]
    pub fn word(&self) -> &str {
        if self.status == 200 {
            return "ok";
        }
        let code = match &self.json {
            Value::String(text) => Some(text.as_str()),
            json => json["error"]["code"].as_str(),
        };
        code.unwrap_or_else(|| panic!("no error: {self:?}"))
    }
}

/// Makes requests one after the other; connects anew when the server says that it closes.
#[derive(Debug)]
pub struct RestClient {
    addr: SocketAddr,
    script: Script,
    token: Option<String>,
}

impl RestClient {
    /// Connects, without a token.
    #[must_use]
    pub fn connect(node: &TestNode) -> Self {
        Self {
            addr: node.web(),
            script: Script::connect(node.web()),
            token: None,
        }
    }

    /// Shows this token from now on.
    pub fn show(&mut self, token: Option<&str>) {
        self.token = token.map(str::to_owned);
    }

    /// Makes a call by its name.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn call(&mut self, op: &str, input: &Value) -> RestAnswer {
        let entry = find(op).unwrap_or_else(|| panic!("there is no call {op}"));
        let (target, body) = place(entry, input);
        self.request(entry.verb.as_str(), &target, body.as_deref())
    }

    /// Makes a call that succeeds; what it gives.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn ok(&mut self, op: &str, input: &Value) -> Value {
        let answer = self.call(op, input);
        assert_eq!(answer.status, 200, "{op} {input}: {answer:?}");
        answer.json
    }

    /// Makes a request with a body of JSON, or none. What the listener itself refuses, because it
    /// is no request of HTTP, is plain text.
    ///
    /// # Panics
    /// If the answer is neither JSON nor such text.
    pub fn request(&mut self, method: &str, target: &str, body: Option<&[u8]>) -> RestAnswer {
        let kind = body.map(|_| "application/json");
        let reply = self.raw(method, target, kind, body.unwrap_or_default());
        let json = match reply.header("content-type") {
            Some("application/json") => serde_json::from_slice(&reply.body).ok(),
            Some("text/plain; charset=utf-8") if reply.header("connection") == Some("close") => {
                String::from_utf8(reply.body.clone()).ok().map(Value::from)
            }
            _ => None,
        };
        RestAnswer {
            status: reply.status,
            json: json.unwrap_or_else(|| panic!("{method} {target}: {reply:?}")),
        }
    }

    /// Makes a request with any body.
    ///
    /// # Panics
    /// If there is no answer.
    pub fn raw(
        &mut self,
        method: &str,
        target: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> HttpReply {
        let mut head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n");
        if let Some(token) = &self.token {
            head += &format!("authorization: Bearer {token}\r\n");
        }
        if let Some(kind) = kind {
            head += &format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        }
        let mut request = (head + "\r\n").into_bytes();
        request.extend_from_slice(body);
        // Who refuses a body may close before it has read the whole of it.
        let sent = self.script.try_send(request);
        let reply = self.script.reply();
        if reply.header("connection") == Some("close") {
            self.script = Script::connect(self.addr);
        } else {
            sent.expect("the server takes what it does not refuse");
        }
        reply
    }
}

/// The target and the body of a call.
#[must_use]
pub fn place(entry: &Entry, input: &Value) -> (String, Option<Vec<u8>>) {
    let mut members = input.as_object().cloned().unwrap_or_default();
    let mut target = ROOT.trim_end_matches('/').to_owned();
    for segment in entry.path.trim_start_matches('/').split('/') {
        target.push('/');
        match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            Some(name) => target += &encoded(&text(&members.remove(name).unwrap_or_default())),
            None => target += segment,
        }
    }
    if entry.verb.has_body() {
        return (
            target,
            Some(Value::Object(members).to_string().into_bytes()),
        );
    }
    target += &query(&members);
    (target, None)
}

fn query(members: &Map<String, Value>) -> String {
    let mut query = String::new();
    for (name, value) in members {
        // What is a list is given several times.
        let values = value
            .as_array()
            .map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        for value in values {
            query.push(if query.is_empty() { '?' } else { '&' });
            query += &format!("{name}={}", encoded(&text(value)));
        }
    }
    query
}

/// A value as it stands in a path or a query.
fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Text with the escapes of a URI.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for &byte in text.as_bytes() {
        if UNRESERVED.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}
