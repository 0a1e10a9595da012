# Build, test and install wackamole. Needs Go and make; "make help" lists the targets.

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
CONFIG  ?= /etc/wackamole.conf

# A static binary without symbols; GOFLAGS of the environment still apply.
LDFLAGS := -s -w -X wackamole/internal/cli.Version=$(VERSION) -X wackamole/internal/cli.DefaultConfig=$(CONFIG)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)'

# Where make install puts things, below DESTDIR.
PREFIX     ?= /usr
SYSCONFDIR ?= /etc
INSTALL    ?= install

SCRIPTS := internal/dist
TARGETS := $(shell $(SCRIPTS)/build.sh)

.PHONY: all build test demo check sim soak leaks bench mutations model install binaries size dist help clean

all: build

build: ## the binary for this machine
	$(BUILD) -o wackamole .

test: ## all tests; needs neither root nor network
	$(GO) vet ./...
	$(GO) test ./...

demo: build ## half a minute of a three-node cluster: kill, leave, return, split, merge
	$(GO) run ./internal/lab/demo ./wackamole

check: ## what a reviewer would run besides: formatting, vet, the race detector
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) test -race ./...

SEEDS ?= 10000
sim: ## simulated clusters, SEEDS=n of them; prints the seeds and how many view changes a second
	$(GO) run ./internal/sim/run -seeds $(SEEDS)

FOR  ?= 10m
SEED ?= 0
soak: build ## faults on real processes and kernels, FOR=10m, SEED=n
	$(GO) run ./internal/lab/soak -for $(FOR) -seed $(SEED) ./wackamole

leaks: build ## one daemon through 10,000 take-overs: does it grow?
	$(GO) run ./internal/lab/soak -takeovers 10000 ./wackamole

BENCH := internal/lab/bench
bench: build binaries ## take-over beside the kernel's own limit and other programs; ten minutes
	$(GO) run ./$(BENCH) -o $(BENCH)/RESULTS.txt -svg $(BENCH)/takeover.svg ./wackamole

mutations: ## do the tests of alloc notice deliberate mistakes?
	MUTATE=1 $(GO) test -count=1 -timeout 20m -run TestMutations ./alloc

model: ## the Promela model; needs spin and a C compiler
	internal/sim/model/check.sh

install: build ## the program, its manual pages, start scripts and a sample, below PREFIX and DESTDIR
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(SYSCONFDIR)/init.d
	$(INSTALL) -m 755 wackamole $(DESTDIR)$(PREFIX)/sbin/wackamole
	ln -sf wackamole $(DESTDIR)$(PREFIX)/sbin/wackatrl
	ln -f $(DESTDIR)$(PREFIX)/sbin/wackamole $(DESTDIR)$(PREFIX)/sbin/wackguard
	$(INSTALL) -m 644 $(SCRIPTS)/wackamole.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	$(INSTALL) -m 644 $(SCRIPTS)/wackamole.8 $(SCRIPTS)/wackatrl.8 $(DESTDIR)$(PREFIX)/share/man/man8/
	$(INSTALL) -m 644 $(SCRIPTS)/wackamole.conf.sample $(DESTDIR)$(SYSCONFDIR)/
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|' $(SCRIPTS)/wackamole.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/wackamole.service
	sed 's|^DAEMON=/usr/sbin/|DAEMON=$(PREFIX)/sbin/|' $(SCRIPTS)/wackamole.init >$(DESTDIR)$(SYSCONFDIR)/init.d/wackamole
	chmod 755 $(DESTDIR)$(SYSCONFDIR)/init.d/wackamole
	chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/wackamole.service

# Go finds out itself what is up to date.
binaries: ## dist/TARGET/wackamole for every kind of machine
	@for target in $(TARGETS); do \
		GO='$(GO)' VERSION='$(VERSION)' CONFIG='$(CONFIG)' $(SCRIPTS)/build.sh $$target dist/$$target/wackamole || exit 1; \
	done

size: binaries ## their sizes; fails where one is over its budget
	@$(SCRIPTS)/size.sh

dist: binaries ## dist/*.tar.xz and SHA256SUMS, the same bytes from the same sources
	GO='$(GO)' VERSION='$(VERSION)' $(SCRIPTS)/dist.sh

clean:
	rm -rf wackamole dist

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1	/p' $(MAKEFILE_LIST)
