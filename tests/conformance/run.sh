#!/usr/bin/env bash
# Runs the Autobahn suite, strict, against `gatehouse echo`, once per placement of the module:
#   run.sh PATH_OF_GATEHOUSE [CASES...]      (default: all but the compression cases)
set -euo pipefail
cd "$(dirname "$0")/../.."
gatehouse=$1
shift
out=target/tests/autobahn
mkdir -p "$out"

# The suite's environment is made before anything is started.
export AUTOBAHN_VENV=${AUTOBAHN_VENV:-$PWD/target/tests/autobahn-venv}
tests/conformance/autobahn.sh --install

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT
status=0
for placement in reactor worker; do
    "$gatehouse" echo --listen 127.0.0.1:0 --placement "$placement" >"$out/$placement.out" 2>"$out/$placement.err" &
    server=$!
    url=
    for _ in $(seq 100); do
        url=$(grep -om1 'ws://[0-9.:]*' "$out/$placement.out" || true)
        [ -z "$url" ] || break
        kill -0 "$server" || { cat "$out/$placement.err" >&2; exit 1; }
        sleep 0.1
    done
    echo "Autobahn against gatehouse echo, $placement placement"
    cases=("$@")
    if [ ${#cases[@]} -eq 0 ]; then
        # The whole suite once; where the frames take the other way, all but the large messages.
        if [ "$placement" = reactor ]; then cases=(core limits); else cases=(core); fi
    fi
    AUTOBAHN_STRICT=1 AUTOBAHN_AGENT="gatehouse-$placement" \
        tests/conformance/autobahn.sh "$url/" "$out/$placement" "${cases[@]}" || status=1
    kill -TERM "$server"
    wait "$server" || { echo "gatehouse echo ended with status $?"; status=1; }
    server=
done
exit "$status"
