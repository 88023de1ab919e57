"""The program, for the tests of its REST API."""

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

LIMIT_S = 20


class Server:
    """`gatehouse serve` on ports of its own."""

    def __init__(self, program, directory, accounts=""):
        config = directory / "gatehouse.toml"
        config.write_text(
            f"""
            listen = "127.0.0.1:0"
            tcp = "127.0.0.1:0"
            [limits]
            message_rate = "unlimited"
            [accounts]
            password_hash = {{ memory = "8KiB", passes = 1 }}
            {accounts}
            """
        )
        self.process = subprocess.Popen(
            [Path(program).resolve(), "serve", "--admin", "off", "--config", config], stdout=subprocess.PIPE, text=True
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
