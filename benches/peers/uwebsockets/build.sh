#!/usr/bin/env bash
# Builds uWebSockets as a peer: build.sh <program>. The sources are those that the crate
# libuwebsockets-sys carries; its own build script wants libclang, which few machines have.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1
if ! command -v g++ >/dev/null; then
    echo "no g++: uWebSockets is left out"
    exit 0
fi
manifest=$(cargo metadata --locked --format-version 1 --features uwebsockets |
    grep -o '"manifest_path":"[^"]*/libuwebsockets-sys-[^"]*"' | cut -d '"' -f 4)
sources=$(dirname "$manifest")/uWebSockets
[ "$program" -nt uwebsockets/server.cpp ] && [ "$program" -nt "$manifest" ] && exit 0

# The flags of its own Makefile, with link-time optimisation, and native as everybody else.
objects=$(mktemp -d)
trap 'rm -r "$objects"' EXIT
flags=(-O3 -flto -march=native -DLIBUS_NO_SSL -DUWS_NO_ZLIB -I "$sources/uSockets/src")
for source in "$sources"/uSockets/src/*.c "$sources"/uSockets/src/{eventing/epoll_kqueue,crypto/openssl}.c; do
    gcc -std=c11 "${flags[@]}" -c "$source" -o "$objects/$(basename "$source").o"
done
g++ -std=c++20 "${flags[@]}" -I "$sources/src" uwebsockets/server.cpp "$objects"/*.o \
    -pthread -o "$program"
