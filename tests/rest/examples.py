"""The examples of docs/rest.md, run as they stand there: examples.py PATH_OF_GATEHOUSE

They are one script, cut by explanations; curl fails where the answer is an error.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from server import Server

EXAMPLES = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def main(program):
    text = Path("docs/rest.md").read_text()
    with tempfile.TemporaryDirectory() as directory:
        server = Server(program, Path(directory))
        script = "\n".join(EXAMPLES.findall(text)).replace("http://127.0.0.1:8080/api/v1", server.root)
        run = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=directory, stdout=subprocess.PIPE, text=True)
        server.stop()
    assert run.returncode == 0, run.stdout
    for said in ('"body":"hello"', '"seq":1', '"current":true', '"last":'):
        assert said in run.stdout, f"{said} in {run.stdout}"
    receipts = re.findall(r'{"conversation":"d:1:2","seq":\d+,"message":\d+', run.stdout)
    assert receipts[0] == receipts[-1], f"sent once: {receipts}"


main(*sys.argv[1:])
