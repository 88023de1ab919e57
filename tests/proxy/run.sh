#!/usr/bin/env bash
# nginx in front of our server, with the configuration of docs/proxy.md: run.sh PATH_OF_GATEHOUSE
set -euo pipefail
cd "$(dirname "$0")/../.."
exec target/tests/venv/bin/python tests/proxy/nginx.py "$1"
