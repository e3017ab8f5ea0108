# SPDX-License-Identifier: Apache-2.0
#
# `make demo` and `make test` are all one needs; the rest are their parts. Every target sets itself up, and does so only once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The pinned Node of node_modules comes before the machine's own.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export PLUMBLINE_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/plumbline

PROXY ?= iptables
# Labs that `make lab-test` brings up: 1 one of them, all every kind.
E2E ?= 1
LAB := lab/lab

PACKAGES_BUILD  := clang llvm linux-libc-dev ca-certificates
PACKAGES_KERNEL := iptables nftables ipset conntrack iproute2 netbase python3
PACKAGES_LAB    := containerd runc containernetworking-plugins ethtool util-linux procps clang-19 llvm-19 bpftool $(PACKAGES_KERNEL)
PACKAGES_UI     := chromium fonts-dejavu-core g++ make python3 libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev

.PHONY: help
help: ## What there is
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: modules packages-build packages-kernel packages-lab packages-ui
modules:
	@scripts/setup.sh modules
packages-build packages-kernel packages-lab packages-ui: packages-%:
	@scripts/setup.sh packages $(PACKAGES_$(shell echo $* | tr a-z A-Z))

.PHONY: generate build
generate: gen/agent_pb.js
gen/agent_pb.js: protocol/agent.proto lab/cilium/go.mod scripts/generate.ts scripts/buf.gen.ts.yaml | modules
	@node scripts/generate.ts
build: modules generate ## Bundle the extension, the language server, the panels and the command line
	@node scripts/build.ts --production

# ── what a newcomer runs ──────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: demo
demo: build ## A two-lane trace of a recorded cluster, printed and opened in VS Code; LIVE=1: of the live lab cluster
	@scripts/demo.sh

.PHONY: test
test: lint unit agent-test kernel lab-test cluster cilium ui bench-smoke ## Everything; says what it skips and why

# ── parts of the tests ────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: lint
lint: modules generate ## Format, lint (who may import whom) and types
	@biome ci --colors=off .
	@tsc -p tsconfig.json
	@tsc -p media/tsconfig.json

.PHONY: unit
unit: build ## Unit and property tests, beside the code
	@PLUMBLINE_CLI=$(CURDIR)/dist/cli.js node scripts/test.ts unit

.PHONY: agent agent-test agent-image
agent: modules packages-build ## The node agent's binary
	@$(MAKE) -C agent build
agent-test: modules packages-build packages-kernel ## The agent's tests, its kernel programs included
	@$(MAKE) -C agent vet test
agent-image: modules packages-build packages-kernel ## The agent's container image, without a registry: dist/agent-image.tar
	@$(MAKE) -C agent image

.PHONY: kernel
kernel: modules generate packages-kernel packages-lab ## Predictions against what the kernel does, in network namespaces
	@[ "$$(id -u)" != 0 ] || $(LAB) build --cilium >/dev/null
	@node scripts/test.ts kernel

.PHONY: cluster
cluster: build packages-lab agent-image lab-binary ## Predictions against real connections in the lab cluster
	@node scripts/test.ts cluster

.PHONY: cilium
cilium: build vsix packages-ui packages-lab agent-image ## Cilium's maps and the eBPF lane against real Cilium in the lab
	@$(LAB) build --cilium
	@node scripts/test.ts cilium

.PHONY: ui
ui: build vsix packages-ui packages-lab agent-image lab-binary ## Real VS Code: extension host and browser tests; screenshots in out/
	@node scripts/test.ts ui

.PHONY: bench bench-smoke
bench: build packages-kernel ## Measurements as ratios against peers and floors
	@node scripts/bench.ts
bench-smoke: modules generate packages-kernel
	@node scripts/bench.ts --smoke

.PHONY: vsix
vsix: build ## The packaged extension: dist/plumbline.vsix
	@node scripts/vsix.ts

# ── the lab ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

.PHONY: lab-binary lab-test lab-up lab-down lab-record
lab-binary: packages-lab
	@$(LAB) build
lab-test: lab-binary ## The lab itself: comes up, works, leaves nothing; E2E=all: in every mode
	@cd lab && go vet ./... && PLUMBLINE_LAB_E2E=$(E2E) go test -count=1 ./...
lab-up: lab-binary ## A real two-node cluster; PROXY=iptables|nftables|mixed|cilium|half
	@$(LAB) up --proxy=$(PROXY)
lab-down: ## Ends it and leaves nothing
	@$(LAB) down
lab-record: build agent-image lab-binary ## Records the bundles that unit tests and the demo use
	@$(LAB) record -- scripts/record-bundle.sh

.PHONY: clean
clean: ## Removes what was built here (not the caches outside the tree)
	@rm -rf dist gen out agent/internal/gen node_modules/.plumbline-lock
