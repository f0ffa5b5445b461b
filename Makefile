# The two commands of the README are `make demo` and `make test`.

# The user's go env file must not matter: it can hold flags that hide faults on one machine only.
export GOENV := off
export GOFLAGS :=
export GOTOOLCHAIN := local
export CGO_ENABLED ?= 0

GO ?= go
RUN_TESTS ?= $(GO) test
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.PHONY: demo test check build audit race bench fmt deps generated man

## demo: release this repository, countersign it, and watch two programs update themselves (needs Go and git)
demo:
	$(GO) run ./cmd/demo $(DEMO)

## test: all tests; peers that are not installed are skipped with a line, or fail when CI=true
test:
	$(RUN_TESTS) -timeout=30m ./...
	cd messenger/web/interop && $(RUN_TESTS) -timeout=30m ./...

## check: what else must hold: format, vet on all systems, staticcheck, races, generated files
check: fmt deps generated
	GOOS=linux $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	cd messenger/web/interop && $(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(MAKE) race

fmt:
	@out="$$(gofmt -l .)"; if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi

## deps: import rules and the committed dependency list of each program
deps:
	$(GO) test -count=1 ./cmd/house

## generated: whether the committed generated code is what its sources give (needs protoc)
generated:
	./messenger/wire/pb/generate.sh --check

# The packages that start goroutines or guard shared memory.
SHARED := ./attest/log ./attest/witness ./cmd/cli ./release/event ./release/mirror ./release/publish ./release/update/... ./tuf/client ./tuf/durable \
	./tuf/fetch ./messenger/attachment ./messenger/client/... ./messenger/rpc ./messenger/server/... ./messenger/store ./messenger/web ./cmd/messengerd

## race: the packages that share memory between goroutines, under the race detector (needs a C compiler)
race:
	CGO_ENABLED=1 $(RUN_TESTS) -race -short -timeout=30m $(SHARED)

## build: plain builds of the three programs for this machine, into out/ (for releases: countersign build)
build:
	$(GO) build -trimpath -buildvcs=false -o out/ ./cmd/messenger ./cmd/messengerd ./cmd/countersign

## man: man pages of the three programs, into out/man
man:
	for p in countersign messenger messengerd; do $(GO) run -tags man ./cmd/$$p man out/man || exit 1; done

## audit: the judge and all it stands on, in reading order, with line counts
audit:
	@all=$$(for f in doc judge quorum spread fresh said rebuilt reviewed logged withdrawn policy policy_check manifest file evidence verdict; do echo release/genuine/$$f.go; done; \
		ls release/anchor/*.go attest/bundle/*.go attest/statement/*.go attest/proof/*.go tuf/trust/*.go | grep -v _test.go); \
	missing=$$(ls release/genuine/*.go | grep -v _test.go | grep -vxF "$$all"); test -z "$$missing" || { echo "not in the reading order: $$missing"; exit 1; }; \
	for f in $$all; do printf '  %5d  %s\n' $$(wc -l < $$f) $$f; done; \
	echo "total: $$(cat $$all | wc -l) lines"

## bench: the benchmarks
bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
