#!/usr/bin/env bash
# Runs the Autobahn suite, strict: against `gatehouse echo`, without and with compression, and as the
# server of the client role.
#   run.sh GATEHOUSE CLIENT [CASES...]     (CASES: those of the compressed runs; default: a part)
#   run.sh GATEHOUSE CLIENT all            every case in every arrangement, minutes
# GATEHOUSE is the program; CLIENT the example autobahn_client of network/.
set -euo pipefail
cd "$(dirname "$0")/../.."
gatehouse=$1
client=$2
shift 2
compressed=("$@")
if [ ${#compressed[@]} -eq 0 ]; then
    # Of the 18 lengths and ways of sending in each set three that take no time.
    compressed=('12.*.3' '12.*.6' '12.*.11' '13.*.3' '13.*.6' '13.*.11')
fi
out=target/tests/autobahn
mkdir -p "$out"

# The suite's environment is made before anything is started.
export AUTOBAHN_VENV=${AUTOBAHN_VENV:-$PWD/target/tests/autobahn-venv}
tests/conformance/autobahn.sh --install

server=
# It may have ended by itself.
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT
status=0

# serve_echo NAME OPTIONS... -- CASES...
serve_echo() {
    local name=$1 url= options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    "$gatehouse" echo --listen 127.0.0.1:0 "${options[@]}" >"$out/$name.out" 2>"$out/$name.err" &
    server=$!
    for _ in $(seq 100); do
        # Nothing to find until it has started.
        url=$(grep -om1 'ws://[0-9.:]*' "$out/$name.out" || true)
        [ -z "$url" ] || break
        kill -0 "$server" || { cat "$out/$name.err" >&2; exit 1; }
        sleep 0.1
    done
    echo "Autobahn against gatehouse echo ${options[*]}"
    AUTOBAHN_STRICT=1 AUTOBAHN_AGENT="gatehouse-$name" \
        tests/conformance/autobahn.sh "$url/" "$out/$name" "$@" || status=1
    kill -TERM "$server"
    wait "$server" || { echo "gatehouse echo ended with status $?"; status=1; }
    server=
}

# serve_client NAME PORT TAKEOVER CASES...
serve_client() {
    local name=$1 port=$2 takeover=$3
    shift 3
    echo "Autobahn as the server of the client role, $name"
    AUTOBAHN_STRICT=1 AUTOBAHN_COMPLETE=1 \
        tests/conformance/autobahn.sh --serve "ws://127.0.0.1:$port" "$out/$name" "$@" &
    server=$!
    for _ in $(seq 300); do
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    "$client" "127.0.0.1:$port" "$takeover" || { echo "the client ended with status $?"; status=1; }
    wait "$server" || status=1
    server=
}

# A port that was free a moment ago.
free_port() {
    "$AUTOBAHN_VENV/venv/bin/python" -c \
        'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

if [ "${compressed[0]}" = all ]; then
    for placement in reactor worker; do
        serve_echo "$placement" --placement "$placement" -- core limits
    done
    export AUTOBAHN_COMPLETE=1
    for deflate in shared takeover; do
        serve_echo "$deflate" --deflate="$deflate" -- all
        serve_client "client-$deflate" "$(free_port)" "$deflate" all
    done
else
    # The whole suite once; where the frames take the other way, all but the large messages.
    serve_echo reactor --placement reactor -- core limits
    serve_echo worker --placement worker -- core
    export AUTOBAHN_COMPLETE=1
    serve_echo shared --deflate=shared -- core "${compressed[@]}"
    serve_echo takeover --deflate=takeover --placement worker -- "${compressed[@]}"
    serve_client client-shared "$(free_port)" shared core "${compressed[@]}"
    serve_client client-takeover "$(free_port)" takeover "${compressed[@]}"
fi
exit "$status"
