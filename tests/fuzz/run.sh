#!/usr/bin/env bash
# Fuzzes one target for some seconds, then stores what it has found in its corpus, minimized.
#
#   tests/fuzz/run.sh TARGET [SECONDS]
#
# Needs a nightly compiler, a C++ compiler, and cargo-fuzz (cargo install cargo-fuzz).
set -euo pipefail
cd "$(dirname "$0")"
target=${1:?a target: one of the files in libfuzzer/fuzz_targets}
seconds=${2:-60}

# Long inputs say little that short ones do not, and make a corpus large.
case $target in
  close | utf8 | tcp_length | tcp_line) length=200 ;;
  connection) length=400 ;;
  form | upload) length=2000 ;;
  *) length=1200 ;;
esac

folder=libfuzzer/target/units/$target
found=$folder/found kept=$folder/kept
rm -rf "$folder"
mkdir -p "$found" "$kept"
cargo run --quiet --manifest-path Cargo.toml --bin units -- unpack "$target" "$found"
# No sanitizer: there is no unsafe code of ours to watch, and without one there are twice as many
# inputs a second. Assertions and checks for overflow are on.
cargo +nightly fuzz build --fuzz-dir libfuzzer --sanitizer none "$target"
binary=libfuzzer/target/$(rustc +nightly -vV | sed -n 's/^host: //p')/release/$target
mkdir -p libfuzzer/artifacts
nice -n 19 "$binary" "$found" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
  -max_len=$length -print_final_stats=1 -artifact_prefix="libfuzzer/artifacts/$target-"
nice -n 19 "$binary" -merge=1 -max_len=$length "$kept" "$found"
cargo run --quiet --manifest-path Cargo.toml --bin units -- pack "$target" "$kept"
