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

    def __init__(self, program, directory, accounts="", admin_token=""):
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
            [admin]
            listen = "127.0.0.1:0"
            token = "{admin_token}"
            """
        )
        self.process = subprocess.Popen(
            [Path(program).resolve(), "serve", "--config", config], stdout=subprocess.PIPE, text=True
        )
        self.root = f"http://{self.told('ws://')}/api/v1"
        self.admin_root = f"http://{self.told('dashboard: http://')}/api/v1"

    def told(self, before):
        """The address that is printed behind these words."""
        while not (found := re.search(re.escape(before) + r"([\d.]+:\d+)", self.process.stdout.readline())):
            assert self.process.poll() is None, "gatehouse serves"
        return found[1]

    def call(self, token, method, path, root=None, **body):
        request = urllib.request.Request(
            (root or self.root) + path,
            method=method,
            data=json.dumps(body).encode() if method != "GET" else None,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"
