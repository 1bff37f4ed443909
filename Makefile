# Switchyard: `make run` to try it, `make test` to check it, `make help` for the rest.

SWIFT ?= swift
BUILD := .build/release
SOURCES := Package.swift Sources Tests Benchmarks
PORT := 8443

.DEFAULT_GOAL := build
.PHONY: build run test bench bench-quick fuzz format check-format setup clean help

build: ## build the edge: .build/release/switchyard
	$(SWIFT) build -c release --product switchyard

run: ## build it, start it with two demo sites on 127.0.0.1:8443 (PORT=...), follow the log
	@scripts/setup run
	$(SWIFT) build -c release --product switchyard
	@PORT=$(PORT) scripts/demo $(BUILD)/switchyard

test: ## install what is missing, build everything once, run every test
	@scripts/setup test
	@scripts/test

bench: ## install and race the other routers, about 25 minutes; writes Benchmarks/RESULTS.md (EDGE=... another binary)
	@scripts/setup bench
	$(if $(EDGE),,$(SWIFT) build -c release --product switchyard)
	Benchmarks/bench.py $(if $(EDGE),--edge $(EDGE)) $(BENCH)

bench-quick: ## a little of everything in 3 minutes; what it writes is in Benchmarks/out/quick
	@scripts/setup bench
	$(if $(EDGE),,$(SWIFT) build -c release --product switchyard)
	Benchmarks/bench.py --quick $(if $(EDGE),--edge $(EDGE)) $(BENCH)

fuzz: ## fuzz every parser under libFuzzer, FOR seconds each (60); what it finds is in .build/fuzz/findings
	@scripts/setup run
	scripts/fuzz $(or $(FOR),60)

format: ## lay the Swift sources out, long comments included
	scripts/wrap-comments 110 $$(git ls-files '*.swift')
	$(SWIFT) format format --in-place --parallel --recursive $(SOURCES)

check-format: ## say where the layout of the Swift sources differs
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

setup: ## install what is missing for everything, the benchmarks included
	@scripts/setup bench

clean: ## remove what was built and what the demo left
	rm -rf .build .demo Benchmarks/bin Benchmarks/out

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22
