# Optimus. `make help` lists what there is; each rule's line below says what it does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# The time of the last commit: the only one that packages and images hold.
EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# What the image is called, and which archive holds it.
IMAGE ?= docker.io/library/optimus:latest
IMAGE_FILE ?= dist/optimus-image.tar
TOOL := go tool -modfile=.tools/go.mod
MAX_BINARY_MB := 45
FUZZ_TIME ?= 10s
# How long each of the two soaks lasts, and the seed of its choices; without one it takes one, and prints it.
SOAK ?= 5m
SEED ?=
# Packages under test, such as PKG=./store/...
PKG ?= ./...

.PHONY: help build ui image deb setup images demo picture picture-ui test test-ui test-cgroup2 test-cgroup2-quick test-machine test-kube test-gvisor test-packaging test-manifests test-observability test-deb lint lint-rules fmt generate notices bench bench-queues bench-losses fuzz soak cover clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile ./optimus, one static binary
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o optimus .
	@size=$$(stat -c %s optimus); echo "optimus $(VERSION): $$((size / 1000000)) MB" >&2; \
	 if [ $$size -ge $$(($(MAX_BINARY_MB) * 1000000)) ]; then echo "./optimus is over $(MAX_BINARY_MB) MB" >&2; exit 1; fi

ui: ## remake the page, web/ui/dist, which is in the repository: go build needs no Node, this does
	@deploy/node.sh
	@cd web/ui && npm ci --no-audit --no-fund --loglevel=error && npm run -s types && npm run -s check && npm run -s build
	@go -C .tools run ./notices -check 2>/dev/null || go -C .tools run ./notices

image: build ## write the image of the Dockerfile, without Docker, as an OCI archive: IMAGE_FILE=dist/optimus-image.tar, named IMAGE=…
	@go -C .tools/packaging run ./image -root ../.. -binary ../../optimus -version '$(VERSION)' -revision '$(REVISION)' -epoch $(EPOCH) \
	  -name '$(IMAGE)' -out '$(abspath $(IMAGE_FILE))'

deb: build ## write the Debian package into dist/
	@go -C .tools/packaging run ./deb -root ../.. -binary ../../optimus -version '$(VERSION)' -epoch $(EPOCH) -out '$(abspath dist)'

setup: ## install what running and testing need (Debian, as root)
	@deploy/setup.sh

images: setup build ## build the images of the examples' languages, where they are missing
	@./optimus admin images build python cpp java rust

demo: images ## judge docs/examples on a server of its own, and show the verdicts
	@./optimus admin demo docs/examples

picture: images ## remake docs/demo.svg, the README's picture, from a run of the demo
	@./optimus admin demo docs/examples | go -C .tools run ./demosvg > docs/demo.svg.part
	@mv docs/demo.svg.part docs/demo.svg

picture-ui: images ## remake docs/page.png, the README's picture of the page
	@deploy/setup.sh "/usr/bin/chromium=chromium=shows the page"
	@deploy/node.sh
	@cd web/ui && npm ci --no-audit --no-fund --loglevel=error && npx playwright test tests/screens.spec.ts -g 'desktop, light'
	@cp web/ui/test-results/screens/run-desktop-light.png docs/page.png

test: images ## set up, then test everything under the race detector, and fuzz for a moment
	@echo "testing $(PKG)" >&2
	@go test -race -timeout 30m -parallel 4 $(PKG) # many wait rather than compute
	@$(MAKE) test-packaging test-manifests test-observability fuzz FUZZ_TIME=5000x

# UI_TESTS are the files of tests that are run, all without.
test-ui: images ## hold the page to its source, and try it in Chromium against a server of its own
	@deploy/setup.sh "/usr/bin/chromium=chromium=shows the page, in tests"
	@$(MAKE) ui
	@if [ -n "$$(git status --porcelain web/ui/dist web/ui/src/api)" ]; then git status --short web/ui/dist web/ui/src/api >&2; echo "web/ui/dist is not what its source gives: commit what 'make ui' has made" >&2; exit 1; fi
	@$(MAKE) build
	@cd web/ui && npx playwright test --retries=2 $(UI_TESTS)

test-manifests: ## hold Kubernetes's manifests to schemas, kustomize and what may speak to whom
	@echo "testing the manifests" >&2; go -C .tools/kube test -count 1 ./... # its files lie outside that module, so Go would not see them change

test-observability: ## hold alerts and dashboard against Prometheus's own code (compiled once, some minutes) and the metrics that there are
	@echo "testing alerts and the dashboard" >&2; go -C .tools/observability test -count 1 ./... # its files lie outside that module, so Go would not see them change

test-packaging: build ## hold the image to the Dockerfile, compose.yaml to its specification
	@echo "testing what Optimus is packed as" >&2; go -C .tools/packaging test -count 1 ./... # its files lie outside that module, so Go would not see them change

test-deb: images ## install, run, upgrade, remove and purge the Debian package in a bare Debian, without and under systemd (a minute)
	@go -C .tools/packaging test -count 1 -tags debian ./deb

test-cgroup2: test-cgroup2-quick ## hold runs under cgroup v2 to the runner's suite too (an hour or so, where it is emulated)
	@go test -c -o dist/modes.test ./modes
	@if [ -f /sys/fs/cgroup/cgroup.controllers ]; then deploy/cgroup2/suite.sh 1; \
	 else VM_TIMEOUT=7200 deploy/cgroup2/vm.sh deploy/cgroup2/suite.sh 20; fi

test-cgroup2-quick: images ## judge examples under cgroup v2, in a virtual machine where this one has v1
	@if [ -f /sys/fs/cgroup/cgroup.controllers ]; then deploy/cgroup2/judge.sh; \
	 else echo "booting a machine with cgroup v2 (some minutes: it is emulated)" >&2; deploy/cgroup2/vm.sh deploy/cgroup2/judge.sh; fi

test-machine: images ## in a virtual machine, test what changes a whole machine, such as its clock
	@go test -c -tags machine -o dist/machine.test ./modes
	@cd modes && ../deploy/cgroup2/vm.sh env OPTIMUS_TEST_BINARY="$$PWD/../optimus" ../dist/machine.test -test.v -test.run '^TestClock$$'

test-kube: images ## apply the default manifests to a Kubernetes with KEDA on this machine, and scale, kill, update and drain (cold: a quarter of an hour more)
	@deploy/setup.sh "etcd=etcd-server=keeps a Kubernetes" "/usr/lib/cni/bridge=containernetworking-plugins=gives its pods a network" \
	  "iptables=iptables=gives its services addresses" "conntrack=conntrack=the same" "ip=iproute2=the same"
	@$(MAKE) image
	@go test -c -tags kube -o dist/kube.test ./modes
	@cluster="go -C .tools/cluster run ."; trap "$$cluster down" EXIT; $$cluster up; $$cluster load "$$PWD/dist/optimus-image.tar"; \
	 $$cluster node "$$PWD/optimus" admin images build python java cpp; \
	 $$cluster exec env -C "$$PWD/modes" ../dist/kube.test -test.v -test.timeout 60m -test.run '^TestKubernetes$$'

test-gvisor: setup ## hold runs on containerd 2, in runc and in gVisor, to the runner's suite
	@bin=$$(deploy/runtimes.sh); export PATH="$$bin:$$PATH"; \
	 for runtime in io.containerd.runc.v2 io.containerd.runsc.v1; do \
	   echo "testing $$runtime on $$(containerd --version | cut -d' ' -f2,3)" >&2; \
	   OPTIMUS_TEST_RUNTIME=$$runtime go test -race -count 1 -timeout 15m -run '^TestRunnerSuite$$' ./modes; \
	 done

lint: lint-rules ## vet, lint, and check formatting and go.mod
	@echo "go vet" >&2; go vet ./...; go -C .tools/packaging vet -tags debian ./...
	@echo "golangci-lint (compiled once, some minutes)" >&2; $(TOOL) golangci-lint run --allow-parallel-runners
	@go mod tidy -diff; go -C .tools run ./notices -check

lint-rules: ## break each layer rule on purpose: the linter must object
	@echo "layer rules" >&2; go -C .tools test ./...

fmt: ## format the code
	@$(TOOL) golangci-lint fmt

generate: ## remake what is generated
	@go generate ./...

notices: ## remake NOTICE from what is linked into the binary
	@go -C .tools run ./notices

bench: images bench-queues bench-losses ## measure this machine: runs, answers, stores, start-up and memory, beside bare processes and other queues
	@./optimus admin bench

bench-queues: ## measure the queue on a Redis-protocol server, beside other queues and with a million jobs in it
	@deploy/setup.sh "/usr/lib/postgresql=postgresql=keeps the queue of one that is measured beside Optimus"
	@go -C .tools/queues run .
	@echo "a million queued jobs, some minutes" >&2
	@go test -run '^$$' -bench '^BenchmarkMillion$$' -benchtime 1x -timeout 30m ./store/redisstore

bench-losses: ## count what a queue on a Redis-protocol server loses when servers are killed, under each durability
	@OPTIMUS_TEST_FAILOVERS=8 go test -v -count 1 -run '^TestWhatA(Failover|Restart)Loses$$' ./store/redisstore | grep -F 'acknowledged submissions'

# A duration may end a target in "context deadline exceeded" without a finding (go.dev/issue/75804, mended
# in Go 1.27): tests give a number of executions.
fuzz: ## fuzz every target for FUZZ_TIME each: a duration, or a number of executions (5000x)
	@git grep -E '^func Fuzz' -- '*_test.go' | sed -E 's|^(.*)/[^/]*:func (Fuzz[A-Za-z0-9]*).*|./\1 \2|' | while read -r pkg target; do \
	   echo "$$pkg $$target" >&2; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) "$$pkg"; \
	 done

soak: images ## judge and kill at random for SOAK, then count: what is lost, doubled, wrong or left over
	@OPTIMUS_TEST_SOAK=$(SOAK) OPTIMUS_TEST_SEED=$(SEED) go test -v -count 1 -timeout 0 -run '^TestSoak(OfAFleet)?$$' ./modes

cover: ## test with coverage; leaves coverage.html
	@go test -coverprofile=coverage.out -coverpkg=./... $(PKG)
	@go tool cover -html=coverage.out -o coverage.html; go tool cover -func=coverage.out | tail -n 1

clean: ## delete what the build leaves
	@rm -rf optimus dist coverage.out coverage.html
