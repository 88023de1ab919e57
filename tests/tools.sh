#!/usr/bin/env bash
# Installs what the tests need beside Rust: Chromium with its driver, nginx, valgrind, Node.js, and the client
# packages of Python and npm. What is there already is left alone. Where something is missing and may not be installed,
# it says so and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "tests need $1, which is not here and could not be installed: $2" >&2
    exit 1
}

need_packages=()
command -v chromium >/dev/null || need_packages+=(chromium)
command -v chromedriver >/dev/null || need_packages+=(chromium-driver)
command -v curl >/dev/null || need_packages+=(curl)
command -v nginx >/dev/null || need_packages+=(nginx-light libnginx-mod-stream)
command -v node >/dev/null || need_packages+=(nodejs)
command -v npm >/dev/null || need_packages+=(npm)
command -v valgrind >/dev/null || need_packages+=(valgrind)
[ -n "$(fc-list 2>/dev/null)" ] || need_packages+=(fonts-dejavu fontconfig)
if [ ${#need_packages[@]} -gt 0 ]; then
    echo "installing ${need_packages[*]}"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    command -v apt-get >/dev/null || fail "${need_packages[*]}" "this is no Debian; install them by hand"
    { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "${need_packages[@]}"; } \
        >/dev/null || fail "${need_packages[*]}" "apt-get failed"
fi

if ! command -v cargo-nextest >/dev/null; then
    echo "installing cargo-nextest"
    cargo install cargo-nextest --locked --quiet || fail cargo-nextest "cargo install failed"
fi

venv=target/tests/venv
wanted=tests/clients/requirements.txt
if ! [ -f "$venv/installed" ] || ! cmp -s "$wanted" "$venv/installed"; then
    echo "setting up $venv"
    python3 -m venv --clear "$venv" || fail "Python's venv" "python3 -m venv failed"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" \
        || fail "$(tr '\n' ' ' <"$wanted")" "pip failed"
    cp "$wanted" "$venv/installed"
fi

npm=target/tests/npm
if ! cmp -s tests/clients/package-lock.json "$npm/installed"; then
    echo "setting up $npm"
    mkdir -p "$npm"
    cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc "$npm/"
    npm ci --prefix "$npm" --silent --no-audit --no-fund || fail "npm packages" "npm ci failed"
    cp tests/clients/package-lock.json "$npm/installed"
fi
