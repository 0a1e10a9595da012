# Build, test and install wackamole. Needs Go and make; "make help" lists the targets.

GO      ?= go
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
CONFIG  ?= /etc/wackamole.conf

# A static binary without symbols; GOFLAGS of the environment still apply.
LDFLAGS := -s -w -X wackamole/internal/cli.Version=$(VERSION) -X wackamole/internal/cli.DefaultConfig=$(CONFIG)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags='$(LDFLAGS)'

.PHONY: all build test demo check sim help clean

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

clean:
	rm -rf wackamole dist

help:
	@sed -n 's/^\([a-z-]*\):[^#]*## /  \1	/p' $(MAKEFILE_LIST)
