//! From whose pages a browser may open a WebSocket (RFC 6455 section 10.2).

use common::CloseReason;
use gate::Origins;
use harness::ws::upgrade_request_with;
use harness::{Echo, HttpReply, Options, Script, TestNode, WsClient};

/// The answer to an upgrade with these lines.
fn upgrade(node: &TestNode, lines: &str) -> HttpReply {
    let mut client = Script::connect(node.web());
    client.send(upgrade_request_with("/", lines));
    let reply = client.reply();
    if reply.status != 101 {
        client.expect_end();
    }
    reply
}

#[test]
fn pages_of_other_servers_are_refused() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    let refused = upgrade(
        &node,
        "host: chat.example\r\norigin: https://evil.example\r\n",
    );
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("connection"), Some("close"));
    let text = String::from_utf8(refused.body).unwrap();
    for named in [
        "evil.example",
        "chat.example",
        "`origins`",
        "X-Forwarded-Host",
    ] {
        assert!(text.contains(named), "{named}: {text}");
    }
    let null = upgrade(&node, "host: chat.example\r\norigin: null\r\n");
    assert_eq!(null.status, 403);
    node.until("both are counted as refused", |node| {
        node.count(|stats| stats.closes[CloseReason::Refused.index()].get()) == 2
    });
    for lines in [
        "host: chat.example\r\norigin: https://chat.example\r\n",
        "host: chat.example:8080\r\norigin: http://chat.example:8080\r\n",
        "host: chat.example\r\n",
    ] {
        assert_eq!(upgrade(&node, lines).status, 101, "{lines}");
    }
    // What a page may read over HTTP is the browser's business, and nothing changes by it.
    let mut client = Script::connect(node.web());
    client.send("GET /page HTTP/1.1\r\nhost: a\r\norigin: https://evil.example\r\n\r\n");
    assert_eq!(client.reply().status, 200);
}

#[test]
fn the_host_of_an_absolute_target_is_the_one_that_counts() {
    let node = TestNode::start(&Options::default(), |_| Echo);
    for (host, status) in [("evil.example", 403), ("chat.example", 101)] {
        let mut client = Script::connect(node.web());
        let lines = format!("host: evil.example\r\norigin: http://{host}\r\n");
        client.send(upgrade_request_with("http://chat.example/", &lines));
        assert_eq!(client.reply().status, status, "{host}");
    }
}

#[test]
fn origins_can_be_listed_and_the_rule_turned_off() {
    let listed = Origins::same_host_and(["https://app.example", "null"]).unwrap();
    for (origins, origin, status) in [
        (listed.clone(), "https://app.example", 101),
        (listed.clone(), "null", 101),
        (listed.clone(), "http://test", 101),
        (listed, "http://app.example", 403),
        (Origins::any(), "https://evil.example", 101),
        (Origins::any(), "no origin at all", 101),
    ] {
        let options = Options {
            origins,
            ..Options::single()
        };
        let node = TestNode::start(&options, |_| Echo);
        let lines = format!("host: test\r\norigin: {origin}\r\n");
        assert_eq!(upgrade(&node, &lines).status, status, "{origin}");
        WsClient::open(node.web(), "/").ask("no browser", "no browser");
    }
}
