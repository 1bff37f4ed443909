# Switchyard: `make run` to try it, `make test` to check it, `make help` for the rest.

SWIFT ?= swift
BUILD := .build/release
SOURCES := Package.swift Sources Tests Benchmarks
PORT := 8443
DESTDIR ?=
PREFIX ?= /usr
ETC ?= /etc
UNITS ?= $(PREFIX)/lib/systemd/system
SHARE = $(DESTDIR)$(PREFIX)/share
# What is installed if it was built: the edge, and the operator's command.
PROGRAMS = $(notdir $(wildcard $(BUILD)/switchyard $(BUILD)/yard $(BUILD)/yardmaster))
MANUALS = $(wildcard man/*.5 man/*.8 man/*.1)

.DEFAULT_GOAL := build
.PHONY: build install uninstall deb test-deb run test bench bench-quick fuzz format check-format setup clean help

build: ## build the edge, yardmaster and the operator's command: .build/release/switchyard, yardmaster, yard
	$(SWIFT) build -c release --product switchyard
	$(SWIFT) build -c release --product yard
	$(SWIFT) build -c release --product yardmaster

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

install: $(if $(BUILT),,build) ## put it where Debian expects it (DESTDIR=... PREFIX=/usr); a configuration that is there stays
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(UNITS) $(DESTDIR)$(ETC)/switchyard/routes.d $(SHARE)/doc/switchyard
	install -m 755 $(addprefix $(BUILD)/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin
	for unit in systemd/*.service systemd/*.socket; do \
	    sed 's|/usr/bin/|$(PREFIX)/bin/|' $$unit > $(DESTDIR)$(UNITS)/$${unit##*/}; done
	for page in $(MANUALS); do \
	    install -D -m 644 $$page $(SHARE)/man/man$${page##*.}/$${page##*/}; done
	install -D -m 644 completions/switchyard.bash $(SHARE)/bash-completion/completions/switchyard
	install -D -m 644 completions/_switchyard $(SHARE)/zsh/vendor-completions/_switchyard
	install -D -m 644 completions/switchyard.fish $(SHARE)/fish/vendor_completions.d/switchyard.fish
	install -D -m 644 completions/yard.bash $(SHARE)/bash-completion/completions/yard
	install -D -m 644 completions/yard.zsh $(SHARE)/zsh/vendor-completions/_yard
	install -D -m 644 completions/yard.fish $(SHARE)/fish/vendor_completions.d/yard.fish
	install -D -m 644 packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/switchyard.conf
	install -D -m 644 packaging/logrotate $(DESTDIR)$(ETC)/logrotate.d/switchyard
	test -e $(DESTDIR)$(ETC)/switchyard/switchyard.conf || \
	    install -m 644 conf/switchyard.conf $(DESTDIR)$(ETC)/switchyard/switchyard.conf
	test -e $(DESTDIR)$(ETC)/switchyard/yardmaster.yaml || \
	    install -m 644 conf/yardmaster.yaml $(DESTDIR)$(ETC)/switchyard/yardmaster.yaml
	test -e $(DESTDIR)$(ETC)/switchyard/routes.d/example.routes.disabled || \
	    install -m 644 conf/routes.d/example.routes $(DESTDIR)$(ETC)/switchyard/routes.d/example.routes.disabled
	install -m 644 README.md $(SHARE)/doc/switchyard
	for page in $$(find docs -type f); do install -D -m 644 $$page $(SHARE)/doc/switchyard/$$page; done
	install -m 644 LICENSE $(SHARE)/doc/switchyard/copyright

uninstall: ## remove what `make install` put there, but for the configuration
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,switchyard yard yardmaster)
	rm -f $(addprefix $(DESTDIR)$(UNITS)/,$(notdir $(wildcard systemd/*.service systemd/*.socket)))
	for page in $(MANUALS); do rm -f $(SHARE)/man/man$${page##*.}/$${page##*/}; done
	rm -f $(SHARE)/bash-completion/completions/switchyard $(SHARE)/zsh/vendor-completions/_switchyard
	rm -f $(SHARE)/fish/vendor_completions.d/switchyard.fish
	rm -f $(SHARE)/bash-completion/completions/yard $(SHARE)/zsh/vendor-completions/_yard
	rm -f $(SHARE)/fish/vendor_completions.d/yard.fish
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/switchyard.conf $(DESTDIR)$(ETC)/logrotate.d/switchyard
	rm -rf $(SHARE)/doc/switchyard

deb: build ## a Debian package: .build/deb/switchyard_VERSION_ARCHITECTURE.deb
	packaging/build-deb .build/deb

test-deb: deb ## install, start, reload, remove and purge that package in a root of its own (root rights; 2 minutes, later less)
	packaging/test-deb .build/deb/*.deb

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
