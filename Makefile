# What one does with Gatehouse. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

RELEASE := target/release
RUN := run
PID := $(RUN)/gatehouse.pid
LOG := $(RUN)/gatehouse.log
HEALTH := http://127.0.0.1:8080/healthz
ADMIN := http://127.0.0.1:8082

.PHONY: help run test bench lint start check stop tools unit conformance conformance-all clients proxy rest reference fuzz counts million hundred-thousand peers

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

run: ## build and serve; the chat page is at http://127.0.0.1:8080/
	cargo run --release -- serve $(ARGS)

test: tools lint unit counts conformance clients proxy rest hundred-thousand ## everything: formatting, lints, tests, instructions, Autobahn, browser, other clients, nginx, REST, 100,000 connections
	@echo "make test: everything passed"

tools: ## install what the tests need and the machine lacks
	tests/tools.sh

# Workspaces of their own, which build what is here and keep their own lock.
APART := benches/peers tests/fuzz/libfuzzer

lint: ## formatting and lints, warnings denied; that every lock fits
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@for folder in $(APART); do cargo update --quiet --workspace --locked --manifest-path $$folder/Cargo.toml \
	  || { echo "$$folder/Cargo.lock does not fit: cargo update --workspace --manifest-path $$folder/Cargo.toml"; exit 1; }; done

unit: ## unit, integration, process and tidy tests, examples and documentation
	cargo nextest run --workspace --locked --no-fail-fast
	cargo test --workspace --doc --locked

counts: ## instructions of a message, against those that are known (benches/echo_cost.rs)
	cargo bench --package gatehouse-benches --bench echo_cost --locked -- --check

AUTOBAHN_CLIENT := $(RELEASE)/examples/autobahn_client

conformance: $(RELEASE)/gatehouse $(AUTOBAHN_CLIENT) ## the Autobahn suite, strict, server and client; a part of the compression cases
	tests/conformance/run.sh $(RELEASE)/gatehouse $(AUTOBAHN_CLIENT)

conformance-all: $(RELEASE)/gatehouse $(AUTOBAHN_CLIENT) ## every case of the Autobahn suite, with and without context takeover (minutes)
	tests/conformance/run.sh $(RELEASE)/gatehouse $(AUTOBAHN_CLIENT) all

clients: $(RELEASE)/gatehouse ## curl, ws and websockets; a browser, websockets and a raw TCP client in one room
	tests/clients/run.sh $(RELEASE)/gatehouse

proxy: $(RELEASE)/gatehouse ## nginx with the configuration of docs/proxy.md in front of nodes
	tests/proxy/run.sh $(RELEASE)/gatehouse

rest: $(RELEASE)/gatehouse ## the REST API against its own description, with schemathesis (a minute)
	tests/rest/run.sh $(RELEASE)/gatehouse

reference: ## write the reference of all calls in docs/rest.md anew
	GATEHOUSE_WRITE_REFERENCE=1 cargo nextest run --package gatehouse-tests --test im --locked reference::

MILLION := target/million

million: $(RELEASE)/gatehouse ## a million connections, or as many as this host can hold: plots and verdict in target/million (minutes); ARGS="--tcp", "--bursts 10" …
	@mkdir -p $(MILLION)
	$(RELEASE)/gatehouse-bench million --html $(MILLION)/million.html --json $(MILLION)/million.json $(ARGS)

hundred-thousand: $(RELEASE)/gatehouse ## the same with 100,000, and no verdict on times (a minute)
	@mkdir -p $(MILLION)
	$(RELEASE)/gatehouse-bench million --connections 100000 --heartbeat 10 --echo-time 5s --churn-time 5s --busy-host \
	  --html $(MILLION)/hundred-thousand.html --json $(MILLION)/hundred-thousand.json

bench: ## the benches: codecs, compression, dispatch, fan-out, timers, cost of an echo, memory
	cargo bench --package gatehouse-benches

PEERS := benches/peers

peers: ## Gatehouse beside other servers, docs/benchmarks.md (half an hour, a quiet machine): ROUNDS=7 ONLY=echo QUICK=1
	cd $(PEERS) && cargo build --release --locked --bins
	$(PEERS)/uwebsockets/build.sh target/release/uwebsockets
	$(PEERS)/target/release/peers --json $(RUN)/peers.json --document docs/benchmarks.md \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick) $(ARGS)

fuzz: ## fuzz one target and store what was found: TARGET=connection SECONDS=600 (tests/fuzz/README.md)
	tests/fuzz/run.sh "$(or $(TARGET),$(error TARGET is one of the files in tests/fuzz/src))" $(or $(SECONDS),60)

.PHONY: $(RELEASE)/gatehouse $(AUTOBAHN_CLIENT)
$(RELEASE)/gatehouse:
	cargo build --release --locked --package gatehouse --bins

$(AUTOBAHN_CLIENT):
	cargo build --release --locked --package gatehouse-network --example autobahn_client

start: $(RELEASE)/gatehouse ## serve in the background; pid and log are in run/
	@mkdir -p $(RUN)
	@if [ -f $(PID) ] && kill -0 $$(cat $(PID)) 2>/dev/null; then echo "already running, pid $$(cat $(PID))"; exit 1; fi
	@nohup $(RELEASE)/gatehouse serve $(ARGS) >$(LOG) 2>&1 & echo $$! >$(PID)
	@for attempt in $$(seq 50); do \
	  kill -0 $$(cat $(PID)) 2>/dev/null || { echo "did not start:"; tail -n 5 $(LOG); rm -f $(PID); exit 1; }; \
	  if grep -q '^gatehouse listens' $(LOG); then echo "running, pid $$(cat $(PID)); log in $(LOG), dashboard at $(ADMIN)/"; exit 0; fi; \
	  sleep 0.1; done; \
	  echo "still starting, pid $$(cat $(PID)); log in $(LOG)"

check: ## whether the server in the background is healthy, and what it counts
	@if ! [ -f $(PID) ] || ! kill -0 $$(cat $(PID)) 2>/dev/null; then echo "not running"; exit 1; fi
	@curl -fsS $(HEALTH) >/dev/null && echo "healthy, pid $$(cat $(PID))" || { echo "pid $$(cat $(PID)) does not answer at $(HEALTH)"; exit 1; }
	@curl -fs $(ADMIN)/metrics | grep -E '^gatehouse_(connections|memory_held_bytes|process_private_bytes)' || true

stop: ## stop the server in the background
	@if ! [ -f $(PID) ] || ! kill -0 $$(cat $(PID)) 2>/dev/null; then echo "not running"; rm -f $(PID); exit 0; fi; \
	  pid=$$(cat $(PID)); kill -TERM $$pid; \
	  for attempt in $$(seq 150); do kill -0 $$pid 2>/dev/null || { rm -f $(PID); echo "stopped"; exit 0; }; sleep 0.1; done; \
	  echo "pid $$pid is still there after 15 s"; exit 1
