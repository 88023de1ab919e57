//! A client of the native protocol (docs/protocol.md).

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Script, TestNode, WsClient};

/// How the client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// WebSocket on `/im`.
    WebSocket,
    /// TCP, 4-byte lengths.
    Len4be,
    /// TCP, lines.
    Ndjson,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::Len4be, Self::Ndjson];
}

#[derive(Debug)]
enum Link {
    WebSocket(WsClient),
    Len4be(Script),
    Ndjson(Script),
}

/// Sends requests, and keeps the pushes that come between their replies.
#[derive(Debug)]
pub struct NativeClient {
    link: Link,
    last_id: u64,
    pushes: VecDeque<Value>,
}

impl NativeClient {
    /// Connects, without a login.
    #[must_use]
    pub fn connect(node: &TestNode, transport: Transport) -> Self {
        let link = match transport {
            Transport::WebSocket => Link::WebSocket(WsClient::open(node.web(), "/im")),
            Transport::Len4be => Link::Len4be(Script::connect(node.len4be())),
            Transport::Ndjson => Link::Ndjson(Script::connect(node.ndjson())),
        };
        Self {
            link,
            last_id: 0,
            pushes: VecDeque::new(),
        }
    }

    /// Connects over WebSocket and logs in; the client and the number of the user.
    #[must_use]
    pub fn login(node: &TestNode, name: &str) -> (Self, u64) {
        Self::login_over(node, Transport::WebSocket, name, "web")
    }

    /// Connects and logs in; the client and the number of the user.
    #[must_use]
    pub fn login_over(
        node: &TestNode,
        transport: Transport,
        name: &str,
        platform: &str,
    ) -> (Self, u64) {
        let mut client = Self::connect(node, transport);
        let ok = client.ok("login", json!({"name": name, "platform": platform}));
        let user = ok["user"]["id"].as_u64().expect("the number of the user");
        (client, user)
    }

    /// Sends one message as it is.
    pub fn send_raw(&mut self, text: &str) {
        match &mut self.link {
            Link::WebSocket(client) => client.send(text),
            Link::Len4be(script) => script.send_len4be(text),
            Link::Ndjson(script) => script.send(format!("{text}\n")),
        }
    }

    /// The next message of the server, whatever it is.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn take_message(&mut self) -> Value {
        let text = match &mut self.link {
            Link::WebSocket(client) => client.text(),
            Link::Len4be(script) => String::from_utf8(script.take_len4be()).expect("JSON is UTF-8"),
            Link::Ndjson(script) => script.take_line(),
        };
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The next reply; pushes before it are kept.
    #[must_use]
    pub fn reply(&mut self) -> Value {
        loop {
            let value = self.take_message();
            if value.get("push").is_none() {
                return value;
            }
            self.pushes.push_back(value);
        }
    }

    /// Sends a request and returns its reply.
    ///
    /// # Panics
    /// If the reply carries another id.
    pub fn request(&mut self, op: &str, data: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.send_raw(&json!({"id": id, "op": op, "data": data}).to_string());
        let reply = self.reply();
        assert_eq!(reply["id"], id, "the reply to this request: {reply}");
        reply
    }

    /// Sends a request that succeeds, and returns its `ok`.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn ok(&mut self, op: &str, data: Value) -> Value {
        let mut reply = self.request(op, data);
        assert!(reply.get("ok").is_some(), "{op}: {reply}");
        reply["ok"].take()
    }

    /// Sends a request that fails, and returns the code.
    ///
    /// # Panics
    /// If it does not fail.
    pub fn error(&mut self, op: &str, data: Value) -> String {
        let reply = self.request(op, data);
        let code = reply["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{op}: {reply}")).to_owned()
    }

    /// The data of the next push, which must be of this name.
    ///
    /// # Panics
    /// If it is another.
    pub fn push(&mut self, name: &str) -> Value {
        self.push_whole(name)["data"].take()
    }

    /// The next push with all its members; it must be of this name.
    ///
    /// # Panics
    /// If it is another.
    pub fn push_whole(&mut self, name: &str) -> Value {
        let push = self.any_push();
        assert_eq!(push["push"], name, "{push}");
        push
    }

    /// All pushes up to and with the first that is `last`, those that were kept first.
    pub fn pushes_through(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut pushes = Vec::new();
        loop {
            let push = self.any_push();
            let is_last = last(&push);
            pushes.push(push);
            if is_last {
                return pushes;
            }
        }
    }

    /// The next push, whatever it is.
    #[must_use]
    pub fn any_push(&mut self) -> Value {
        let kept = self.pushes.pop_front();
        kept.unwrap_or_else(|| self.take_message())
    }

    /// The pushes that have come before replies and were not looked at.
    #[must_use]
    pub fn take_pushes(&mut self) -> Vec<Value> {
        self.pushes.drain(..).collect()
    }

    /// Checks that no push is on its way: one that was sent before this call would come before the
    /// reply to a heartbeat.
    ///
    /// # Panics
    /// If there is one.
    pub fn expect_no_push(&mut self) {
        self.ok("heartbeat", json!({}));
        assert_eq!(self.pushes, VecDeque::<Value>::new());
    }

    /// Checks that the server closes: with this code on WebSocket, in order on TCP.
    pub fn expect_close(&mut self, code: u16) {
        match &mut self.link {
            Link::WebSocket(client) => client.expect_close(code),
            Link::Len4be(script) | Link::Ndjson(script) => script.expect_end(),
        }
    }

    /// Waits shorter or longer than [`crate::PATIENCE`] from here on.
    pub fn be_patient_for(&self, wait: Duration) {
        match &self.link {
            Link::WebSocket(ws) => ws.script.be_patient_for(wait),
            Link::Len4be(script) | Link::Ndjson(script) => script.be_patient_for(wait),
        }
    }
}
