"""The REST API, that of users and that of administrators, against its own description: what /api/v1/openapi.json promises is
what the program does.

    contract.py PATH_OF_GATEHOUSE PATH_OF_SCHEMATHESIS

schemathesis makes requests from the document, right and wrong ones, and holds the answers to it. What is left out:

- positive_data_acceptance: what the schemas allow may still be refused, for they cannot say that a name has visible
  characters, that a length is counted in bytes, that a user exists, or that one is not oneself.
- POST /attachments: its body is a file, and so any bytes at all are right; tests/im and cmd/tests/attachments.rs make its requests.
- use_after_free, ensure_resource_availability: they take the user of POST for the one of GET, whatever the path means.
"""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import LIMIT_S, Server

SEED = 20_261_121
# Requests made for each call in the phase that makes up data; the other phases have as many as they need.
EXAMPLES = 25
LEFT_OUT = ["positive_data_acceptance", "use_after_free", "ensure_resource_availability"]
ADMIN_TOKEN = "the-operator-and-nobody-else"
SECRET = b"the secret of a backend that vouches for its users"


def token(name):
    """What a backend gives its user of this name. No call ends a session of theirs, for they have none."""

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
    statuses = [held(program, schemathesis, calls_of) for calls_of in ("users", "administrators")]
    sys.exit(max(statuses))


def held(program, schemathesis, calls_of):
    """What schemathesis says of a server that has just been started."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "backend-secret").write_bytes(SECRET)
        server = Server(program, Path(directory), 'backend_secret_file = "backend-secret"', ADMIN_TOKEN)
        user = populate(server)
        root, who = {"users": (server.root, user), "administrators": (server.admin_root, ADMIN_TOKEN)}[calls_of]
        command = [Path(schemathesis).resolve(), "run", f"{root}/openapi.json"]
        command += ["--exclude-path", "/attachments"]
        command += ["--header", f"Authorization: Bearer {who}"]
        command += ["--checks", "all", "--exclude-checks", ",".join(LEFT_OUT)]
        command += ["--max-examples", str(EXAMPLES), "--seed", str(SEED), "--generation-database", "none"]
        command += ["--request-timeout", str(LIMIT_S), "--continue-on-failure", "--no-color"]
        # It looks for a configuration of its own where it is started.
        status = subprocess.run(command, cwd=directory).returncode
        server.stop()
    return status


main(*sys.argv[1:])
