# Stoa. `make run` starts the whole stack, `make test` tests it; both set up what they need.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  = -s -w -X main.version=$(VERSION)
# Tests of a package run beside each other; two packages at a time keep a small machine usable.
TESTFLAGS ?= -timeout 9m

.PHONY: all build run test race bench lint generate setup-go setup-test setup-generate clean

all: build

# need installs the Debian package $(2) when the program $(1) is missing, or says how to.
define need
	@command -v $(1) >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "installing $(2)"; \
	    { apt-get install -y --no-install-recommends $(2) || { apt-get update && apt-get install -y --no-install-recommends $(2); }; } >/dev/null || exit 1; \
	  else \
	    echo "$(1) is missing. Install it with: sudo apt-get install $(2)" >&2; exit 1; \
	  fi; }
endef

# Go 1.21 and later fetch the version that go.mod asks for by themselves.
setup-go:
	@command -v $(GO) >/dev/null 2>&1 || { echo "Go is missing. Install Go 1.26 or later from https://go.dev/dl/" >&2; exit 1; }
	@$(GO) version | grep -Eq 'go1\.(2[1-9]|[3-9][0-9])|devel' || { echo "$$($(GO) version) is too old. Install Go 1.26 or later from https://go.dev/dl/" >&2; exit 1; }

# What the tests of the edges need: a Docker engine, a static program for its
# images, and a C compiler for the race detector.
setup-test: setup-go
	$(call need,dockerd,docker.io)
	$(call need,iptables,iptables)
	$(call need,busybox,busybox-static)
	$(call need,xz,xz-utils)
	$(call need,bzip2,bzip2)
	$(call need,ip,iproute2)
	$(call need,gcc,gcc libc6-dev)

setup-generate: setup-go
	$(call need,protoc,protobuf-compiler libprotobuf-dev)

build: setup-go
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/stoa ./cmd/stoa

run: build
	@exec bin/stoa local $(ARGS)

# The clients of others have a module of their own. They test the binary, which the test cache knows nothing of.
test: setup-test build
	$(GO) test $(TESTFLAGS) ./...
	cd compat-tests/clients && $(GO) test -count=1 $(TESTFLAGS) ./...

race: setup-test build
	$(GO) test -race $(TESTFLAGS) ./...

bench: build
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) run ./compat-tests/cmd/figures --binary bin/stoa
	$(GO) run ./compat-tests/cmd/bench --binary bin/stoa

lint: setup-go
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "run gofmt on:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	cd compat-tests/clients && $(GO) vet ./...
	$(GO) tool staticcheck ./...

# Needs Debian's protoc; the generator itself is a tool dependency of go.mod.
generate: setup-generate
	$(GO) build -o bin/protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
	PATH="$(CURDIR)/bin:$$PATH" protoc -I internal/mesos/proto -I /usr/include --go_out=. --go_opt=module=stoa \
	  $$(cd internal/mesos/proto && find . -name '*.proto' | sed 's|^\./||' | LC_ALL=C sort)

clean:
	rm -rf bin
