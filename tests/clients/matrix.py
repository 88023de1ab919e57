"""curl, Chromium, Node's `ws` and Python's `websockets` against the real programs, in each variant.

    matrix.py PATH_OF_GATEHOUSE FOLDER_OF_NPM

A variant says how clients come and what the servers agree to: TLS or not, compression or not.
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

import trustme
import websockets
from browser import chromium

LIMIT_S = 20
HERE = Path(__file__).parent
# Larger than what `serve` takes of a body.
TOO_LARGE_BYTES = 2_000_000


@dataclass(frozen=True)
class Variant:
    """How clients come to the servers."""

    tls: bool
    # Whether clients offer permessage-deflate (Chromium always does) and servers agree to it.
    compression: bool
    folder: Path

    @property
    def name(self):
        return f"{'TLS' if self.tls else 'plain'}, {'' if self.compression else 'not '}compressed"

    @property
    def ca(self):
        """PEM file of who has signed the servers' certificate."""
        return str(self.folder / "ca.pem") if self.tls else None

    def url(self, address, scheme):
        return f"{scheme}{'s' if self.tls else ''}://{address}"

    def echo(self):
        """Arguments of `gatehouse echo`."""
        deflate = f"--deflate={'shared' if self.compression else 'off'}"
        certificate = ["--tls-cert", self.folder / "chain.pem", "--tls-key", self.folder / "key.pem"]
        return [deflate, *(certificate if self.tls else [])]

    def serve(self):
        """Arguments of `gatehouse serve`."""
        tls = '[listener.tls]\ncertificates = [{ cert = "chain.pem", key = "key.pem" }]\n'
        config = self.folder / f"{self.tls}-{self.compression}.toml"
        config.write_text(
            '[[listener]]\nlisten = "127.0.0.1:0"\n'
            f'compression = "{"shared" if self.compression else "off"}"\n'
            + (tls if self.tls else "")
        )
        return ["--config", config, "--admin", "off"]


def variants(folder):
    """All of them, with the files that they need in `folder`."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(folder / "chain.pem", append=True)
    return [Variant(tls, deflate, folder) for tls in (False, True) for deflate in (False, True)]


class Server:
    """`gatehouse echo` or `gatehouse serve` on a port of its own."""

    def __init__(self, program, command, arguments):
        self.process = subprocess.Popen(
            [program, command, "--listen", "127.0.0.1:0", "--log", "warn", *arguments],
            stdout=subprocess.PIPE,
            text=True,
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
    page = f"{url}/chat/connection.js"
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


def browser(url, variant):
    """Chromium, on a page of nobody's: the echo server takes any origin."""
    with chromium(trusting_anyone=variant.tls) as driver:
        driver.get("about:blank")
        driver.set_script_timeout(LIMIT_S)
        answer = driver.execute_async_script((HERE / "page_echo.js").read_text(), url)
    assert "error" not in answer, answer
    return answer["extensions"] or "none"


def main(program, npm):
    with tempfile.TemporaryDirectory() as folder:
        for variant in variants(Path(folder)):
            run(program, npm, variant)


def run(program, npm, variant):
    curl = Curl(variant)
    with Server(program, "echo", variant.echo()) as echo:
        curl_uploads(curl, variant.url(echo.address, "http"))
        url = variant.url(echo.address, "ws")
        agreed = {
            "ws": node_ws(f"{url}/", variant, npm),
            "websockets": asyncio.run(python_websockets(f"{url}/", variant)),
            "Chromium": browser(f"{url}/", variant),
        }
    with Server(program, "serve", variant.serve()) as serve, tempfile.TemporaryDirectory() as folder:
        curl_reads(curl, variant.url(serve.address, "http"), Path(folder))
    for client, extensions in agreed.items():
        compressed = "permessage-deflate" in extensions
        assert compressed == variant.compression, f"{client} has agreed to {extensions}"
    print(f"clients, {variant.name}: curl, {', '.join(agreed)} are served")


if __name__ == "__main__":
    main(*sys.argv[1:])
