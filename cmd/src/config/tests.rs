//! The configuration as a whole: defaults, relations between values, and the documents about it.

use std::collections::BTreeSet;

use super::*;

const FILE: &str = include_str!("../../gatehouse.toml");
const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

fn read(text: &str) -> Config {
    read_with(text, &[]).unwrap()
}

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let settings = Setting::from_environment(variables)?;
    Config::from_sources(&Sources::of_text("a.toml", text, settings))
}

fn refusal(text: &str) -> String {
    read_with(text, &[]).unwrap_err().to_string()
}

fn assert_same(a: &Config, b: &Config, what: &str) {
    assert_eq!(a.to_string(), b.to_string(), "{what}");
}

/// `gatehouse.toml` with every commented key in force, by lines.
fn uncommented() -> Vec<&'static str> {
    FILE.lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c != ' ') => key,
            _ => line,
        })
        .collect()
}

#[test]
fn without_a_file_there_are_two_listeners_on_this_host() {
    let config = read("");
    let of = |listener: &ListenerConfig| (listener.name.clone(), listener.addr.to_string());
    let listeners: Vec<_> = config.listeners.iter().map(of).collect();
    assert_eq!(
        listeners,
        [("web", "127.0.0.1:8080"), ("tcp", "127.0.0.1:8081")]
            .map(|(name, addr)| (name.to_owned(), addr.to_owned()))
    );
    assert_eq!(config.listeners[0].speech, Speech::WebSocket { page: true });
    assert_eq!(
        config.listeners[1].speech,
        Speech::Tcp(TcpFraming::named("len4be").unwrap())
    );
    assert_eq!(config.heartbeat_seconds(), Some(60));
}

#[test]
fn the_commented_defaults_of_the_file_are_the_defaults() {
    let default = read("");
    assert_same(&read(FILE), &default, "the file as it is");
    let lines = uncommented();
    assert_same(
        &read(&lines.join("\n")),
        &default,
        "the file with every key in force",
    );
    // If a key's line can go without a change, it said what is so without it.
    for (gone, line) in lines.iter().enumerate() {
        let key = line.split_once(" = ").map(|(key, _)| key);
        let in_listener = lines[..gone].contains(&"[[listener]]");
        match key {
            Some("name" | "listen" | "framing") if in_listener => {}
            // What it is without its line depends on the other keys of its section.
            Some("guests") => {}
            Some(key) if !line.starts_with('#') => {
                let without: Vec<_> = lines
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| *at != gone)
                    .map(|l| *l.1)
                    .collect();
                assert_same(&read(&without.join("\n")), &default, key);
            }
            _ => {}
        }
    }
}

/// Keys with their sections, those of all listeners together.
fn keys(table: &toml::Table, section: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = format!("{section}{key}");
        match value {
            toml::Value::Table(inner)
                if path != "limits.message_rate" && path != "listener.compression" =>
            {
                keys(inner, &format!("{path}."), found);
            }
            toml::Value::Array(listeners) => {
                for listener in listeners.iter().filter_map(toml::Value::as_table) {
                    keys(listener, &format!("{path}."), found);
                }
            }
            _ => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn the_file_has_every_key() {
    let of = |text: &str| {
        let mut found = BTreeSet::new();
        keys(&text.parse().unwrap(), "", &mut found);
        // Those of [listener.limits] are those of [limits].
        found.retain(|key| !key.starts_with("listener.limits."));
        found
    };
    let mut all = of(&read("").to_string());
    all.extend(["listen".to_owned(), "tcp".to_owned()]);
    assert_eq!(of(&uncommented().join("\n")), all);
}

#[test]
fn the_document_has_every_key_with_its_default() {
    for line in uncommented() {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        if line.starts_with('#') || matches!(key, "name" | "listen" | "framing" | "tcp") {
            continue;
        }
        let (key, value) = (format!("| `{key}` |"), format!("| `{value}` |"));
        let said = DOCUMENT
            .lines()
            .any(|line| line.contains(&key) && line.contains(&value));
        assert!(
            said,
            "docs/configuration.md has no line with {key} and {value}"
        );
    }
}

#[test]
fn what_a_configuration_means_reads_back() {
    let text = "
        reactors = 3
        connections = 5000
        [limits]
        message_rate = \"unlimited\"
        overflow = \"drop-newest\"
        [[listener]]
        listen = \"[::1]:9000\"
        files = \"dist\"
        origins = [\"https://example.com\", \"null\"]
        send_buffer = \"16KiB\"
        compression = { level = 6, threshold = 100, window_bits = 12, server_takeover = true }
        limits = { idle = \"0s\", message_rate = { burst = 7 } }
        [[listener]]
        listen = \"127.0.0.1:0\"
        framing = \"ndjson\"
        max_frame = \"2KiB\"
        [[listener]]
        name = \"plain\"
        listen = \"127.0.0.1:9001\"
        compression = \"off\"
        [[listener]]
        name = \"shared\"
        listen = \"127.0.0.1:9002\"
        compression = \"shared\"
    ";
    let config = read(text);
    assert_same(&read(&config.to_string()), &config, "read back");
    assert_eq!(config.listeners[0].limits.message_rate.unwrap().burst, 7);
    assert_eq!(config.listeners[1].limits.message_rate, None);
    assert_eq!(config.listeners[0].name, "websocket");
    assert_eq!(
        config.listeners[0].speech,
        Speech::WebSocket { page: false }
    );
    let origins: Vec<_> = config.listeners[0].origins.iter().collect();
    assert_eq!(origins, ["https://example.com", "null"]);
    let compression = |listener: usize| config.listeners[listener].compression.as_ref();
    let deflate = compression(0).expect("set in parts");
    assert_eq!((deflate.level, deflate.threshold_bytes), (6, 100));
    assert_eq!(deflate.server_max_window_bits, 12);
    assert!(deflate.server_context_takeover && !deflate.client_context_takeover);
    assert!(compression(1).is_none() && compression(2).is_none());
    assert!(compression(3).is_some_and(|deflate| !deflate.server_context_takeover));
    assert_eq!(config.heartbeat_seconds(), Some(60));
}

#[test]
fn proxies_of_the_node_are_those_of_listeners_without_their_own() {
    let text = "
        trusted_proxies = \"192.0.2.1, 10.0.0.0/8\"
        [[listener]]
        listen = \"127.0.0.1:1\"
        [[listener]]
        listen = \"127.0.0.1:2\"
        name = \"other\"
        trusted_proxies = [\"fd00::7\"]
    ";
    let proxies = |config: &Config, listener: usize| {
        let listener = &config.listeners[listener];
        listener.trusted_proxies.iter().collect::<Vec<_>>()
    };
    let config = read(text);
    assert_eq!(proxies(&config, 0), ["192.0.2.1/32", "10.0.0.0/8"]);
    assert_eq!(proxies(&config, 1), ["fd00::7/128"]);
    assert_same(&read(&config.to_string()), &config, "read back");
    let variables = [("GATEHOUSE_TRUSTED_PROXIES", "127.0.0.1,::1")];
    let config = read_with("", &variables).unwrap();
    assert_eq!(proxies(&config, 0), ["127.0.0.1/32", "::1/128"]);
}

#[test]
fn addresses_can_be_set_without_naming_a_listener() {
    let variables = [
        ("GATEHOUSE_LISTEN", "127.0.0.1:1"),
        ("GATEHOUSE_TCP", "127.0.0.1:2"),
    ];
    let addrs = |text: &str| {
        let config = read_with(text, &variables).unwrap();
        config
            .listeners
            .iter()
            .map(|l| (l.name.clone(), l.addr.port()))
            .collect::<Vec<_>>()
    };
    let pairs = |pairs: &[(&str, u16)]| {
        pairs
            .iter()
            .map(|(name, port)| ((*name).to_owned(), *port))
            .collect::<Vec<_>>()
    };
    assert_eq!(addrs(""), pairs(&[("web", 1), ("tcp", 2)]));
    let lines = "[[listener]]\nname = \"x\"\nlisten = \"127.0.0.1:9\"\nframing = \"ndjson\"\n";
    assert_eq!(addrs(lines), pairs(&[("x", 2), ("web", 1)]));
}

#[test]
fn values_that_do_not_stand_together_are_refused_where_they_stand() {
    let listener = |rest: &str| format!("[[listener]]\nlisten = \"127.0.0.1:1\"\n{rest}\n");
    let len2 = |rest: &str| listener(&format!("framing = \"len2be\"\n{rest}"));
    for (text, expected) in [
        (
            "reactors = 0".to_owned(),
            "a.toml:1:12: 0 is outside 1 to 1024",
        ),
        (
            "connections = 0".to_owned(),
            "a.toml:1:15: 0 would let nobody in",
        ),
        (
            "reactors = -1".to_owned(),
            "a.toml:1:12: invalid value: integer `-1`",
        ),
        (
            "limits = 5".to_owned(),
            "a.toml:1:10: invalid type: integer `5`, expected a section",
        ),
        (
            "[limits]\nclose = \"0s\"".to_owned(),
            "a.toml:2:9: less than 1s",
        ),
        (
            "[limits]\nmessage_bytes = 0".to_owned(),
            "a.toml:2:17: 0 bytes",
        ),
        (
            "[limits]\noutbox_bytes = \"64KiB\"".to_owned(),
            "a.toml:2:16: outbox_bytes (64KiB) has",
        ),
        (
            "[limits]\nmessage_bytes = \"1MiB\"".to_owned(),
            "a.toml:2:17: outbox_bytes (1MiB) has",
        ),
        (
            "[limits]\nmessage_rate = { burst = 0 }".to_owned(),
            "a.toml:2:26: 0 is outside",
        ),
        (
            "[limits]\nmessage_rate = 5".to_owned(),
            "a.toml:2:16: invalid type: integer `5`, exp",
        ),
        (
            "[limits]\nconnections = 5\nconnections_per_address = 6".to_owned(),
            "a.toml:3:27: connections_per_address (6) is above connections (5)",
        ),
        (
            "[[listener]]\nname = \"x\"".to_owned(),
            "a.toml:1:1: a listener needs `listen",
        ),
        (
            listener("max_frame = 5"),
            "a.toml:3:13: max_frame is for TCP framings",
        ),
        (
            listener("name = \" \""),
            "a.toml:3:8: a listener's name is not empty",
        ),
        (
            len2("page = true"),
            "a.toml:4:8: len2be cannot serve a page",
        ),
        (
            "trusted_proxies = [\"10.0.0.0/8\", \"nginx\"]".to_owned(),
            "a.toml:1:19: \"nginx\" is neither a network like 10.0.0.0/8 nor an address",
        ),
        (
            listener("origins = [\"https://a\", \"b\"]"),
            "a.toml:3:11: \"b\" is no origin; write scheme, host and port",
        ),
        (
            listener("origins = \"all\""),
            "a.toml:3:11: \"all\" is no origin",
        ),
        (
            listener("origins = 5"),
            "a.toml:3:11: invalid type: integer `5`, expected a text or a list",
        ),
        (
            len2("origins = \"any\""),
            "a.toml:4:11: browsers do not speak len2be",
        ),
        (
            len2("files = \"dist\""),
            "a.toml:4:9: len2be cannot serve files",
        ),
        (
            listener("files = \"dist\"\npage = true"),
            "a.toml:4:8: the chat page and `files` would both be at /",
        ),
        (
            len2("compression = \"shared\""),
            "a.toml:4:15: len2be knows no compression",
        ),
        (
            listener("compression = \"zstd\""),
            "a.toml:3:15: invalid value: string \"zstd\", expected \"off\", \"shared\" or {",
        ),
        (
            listener("compression = { level = 10 }"),
            "a.toml:3:25: 10 is outside 1 to 9",
        ),
        (
            listener("compression = { window_bits = 8 }"),
            "a.toml:3:31: 8 is outside 9 to 15",
        ),
        (
            len2("max_frame = \"64KiB\""),
            "a.toml:4:13: min_frame, max_frame of len2be: maximum",
        ),
        (
            len2("min_frame = 9\nmax_frame = 8"),
            "a.toml:5:13: min_frame, max_frame of len2be: min",
        ),
        (
            len2("limits.message_bytes = 8"),
            "a.toml:4:24: message_bytes is for websocket",
        ),
        (
            len2("limits.outbox_bytes = 8"),
            "a.toml:4:23: outbox_bytes (8B) has no room",
        ),
        (
            listener("") + &len2("name = \"x\""),
            "a.toml:5:10: listeners `websocket` (127.0.0.1:1) and `x` (127.0.0.1:1) want the same \
             address; the other is at a.toml:2:10",
        ),
        (
            listener("name = \"x\"") + "[[listener]]\nlisten = \"127.0.0.1:2\"\nname = \"x\"",
            "a.toml:6:8: two listeners are called `x`; the other is at a.toml:3:8",
        ),
        (
            "listen = \"0.0.0.0:8081\"".to_owned(),
            "a.toml:1:10: listeners `web`",
        ),
    ] {
        let refused = refusal(&text);
        assert!(refused.starts_with(expected), "{text}\n{refused}");
    }
}

#[test]
fn tls_and_proxies_read_back_and_find_their_files() {
    let text = "
        [[listener]]
        listen = \"127.0.0.1:1\"
        proxy_protocol = \"required\"
        trusted_proxies = [\"10.0.0.0/8\", \"::1\"]
        [listener.tls]
        certificates = [{ cert = \"a.pem\", key = \"/etc/a.key\" }]
        min_version = \"1.3\"
        client_auth = \"required\"
        client_ca = \"ca.pem\"
        session_tickets = false
        [[listener]]
        listen = \"127.0.0.1:2\"
        framing = \"ndjson\"
        tls = { certificates = [{ cert = \"a.pem\", key = \"a.key\" }] }
    ";
    let sources = Sources::of_text("/etc/gatehouse/a.toml", text, Vec::new());
    let config = Config::from_sources(&sources).unwrap();
    assert_same(&read(&config.to_string()), &config, "read back");
    let tls = config.listeners[0].tls.clone().unwrap();
    assert_eq!(tls.certificates[0].cert, Path::new("/etc/gatehouse/a.pem"));
    assert_eq!(tls.certificates[0].key, Path::new("/etc/a.key"));
    assert_eq!(tls.client_ca.unwrap(), Path::new("/etc/gatehouse/ca.pem"));
    assert_eq!(tls.alpn, [b"http/1.1", b"http/1.0"]);
    assert!(config.listeners[0].proxy_protocol);
    let tls = config.listeners[1].tls.clone().unwrap();
    assert!(tls.session_tickets && tls.alpn.is_empty() && tls.client_ca.is_none());
    assert_eq!(
        config.check_files().unwrap_err().to_string(),
        "listener `websocket`: cannot read /etc/gatehouse/a.pem: No such file or directory (os \
         error 2)"
    );
}

#[test]
fn tls_and_proxies_that_cannot_be_meant_are_refused() {
    let listener = |rest: &str| format!("[[listener]]\nlisten = \"127.0.0.1:1\"\n{rest}\n");
    let tls = |rest: &str| {
        let files = "[listener.tls]\ncertificates = [{ cert = \"a\", key = \"b\" }]\n";
        listener(&format!("{files}{rest}"))
    };
    for (text, expected) in [
        (
            listener("[listener.tls]\nmin_version = \"1.2\""),
            "a.toml:3:1: [listener.tls] needs `certificates",
        ),
        (
            listener("[listener.tls]\ncertificates = []"),
            "a.toml:4:16: TLS needs a certificate",
        ),
        (
            listener("[listener.tls]\ncertificates = [{ cert = \"a\" }]"),
            "a.toml:4:17: missing field `key`",
        ),
        (
            tls("min_version = \"1.1\""),
            "a.toml:5:15: unknown value `1.1`",
        ),
        (
            tls("client_auth = \"required\""),
            "a.toml:5:15: client_auth needs `client_ca",
        ),
        (
            tls("client_ca = \"c\""),
            "a.toml:5:13: client_ca is of no use",
        ),
        (
            listener("trusted_proxies = [\"10.0.0.0/40\"]"),
            "a.toml:3:19: \"10.0.0.0/40\" is neither a network",
        ),
        (
            listener("proxy_protocol = \"required\""),
            "a.toml:3:18: nobody would be let in",
        ),
    ] {
        let refused = refusal(&text);
        assert!(refused.starts_with(expected), "{text}\n{refused}");
    }
}

#[test]
fn guests_are_let_in_until_accounts_are_configured() {
    let guests = |text: &str| read(text).accounts.guests;
    assert!(guests(""));
    assert!(guests("[store]\npath = \":memory:\""));
    assert!(!guests("[store]\npath = \"data\""));
    assert!(!guests("[accounts]\nregistration = true"));
    assert!(guests(
        "[store]\npath = \"data\"\n[accounts]\nguests = true\nregistration = false"
    ));
    let off = [("GATEHOUSE_ACCOUNTS__GUESTS", "false")];
    assert!(!read_with("", &off).unwrap().accounts.guests);
}

#[test]
fn where_others_vouch_for_users_nobody_takes_their_names() {
    let registration = |text: &str| read(text).accounts.registration;
    assert!(registration(""));
    assert!(!registration(
        "[accounts]\nbackend_secret_file = \"secret\""
    ));
    assert!(!registration(
        "[accounts]\nauth_webhook = \"https://example.com/auth\""
    ));
    assert!(registration(
        "[accounts]\nbackend_secret_file = \"secret\"\nregistration = true"
    ));
}

#[test]
fn the_secret_of_webhooks_also_signs_the_question_whose_a_token_is() {
    let asks = "[accounts]\nauth_webhook = \"https://example.com/auth\"";
    let config = read(&format!("{asks}\n[webhooks]\nsecret_file = \"s\""));
    let secret = config.accounts.auth_webhook_secret_file.clone();
    assert_eq!(secret.unwrap().file_name().unwrap(), "s");
    assert_same(&read(&config.to_string()), &config, "read back");
    let refused = refusal("[webhooks]\nsecret_file = \"s\"");
    assert!(refused.contains("nothing is signed with it"), "{refused}");
}

#[test]
fn accounts_read_back_and_find_their_files() {
    let text = "
        [accounts]
        token_lifetime = \"90s\"
        login_policy = \"single\"
        password_hash = { memory = \"1MiB\" }
        backend_secret_file = \"secret\"
        auth_webhook = \"https://example.com/auth\"
    ";
    let sources = Sources::of_text("/etc/gatehouse/a.toml", text, Vec::new());
    let config = Config::from_sources(&sources).unwrap();
    assert_same(&read(&config.to_string()), &config, "read back");
    let cost = config.accounts.hash_cost;
    assert_eq!((cost.memory_kib, cost.passes), (1_024, 2));
    assert_eq!(
        config.check_files().unwrap_err().to_string(),
        "cannot read /etc/gatehouse/secret: No such file or directory (os error 2)"
    );
    for (text, expected) in [
        (
            "password_hash = { memory = \"1KiB\" }",
            "a.toml:2:28: 1KiB is outside 8KiB to 1GiB",
        ),
        ("login_policy = \"any\"", "a.toml:2:16: unknown value `any`"),
        (
            "backend_secret_file = \"a\"\nbackend_public_key_file = \"b\"",
            "a.toml:3:27: the backend signs with a secret or with a key",
        ),
        (
            "auth_webhook = \"example.com\"",
            "a.toml:2:16: a webhook is an absolute URL",
        ),
        ("token_lifetime = \"0s\"", "a.toml:2:18: less than 1s"),
    ] {
        let refused = refusal(&format!("[accounts]\n{text}"));
        assert!(refused.starts_with(expected), "{text}\n{refused}");
    }
}

#[test]
fn attachments_are_beside_the_store_and_end_with_it() {
    let directory = |text: &str| {
        let sources = Sources::of_text("/etc/gatehouse/a.toml", text, Vec::new());
        let config = Config::from_sources(&sources).unwrap();
        config.attachments.directory
    };
    let of = |path: &str| Some(PathBuf::from(path));
    let store = "[store]\npath = \"data\"\n";
    let beside = format!("{store}[attachments]\npath = \"/srv/files\"\nunused = \"2h\"");
    assert_eq!(directory(""), None);
    assert_eq!(directory(store), of("/etc/gatehouse/data/attachments"));
    assert_eq!(directory(&beside), of("/srv/files"));
    let config = read(&beside);
    assert_eq!(config.store.retention.attachments.as_secs(), 7_200);
    assert_same(&read(&config.to_string()), &config, "read back");
    for (text, expected) in [
        ("path = \"files\"", "a.toml:2:8: they would outlive"),
        ("size = \"0B\"", "a.toml:2:8: 0B is outside 1B to 16384GiB"),
        ("pixels = 0", "a.toml:2:10: 0 is outside 1 to 536870912"),
    ] {
        let refused = refusal(&format!("[attachments]\n{text}"));
        assert!(refused.starts_with(expected), "{text}\n{refused}");
    }
}

#[test]
fn webhooks_read_back_and_are_about_something() {
    let text = "
        [webhooks]
        url = \"https://example.com/hook\"
        secret_file = \"secret\"
        events = [\"message.before_send\", \"group.*\"]
        timeout = \"5s\"
        on_failure = \"refuse\"
    ";
    let sources = Sources::of_text("/etc/gatehouse/a.toml", text, Vec::new());
    let config = Config::from_sources(&sources).unwrap();
    assert_same(&read(&config.to_string()), &config, "read back");
    let webhooks = config.webhooks.clone().unwrap();
    let of_groups = webhooks
        .events
        .iter()
        .filter(|event| event.as_str().starts_with("group."));
    assert_eq!((webhooks.events.iter().count(), of_groups.count()), (8, 7));
    assert_eq!(
        config.check_files().unwrap_err().to_string(),
        "cannot read /etc/gatehouse/secret: No such file or directory (os error 2)"
    );
    let variables = [
        ("GATEHOUSE_WEBHOOKS__URL", "http://127.0.0.1:9000/"),
        ("GATEHOUSE_WEBHOOKS__EVENTS", "message.sent,session.login"),
    ];
    let webhooks = read_with("", &variables).unwrap().webhooks.unwrap();
    assert_eq!(webhooks.events.iter().count(), 2);
    for (text, expected) in [
        (
            "url = \"http://127.0.0.1/\"",
            "a.toml:2:7: nothing would be sent there",
        ),
        (
            "events = [\"message.sent\"]",
            "a.toml:2:10: events need a `url`",
        ),
        (
            "events = [\"message.read\"]",
            "a.toml:2:10: there is no event \"message.read\"",
        ),
    ] {
        let refused = refusal(&format!("[webhooks]\n{text}"));
        assert!(refused.starts_with(expected), "{text}\n{refused}");
    }
}

#[test]
fn listeners_on_ports_that_the_kernel_chooses_do_not_clash() {
    assert_eq!(
        read("listen = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\"")
            .listeners
            .len(),
        2
    );
}
