#!/usr/bin/env bash
# The REST API as it is documented, and against its own description with schemathesis: run.sh PATH_OF_GATEHOUSE
set -euo pipefail
cd "$(dirname "$0")/../.."
target/tests/venv/bin/python tests/rest/examples.py "$1"
exec target/tests/venv/bin/python tests/rest/contract.py "$1" target/tests/venv/bin/schemathesis
