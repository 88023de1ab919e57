#!/usr/bin/env bash
# The REST API against its own description, with schemathesis: run.sh PATH_OF_GATEHOUSE
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/tests/venv/bin/python tests/rest/contract.py "$1" target/tests/venv/bin/schemathesis
