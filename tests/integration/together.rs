//! Messages that come in one read: handed up together, and still one after the other.

use gate::{Context, DeflateConfig, Envelope, Messages, Module, Placement};
use harness::script::len4be;
use harness::ws::frame;
use harness::{Echo, Hall, Options, TestNode, WsClient};
use network::codec::ws::Opcode;

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    texts
        .into_iter()
        .flat_map(|text| frame(Opcode::Text, text))
        .collect()
}

#[test]
fn what_is_asked_for_in_between_comes_in_its_place() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Hall);
        let mut client = WsClient::open(node.web(), "/");
        let commands = ["join 1", "echo a", "say 1 b", "echo c", "all d", "echo e"];
        client.script.send(texts(commands));
        for answer in ["ok", "a", "b", "ok", "c", "d", "ok", "e"] {
            client.expect(answer);
        }
        // What comes behind the message that ends the session is not heard.
        client.script.send(texts(["echo f", "quit 4001", "echo g"]));
        client.expect("f");
        client.expect_close(4001);
    }
}

#[test]
fn short_and_compressed_answers_keep_their_order() {
    for options in Options::everywhere() {
        let options = Options {
            compression: Some(DeflateConfig::default()),
            ..options
        };
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::offering(node.web(), "/", "permessage-deflate");
        let long = "long enough to be compressed, ".repeat(40);
        let sent = ["a", "b", &long, "c", &long, "", "d"];
        client.script.send(texts(sent));
        for answer in sent {
            client.expect(answer);
        }
        assert_eq!(client.compressed, 2);
    }
}

#[test]
fn lengths_of_all_headers_are_echoed_together() {
    for options in Options::everywhere() {
        let node = TestNode::start(&options, |_| Echo);
        let mut client = WsClient::open(node.web(), "/");
        let lengths = [
            0, 1, 3, 4, 7, 8, 15, 16, 20, 33, 125, 126, 127, 128, 65_535, 65_536,
        ];
        let sent = lengths.map(|length| "payload ".repeat(length / 8 + 1)[..length].to_owned());
        client.script.send(texts(sent.iter().map(String::as_str)));
        for answer in &sent {
            client.expect(answer);
        }
    }
}

/// Says how many messages came together, of which it takes one at least and leaves the others.
struct Counter;

impl Module for Counter {
    fn on_messages(&mut self, context: &mut Context<'_>, messages: &mut Messages<'_>) {
        while let Some(envelope) = context.next_of(messages) {
            let stop = envelope.payload() == b"stop";
            let count = messages.count().to_string();
            context.send(messages.conn(), gate::MessageKind::Text, count.as_bytes());
            if stop {
                return;
            }
        }
    }

    fn on_message(&mut self, context: &mut Context<'_>, envelope: Envelope<'_>) {
        context.send(envelope.session, envelope.kind, b"alone");
    }
}

#[test]
fn a_module_in_the_reactor_may_take_them_together() {
    let options = Options::single().placement(Placement::Reactor);
    let node = TestNode::start(&options, |_| Counter);
    let mut client = WsClient::open(node.web(), "/");
    client.ask("x", "1");
    let bytes = texts(["a", "b", "stop", "c", "d"]);
    client.script.send(&bytes);
    for answer in ["1", "2", "3", "alone", "alone"] {
        client.expect(answer);
    }

    let mut tcp = harness::Script::connect(node.len4be());
    // What ends the opening of a connection comes by itself.
    tcp.send(len4be("a"));
    assert_eq!(tcp.take_len4be(), b"alone");
    tcp.send([len4be("a"), len4be("b")].concat());
    assert_eq!(tcp.take_len4be(), b"1");
    assert_eq!(tcp.take_len4be(), b"2");
}
