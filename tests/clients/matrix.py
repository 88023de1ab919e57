"""curl, Node's `ws` and Python's `websockets` against the real programs, in each variant.

    matrix.py PATH_OF_GATEHOUSE FOLDER_OF_NPM

A variant says how clients come: TLS or not, compression offered or not. A further one is a further
line in VARIANTS; what its servers need stands there too.
"""

import asyncio
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import websockets

LIMIT_S = 20
HERE = Path(__file__).parent
# Larger than what `serve` takes of a body.
TOO_LARGE_BYTES = 2_000_000


@dataclass(frozen=True)
class Variant:
    """How clients come to the servers."""

    name: str
    # Whether clients offer permessage-deflate. A server that agrees to it and one that does not
    # both echo.
    compression: bool = False
    # PEM file of who has signed the servers' certificate; without it there is no TLS.
    ca: str | None = None
    # What the servers are started with, beside their addresses.
    arguments: tuple[str, ...] = ()

    def url(self, address, scheme):
        return f"{scheme}{'s' if self.ca else ''}://{address}"


VARIANTS = [Variant("plain"), Variant("compression offered", compression=True)]


class Server:
    """`gatehouse echo` or `gatehouse serve` on a port of its own."""

    def __init__(self, program, command, variant):
        self.process = subprocess.Popen(
            [program, command, "--listen", "127.0.0.1:0", *variant.arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "GATEHOUSE_TCP": "127.0.0.1:0",
                "GATEHOUSE_LOG__LEVEL": "warn",
            },
        )
        self.address = None
        while not self.address:
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"gatehouse {command} ended with status {self.process.wait()}")
            if found := re.search(r"wss?://([\d.]+:\d+)", line):
                self.address = found[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"


class Curl:
    """curl over HTTP/1.1, its answers checked by the caller."""

    def __init__(self, variant):
        self.trust = ["--cacert", variant.ca] if variant.ca else []

    def __call__(self, *arguments, body=None):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--http1.1", "--max-time", str(LIMIT_S)]
            + [*self.trust, *arguments],
            input=body,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"curl {arguments}: {done.stderr.decode()}"
        return done

    def body(self, *arguments, **named):
        return self(*arguments, **named).stdout


def curl_uploads(curl, url):
    """Against `gatehouse echo`, which answers a request with its body."""
    data = b"0123456789abcdef" * 16_384
    assert curl.body("--upload-file", "-", f"{url}/put", body=data) == data, "chunked by -T -"
    chunked = ["--header", "Transfer-Encoding: chunked", "--data-binary", "@-"]
    assert curl.body(*chunked, f"{url}/post", body=data) == data, "chunked by its header"
    assert curl.body("--data-binary", "@-", f"{url}/post", body=data) == data, "of a length"
    expect = ["--verbose", "--header", "Expect: 100-continue", "--data-binary", "@-"]
    done = curl(*expect, f"{url}/post", body=data)
    assert done.stdout == data
    assert b"< HTTP/1.1 100 Continue" in done.stderr, "the body is asked for"


def curl_reads(curl, url, folder):
    """Against `gatehouse serve`, which has files."""
    page = f"{url}/chat.js"
    whole = curl.body(page)
    assert b"WebSocket" in whole

    connects = ["--write-out", "%{num_connects}", "--output", os.devnull]
    done = curl(*connects, page, "--next", "--silent", *curl.trust, *connects, page)
    assert done.stdout == b"10", f"the connection is used again: {done.stdout}"
    closing = ["--header", "Connection: close"]
    done = curl(*connects, *closing, page, "--next", "--silent", *curl.trust, *connects, page)
    assert done.stdout == b"11", f"the connection is not used again: {done.stdout}"
    assert curl.body("--http1.0", page) == whole

    head = curl.body("--head", page).decode().lower()
    assert f"content-length: {len(whole)}\r\n" in head and "\r\ndate: " in head, head
    assert curl.body("--range", "10-19", page) == whole[10:20]
    assert curl.body("--range", "-7", page) == whole[-7:]
    status = ["--write-out", "%{http_code}", "--output", os.devnull]
    assert curl.body("--range", f"{len(whole)}-", *status, page) == b"416"
    resumed = folder / "resumed.js"
    resumed.write_bytes(whole[:1000])
    curl("--continue-at", "-", "--output", resumed, page)
    assert resumed.read_bytes() == whole, "a download is resumed"
    etag = folder / "etag"
    curl("--etag-save", etag, "--output", os.devnull, page)
    assert curl.body("--etag-compare", etag, *status, page) == b"304"

    large = ["--verbose", "--header", "Expect: 100-continue", "--data-binary", "@-", *status]
    done = curl(*large, f"{url}/healthz", body=b"x" * TOO_LARGE_BYTES)
    assert done.stdout == b"413", done.stdout
    assert b"100 Continue" not in done.stderr, "a body that is too large is not asked for"
    for arguments, code in [
        (["--request", "BREW", page], b"501"),
        (["--request", "DELETE", page], b"405"),
        (["--request", "OPTIONS", "--request-target", "*", page], b"204"),
        (["--path-as-is", f"{url}/../etc/passwd"], b"400"),
        ([f"{url}/nowhere"], b"404"),
    ]:
        assert curl.body(*status, *arguments) == code, arguments


def node_ws(url, variant, npm):
    ca = Path(variant.ca).read_text() if variant.ca else None
    task = {"url": url, "ca": ca, "compression": variant.compression}
    done = subprocess.run(
        ["node", HERE / "ws_echo.mjs", json.dumps(task)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env={**os.environ, "NPM_FOLDER": str(Path(npm).resolve())},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


async def python_websockets(url, variant):
    trust = ssl.create_default_context(cafile=variant.ca) if variant.ca else None
    compression = "deflate" if variant.compression else None
    async with websockets.connect(
        url, ssl=trust, compression=compression, max_size=None, proxy=None, open_timeout=LIMIT_S
    ) as client:
        for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000]:
            for message in ["x" * length, b"\x00\xff" * (length // 2)]:
                await client.send(message)
                assert await asyncio.wait_for(client.recv(), LIMIT_S) == message
        await client.send(["in ", "three ", "fragments"])
        assert await asyncio.wait_for(client.recv(), LIMIT_S) == "in three fragments"
        for number in range(500):
            await client.send(str(number))
        for number in range(500):
            assert await asyncio.wait_for(client.recv(), LIMIT_S) == str(number)
        await asyncio.wait_for(await client.ping(b"are you there"), LIMIT_S)
        await client.close(4321, "done")
        assert client.close_code == 4321
        return client.response.headers.get("Sec-WebSocket-Extensions", "none")


def main(program, npm):
    for variant in VARIANTS:
        curl = Curl(variant)
        with Server(program, "echo", variant) as echo:
            curl_uploads(curl, variant.url(echo.address, "http"))
            url = variant.url(echo.address, "ws")
            agreed = {
                "ws": node_ws(f"{url}/", variant, npm),
                "websockets": asyncio.run(python_websockets(f"{url}/", variant)),
            }
        with Server(program, "serve", variant) as serve, tempfile.TemporaryDirectory() as folder:
            curl_reads(curl, variant.url(serve.address, "http"), Path(folder))
        told = ", ".join(f"{client}: {extensions}" for client, extensions in agreed.items())
        print(f"clients, {variant.name}: curl, ws and websockets are served (extensions: {told})")


if __name__ == "__main__":
    main(*sys.argv[1:])
