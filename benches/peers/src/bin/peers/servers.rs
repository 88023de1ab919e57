//! Who stands side by side.

/// A server: a program of this workspace, and what sets it apart from others of the same program.
#[derive(Debug)]
pub(crate) struct Server {
    /// Name in the report.
    pub(crate) name: &'static str,
    pub(crate) program: &'static str,
    pub(crate) variant: &'static str,
    /// Which crate, and how it is used.
    pub(crate) about: &'static str,
}

impl Server {
    const fn new(
        name: &'static str,
        program: &'static str,
        variant: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            program,
            variant,
            about,
        }
    }
}

/// What every ratio is a ratio to.
pub(crate) static FLOOR: Server = Server::new(
    "floor",
    "floor",
    "",
    "bare epoll: accepts, answers the upgrade with a constant, then writes as many bytes as a \
     WebSocket server would; looks into nothing",
);

/// The floor of a broadcast that does not walk the receivers in the order of acceptance.
pub(crate) static SHUFFLED: Server = Server::new(
    "floor, shuffled",
    "floor",
    "shuffled",
    "the same; a broadcast goes to the receivers in random order",
);

/// The floor of an echo whose payloads are not left as they lie.
pub(crate) static UNMASKING: Server = Server::new(
    "floor, unmasking",
    "floor",
    "unmasking",
    "the same; takes the mask off each payload and puts it behind the header of its answer, in \
     one pass, and looks into nothing else",
);

pub(crate) static GATEHOUSE: Server = Server::new(
    "gatehouse",
    "gatehouse",
    "",
    "a module placed in the reactor; one reactor",
);

pub(crate) static GATEHOUSE_WORKER: Server = Server::new(
    "gatehouse, worker",
    "gatehouse",
    "worker",
    "the same module placed on a worker; one reactor, one worker",
);

/// Everybody else.
pub(crate) static PEERS: [Server; 9] = [
    Server::new(
        "uWebSockets",
        "uwebsockets",
        "",
        "C++, the sources that libuwebsockets-sys 0.0.9 carries, `-O3 -flto -march=native`; \
         without compression, timeouts and TLS, with its cork",
    ),
    Server::new(
        "fastwebsockets",
        "fastwebsockets",
        "",
        "0.10 behind hyper, `FragmentCollector`, as its example server",
    ),
    Server::new(
        "tokio-tungstenite",
        "tungstenite",
        "",
        "0.30, read buffer of 128 KiB (its default); answers to one read in one write",
    ),
    Server::new(
        "tokio-tungstenite, 4 KiB",
        "tungstenite",
        "4k",
        "the same with a read buffer of 4 KiB",
    ),
    Server::new(
        "tokio-websockets",
        "tokio_websockets",
        "",
        "0.13, limits and frame size of its example server; answers to one read in one write",
    ),
    Server::new(
        "sockudo-ws",
        "sockudo",
        "",
        "3.1, `WebSocketStream`, its timers off; answers to one read in one write",
    ),
    Server::new(
        "yawc",
        "yawc",
        "",
        "0.5 behind hyper; answers to one read in one write",
    ),
    Server::new(
        "yawc, 128 KiB",
        "yawc",
        "128k",
        "the same with the buffers of its own benchmark: reads 128 KiB, writes 64 KiB",
    ),
    Server::new(
        "web-socket",
        "web_socket",
        "",
        "0.7 over a `BufReader`; the upgrade is that of sockudo-ws, since it has none",
    ),
];

impl Server {
    /// Whether it does not look at what it is sent.
    pub(crate) fn is_blind(&self) -> bool {
        self.program == FLOOR.program && self.variant != UNMASKING.variant
    }

    /// Whether its program is there. Only the one in C++ may be missing, for want of a compiler.
    pub(crate) fn is_built(&self) -> bool {
        std::env::current_exe().is_ok_and(|own| own.with_file_name(self.program).exists())
    }
}
