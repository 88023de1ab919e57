//! Connections over TLS.

use harness::tls::SERVER;
use harness::{Authority, Echo, Options, Script, TestNode, WsClient};

#[test]
fn messages_come_back_in_every_arrangement_and_version() {
    let authority = Authority::new();
    for options in Options::everywhere() {
        let node = TestNode::start(&options.tls(&authority.server()), |_| Echo);
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let config = authority.client_with(&[version], None);
            let script = Script::connect_tls(node.web(), &config, SERVER);
            assert_eq!(script.tls().protocol_version(), Some(version.version));
            let mut client = WsClient::upgrade(script, "/");
            client.ask("hello", "hello");
            let long = "long ".repeat(50_000);
            client.ask(&long, &long);
            client.close();
            let mut client = Script::connect_tls(node.len4be(), &config, SERVER);
            client.send_len4be("hello");
            assert_eq!(client.take_len4be(), b"hello");
            let mut client = Script::connect_tls(node.ndjson(), &config, SERVER);
            client.send("hello\nagain\n");
            assert_eq!(client.take_line(), "hello");
            assert_eq!(client.take_line(), "again");
        }
    }
}
