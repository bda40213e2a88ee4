# Flotilla. `make` lists what there is. Only Go is needed for up, down, test and lint.

GO        ?= go
STATIC    := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOTESTSUM := $(GO) run gotest.tools/gotestsum@v1.13.0
K6        ?= $(GO) run go.k6.io/k6@v1.8.1
FLEET     := $(GO) run ./infra/local
MODULES   := $(shell sed -n 's|^[[:space:]]*\./||p' go.work)
VERSION   ?= dev
FUZZTIME  ?= 10s
P         ?= all

# The race detector needs a C compiler.
CC_FOUND := $(shell command -v $${CC:-gcc} 2>/dev/null || command -v cc 2>/dev/null)
RACE     := $(if $(CC_FOUND),-race,)
ifneq ($(RACE),)
export CGO_ENABLED := 1
endif

.DEFAULT_GOAL := help
.PHONY: help up down status logs kill trust test test-real h2spec lint fuzz bench prove smoke images tidy

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## build and start the fleet here, without Docker; Ctrl-C ends it. WITH=all: every pod; or some: WITH="legacy site"
	@$(FLEET) up $(WITH)

down: ## stop the fleet
	@$(FLEET) down

status: ## the table of the running fleet
	@$(FLEET) status

logs: ## the logs of the fleet
	@$(FLEET) logs

kill: ## kill -9 a process: make kill NAME=dictionary-2
	@$(FLEET) kill $(NAME)

trust: ## how to make a browser trust the development certificates
	@$(GO) run ./infra/pki/cmd/pki trust

test: ## all tests; real servers are used where they are installed
	@$(if $(RACE),,echo "no C compiler found: tests run without the race detector")
	$(GOTESTSUM) --format pkgname-and-test-fails -- $(RACE) -count=1 -p 2 -timeout 15m work

test-real: ## the tests that need real servers; fails when one is not installed
	REAL_SERVERS=required $(GOTESTSUM) --format pkgname-and-test-fails -- $(RACE) -count=1 -p 1 -timeout 15m -run 'Real' work

h2spec: ## HTTP/2 conformance of the edge, beside a bare net/http server
	REAL_SERVERS=required $(GO) test -count=1 -v -run H2spec ./loadtest/conformance

lint: ## gofmt, vet, staticcheck, and each module on its own
	@out=$$(gofmt -l $(MODULES)); if [ -n "$$out" ]; then echo "run gofmt -w on: $$out"; exit 1; fi
	$(GO) vet work
	$(STATIC) $(addprefix ./,$(addsuffix /...,$(MODULES)))
	@before=$$(cat $(addsuffix /go.mod,$(MODULES)) | sha256sum); $(GO) work sync; after=$$(cat $(addsuffix /go.mod,$(MODULES)) | sha256sum); \
		if [ "$$before" != "$$after" ]; then echo "go work sync changed a go.mod: commit what it did"; exit 1; fi
	@for m in $(MODULES); do echo "build $$m alone"; (cd $$m && GOWORK=off $(GO) build -o /dev/null ./... && GOWORK=off $(GO) mod tidy -diff) || exit 1; done

fuzz: ## every fuzz target for FUZZTIME
	@for m in $(MODULES); do (cd $$m && \
		grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|/[^/]*:func | |' | sort | while read -r pkg f; do \
			echo "fuzz $$m $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg </dev/null || exit 1; done) || exit 1; done

bench: ## the benchmarks of all modules
	$(GO) test -run '^$$' -bench . -benchmem work

prove: ## measure a claim: make prove P=R1 (S1–S5, A1–A4, D1–D3, R1–R5, H1–H4, G1–G2, O0–O3, or all)
	@$(GO) run ./loadtest/cmd/prove $(P)

smoke: ## k6 against the running fleet, or BASE_URL
	$(K6) run --no-usage-report loadtest/smoke.js

images: ## build the container images, and compare them with what the programs say
	VERSION=$(VERSION) docker compose build
	$(GO) run ./infra/wiring/cmd/images -built 'flotilla/%s:dev'

tidy: ## one version of every dependency in all modules, and nothing unused
	@$(GO) work sync; for m in $(MODULES); do (cd $$m && GOWORK=off $(GO) mod tidy) || exit 1; done
