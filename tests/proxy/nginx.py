"""nginx with the configuration of docs/proxy.md, in front of two nodes and then three.

    nginx.py PATH_OF_GATEHOUSE

Which node a session is on, and whom the node sees, is read from the line that a node logs for each
session that is opened (level debug). Clients have addresses of their own: 127.0.0.0/8 is all here.
"""

import asyncio
import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import websockets

LIMIT_S = 20
USERS = [f"user-{number}" for number in range(60)]
# Seconds of silence until a node pings, and what the nginx of that test cuts off after.
IDLE_S, READ_TIMEOUT_S = 1, 3
# Sessions that one address may have on the node that counts them.
PER_ADDRESS = 3
# Nodes on ports of their own.
WEB = """
[[listener]]
listen = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]
"""
LINES = """
[[listener]]
listen = "127.0.0.1:0"
framing = "ndjson"
proxy_protocol = "required"
trusted_proxies = ["127.0.0.1"]
"""
# Debian has the module in a package of its own.
STREAM_MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
DOCUMENT = Path(__file__).parents[2] / "docs" / "proxy.md"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """`gatehouse serve` behind the proxy, and the sessions that it has logged."""

    def __init__(self, program, folder, settings="", limits=""):
        config = Path(folder) / f"node-{time.monotonic_ns()}.toml"
        config.write_text(
            f"""
            {settings}
            [limits]
            auth = "0s"
            {limits}
            [log]
            level = "debug"
            """
        )
        self.process = subprocess.Popen(
            [program, "serve", "--config", config, "--admin", "off"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.address = None
        while not self.address:
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"gatehouse ended: {self.process.stderr.read()}")
            if found := re.search(r"(?:ws|tcp)://([\d.]+:\d+)", line):
                self.address = found[1]
        self.peers = {}  # of the last session of each target
        self.news = threading.Condition()
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for line in self.process.stderr:
            line = re.sub(r"\x1b\[[\d;]*m", "", line)
            if "session opened" not in line:
                continue
            peer = re.search(r"peer=(\S+)", line)[1]
            # Sessions over TCP have no path.
            path = re.search(r'path="?([^\s"]*)', line)
            target = path[1] if path else ""
            with self.news:
                self.peers[target] = peer
                self.news.notify_all()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"


class Nginx:
    """nginx with a text of the document, its addresses replaced."""

    def __init__(self, folder, nodes, read_timeout_s=None, stream=False):
        self.folder = Path(folder)
        self.port = free_port()
        self.read_timeout_s = read_timeout_s
        self.stream = stream
        self.write(nodes)
        self.process = subprocess.Popen(
            ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", "stderr"],
            stderr=(self.folder / "error.log").open("w"),
        )
        self.wait_for_answer()

    def write(self, nodes):
        # The document has one for the `http` section, and then one for `stream`.
        texts = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
        text = texts[1 if self.stream else 0]
        servers = "".join(f"    server {node.address};\n" for node in nodes)

        def replace(pattern, by):
            nonlocal text
            text, count = re.subn(pattern, by, text, flags=re.MULTILINE)
            assert count == 1, f"{count} places like {pattern}"

        replace(r"(^    server [\d.]+:808\d;\n)+", servers)
        replace(r"listen \d+;", f"listen 127.0.0.1:{self.port};")
        if self.read_timeout_s:
            replace(r"proxy_read_timeout \d+s;", f"proxy_read_timeout {self.read_timeout_s}s;")
        paths = "".join(
            f"    {name}_temp_path {self.folder}/{name};\n"
            for name in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        user = "user root;\n" if os.getuid() == 0 else ""
        module = f"load_module {STREAM_MODULE};\n" if self.stream and STREAM_MODULE.exists() else ""
        section = "stream {\n" if self.stream else f"http {{\n    access_log off;\n{paths}"
        (self.folder / "nginx.conf").write_text(
            f"{user}{module}daemon off;\npid {self.folder}/nginx.pid;\nworker_processes 1;\n"
            f"events {{ worker_connections 1024; }}\n{section}{text}}}\n"
        )

    def answers(self):
        if self.stream:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return get(self.port, "/healthz")[0] == 200

    def wait_for_answer(self):
        deadline = time.monotonic() + LIMIT_S
        while True:
            # Until then nobody listens.
            with contextlib.suppress(OSError):
                if self.answers():
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"nginx does not answer: {(self.folder / 'error.log').read_text()}")
            time.sleep(0.05)

    def reload(self, nodes):
        """Takes new nodes; worker processes that knew only the old ones accept no more."""
        workers = self.workers()
        self.write(nodes)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + LIMIT_S
        # An old worker without connections ends at once.
        while not self.workers() or self.workers() & workers:
            assert time.monotonic() < deadline, "nginx takes its new configuration"
            time.sleep(0.05)
        self.wait_for_answer()

    def workers(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(children.read_text().split())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT_S)


def get(port, path, method="GET", **headers):
    """Status, fields and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def session(nginx, user, local="127.0.0.1", **headers):
    """A WebSocket to the node of `user`, from an address of this host."""
    return websockets.connect(
        f"ws://127.0.0.1:{nginx.port}/im?sendId={user}",
        local_addr=(local, 0),
        additional_headers=headers,
        compression=None,
        proxy=None,
        ping_interval=None,
        open_timeout=LIMIT_S,
    )


async def home(nginx, nodes, user, local="127.0.0.1", **headers):
    """Opens a session and closes it: the node that it was on, and whom that node has seen."""
    target = f"/im?sendId={user}"
    for node in nodes:
        node.peers.pop(target, None)
    async with session(nginx, user, local, **headers):
        pass
    deadline = time.monotonic() + LIMIT_S
    while True:
        for node in nodes:
            with node.news:
                if target in node.peers:
                    return node, node.peers[target]
        assert time.monotonic() < deadline, f"no node has logged the session of {user}"
        await asyncio.sleep(0.01)


async def addresses_are_those_of_the_clients(nginx, nodes):
    for local in ["127.0.0.5", "127.0.0.6"]:
        _, peer = await home(nginx, nodes, "alice", local)
        assert peer == f"{local}:0", peer
    lies = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    _, peer = await home(nginx, nodes, "alice", "127.0.0.5", **lies)
    assert peer == "127.0.0.5:0", f"{peer} was made up by the client"


async def browsers_of_the_same_host_come_in(nginx):
    own = f"http://127.0.0.1:{nginx.port}"
    async with session(nginx, "alice", Origin=own):
        pass
    try:
        async with session(nginx, "alice", Origin="https://evil.example"):
            raise AssertionError("a page of another server came in")
    except websockets.InvalidStatus as refused:
        assert refused.response.status_code == 403, refused


async def users_stay_on_their_nodes(nginx, nodes, third):
    homes = {}
    for user in USERS:
        homes[user], _ = await home(nginx, nodes, user)
    assert len(set(homes.values())) == 2, "both nodes have users"
    for user in USERS[::4]:
        node, _ = await home(nginx, nodes, user, "127.0.0.7")
        assert node is homes[user], f"{user} came back to another node"
    nginx.reload([*nodes, third])
    moved = 0
    for user in USERS:
        node, _ = await home(nginx, [*nodes, third], user)
        if node is not homes[user]:
            assert node is third, f"{user} moved between nodes that were there before"
            moved += 1
    assert 0 < moved < len(USERS) * 0.6, f"{moved} of {len(USERS)} users moved"
    print(f"  a third node: {moved} of {len(USERS)} users moved, all of them to it")


def http_passes(nginx):
    status, headers, body = get(nginx.port, "/chat.js")
    assert status == 200 and len(body) == int(headers["content-length"])
    again = {"If-None-Match": headers["etag"]}
    assert get(nginx.port, "/chat.js", **again)[0] == 304
    status, headers, part = get(nginx.port, "/chat.js", Range="bytes=10-19")
    assert (status, part) == (206, body[10:20]), status
    status, headers, nothing = get(nginx.port, "/chat.js", method="HEAD")
    assert (status, nothing) == (200, b"") and int(headers["content-length"]) == len(body)
    assert get(nginx.port, "/..%2f..%2fetc/passwd")[0] == 400


async def silent_sessions_stay(nginx, node):
    """A session that says nothing outlives nginx's timeout by the pings of the node."""
    async with session(nginx, "silent") as client:
        # That this time passes is what is tested. The library answers pings, and sends none yet.
        await asyncio.sleep(READ_TIMEOUT_S + 2 * IDLE_S)
        await asyncio.wait_for(await client.ping(), LIMIT_S)


async def clients_are_counted(nginx):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(PER_ADDRESS):
            await stack.enter_async_context(session(nginx, "alice", "127.0.0.8"))
        try:
            await stack.enter_async_context(session(nginx, "alice", "127.0.0.8"))
            raise AssertionError("one session too many was let in")
        except websockets.InvalidStatus as refused:
            assert refused.response.status_code == 503, refused
        await stack.enter_async_context(session(nginx, "alice", "127.0.0.9"))


def tcp_clients_are_counted(nginx):
    """One session for each address; who has none left is cut off."""
    with contextlib.ExitStack() as stack:
        for local, welcome in [("127.0.0.5", True), ("127.0.0.5", False), ("127.0.0.6", True)]:
            client = socket.create_connection(
                ("127.0.0.1", nginx.port), LIMIT_S, source_address=(local, 0)
            )
            stack.enter_context(client)
            # Who is refused may see it at either step.
            with contextlib.suppress(BrokenPipeError):
                client.sendall(b'{"id":1,"op":"login","data":{"name":"%d"}}\n' % client.fileno())
            with contextlib.suppress(ConnectionResetError):
                answer = b""
                answer = client.recv(4096)
            assert (b'"ok"' in answer) == welcome, f"{local}: {answer}"


async def main(program):
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        def started(what):
            stack.callback(what.stop)
            return what

        def beside(name):
            inner = Path(folder) / name
            inner.mkdir()
            return inner

        nodes = [started(Node(program, folder, WEB)) for _ in range(3)]
        limits = f"idle = \"{IDLE_S}s\"\nconnections_per_address = {PER_ADDRESS}"
        strict = started(Node(program, folder, WEB, limits))
        nginx = started(Nginx(beside("a"), nodes[:2]))
        hasty = started(Nginx(beside("b"), [strict], READ_TIMEOUT_S))
        await addresses_are_those_of_the_clients(nginx, nodes[:2])
        await browsers_of_the_same_host_come_in(nginx)
        http_passes(nginx)
        await users_stay_on_their_nodes(nginx, nodes[:2], nodes[2])
        await clients_are_counted(hasty)
        await silent_sessions_stay(hasty, strict)
        lines = started(Node(program, folder, LINES, "connections_per_address = 1"))
        tcp_clients_are_counted(started(Nginx(beside("c"), [lines], stream=True)))
    print("nginx passes sessions, requests and addresses on")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
