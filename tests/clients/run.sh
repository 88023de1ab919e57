#!/usr/bin/env bash
# Other people's clients against our server: run.sh PATH_OF_GATEHOUSE
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p target/tests/screenshots
target/tests/venv/bin/python tests/clients/matrix.py "$1" target/tests/npm
target/tests/venv/bin/python tests/clients/chat_room.py "$1" target/tests/screenshots
target/tests/venv/bin/python tests/clients/messenger.py "$1" target/tests/screenshots
exec target/tests/venv/bin/python tests/clients/everyday.py "$1" target/tests/screenshots
