"""The REST API against its own description: what /api/v1/openapi.json promises is what the program does.

    contract.py PATH_OF_GATEHOUSE PATH_OF_SCHEMATHESIS

schemathesis makes requests from the document, right and wrong ones, and holds the answers to it. What is left out:

- positive_data_acceptance: what the schemas allow may still be refused, for they cannot say that a name has visible
  characters, that a length is counted in bytes, that a user exists, or that one is not oneself.
- use_after_free, ensure_resource_availability: they take the user of POST for the one of GET, whatever the path means.
"""

import base64
import hashlib
import hmac
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

LIMIT_S = 20
SEED = 20_261_121
# Requests made for each call in the phase that makes up data; the other phases have as many as they need.
EXAMPLES = 12
LEFT_OUT = ["positive_data_acceptance", "use_after_free", "ensure_resource_availability"]
SECRET = b"the secret of a backend that vouches for its users"


class Server:
    """`gatehouse serve` on ports of its own, with users of a backend: no call ends their sessions, for they have none."""

    def __init__(self, program, directory):
        (directory / "backend-secret").write_bytes(SECRET)
        (directory / "gatehouse.toml").write_text(
            """
            listen = "127.0.0.1:0"
            tcp = "127.0.0.1:0"
            [accounts]
            password_hash = { memory = "8KiB", passes = 1 }
            backend_secret_file = "backend-secret"
            """
        )
        self.process = subprocess.Popen(
            [program, "serve", "--admin", "off", "--config", directory / "gatehouse.toml"], stdout=subprocess.PIPE, text=True
        )
        while not (found := re.search(r"ws://([\d.]+:\d+)", self.process.stdout.readline())):
            assert self.process.poll() is None, "gatehouse serves"
        self.root = f"http://{found[1]}/api/v1"

    def call(self, token, method, path, **body):
        request = urllib.request.Request(
            self.root + path,
            method=method,
            data=json.dumps(body).encode() if method != "GET" else None,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"


def token(name):
    """What the backend gives its user of this name."""

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    claims = {"sub": name, "exp": int(time.time()) + 3600}
    signed = b".".join(part(json.dumps(value).encode()) for value in ({"alg": "HS256", "typ": "JWT"}, claims))
    return (signed + b"." + part(hmac.digest(SECRET, signed, hashlib.sha256))).decode()


def populate(server):
    """Something to be found under the small numbers that are tried first."""
    ada, bob, eve = (token(name) for name in ("Ada", "Bob", "Eve"))
    ids = [server.call(who, "GET", "/account")["account"]["id"] for who in (ada, bob, eve)]
    for _ in range(3):
        group = server.call(ada, "POST", "/groups", name="Rust", members=ids)["group"]["id"]
        for who in (ada, bob):
            server.call(who, "POST", "/messages", to={"group": group}, body="hello")
    server.call(bob, "POST", "/messages", to={"user": ids[0]}, body="hello")
    server.call(bob, "POST", "/friends/requests", user=ids[0])
    return ada


def main(program, schemathesis):
    with tempfile.TemporaryDirectory() as directory:
        server = Server(Path(program).resolve(), Path(directory))
        command = [Path(schemathesis).resolve(), "run", f"{server.root}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {populate(server)}"]
        command += ["--checks", "all", "--exclude-checks", ",".join(LEFT_OUT)]
        command += ["--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-database", "none"]
        command += ["--request-timeout", str(LIMIT_S), "--continue-on-failure", "--no-color"]
        # It looks for a configuration of its own where it is started.
        status = subprocess.run(command, cwd=directory).returncode
        server.stop()
    sys.exit(status)


main(*sys.argv[1:])
