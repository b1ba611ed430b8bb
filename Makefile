# SPDX-License-Identifier: BSD-2-Clause
# A thin front: what is built and how stands in CMakeLists.txt.
#
#   make run        build, then the main job: an echo over two 82599 twins, measured; report.html
#   make test       build, then every test
#   make test-guest   Linux's ixgbe, DPDK and our driver in guests on software 82599s; downloads
#                     once, into build-guest/ or SHUNT_GUEST_CACHE
#   make build      build into build/; the command is build/bin/shunt
#   make check      format, lint, sanitizers, fuzz corpora, coverage
#   make bench      speed beside kernel sockets, libxdp and DPDK: build/bench.json; as root, since
#                   only then AF_XDP is measured, and other programs disturb it less
#   make cost       instructions per packet, the driver's, the twin's, of being captured:
#                   build/cost.json, build/twin-cost.json, build/capture-cost.json
#   make fuzz       search with libFuzzer, SECONDS=60 a target
#   make install    PREFIX=/usr/local, DESTDIR=

BUILD   ?= build
PREFIX  ?= /usr/local
SECONDS ?= 60
JOBS    := $(shell nproc)

.PHONY: run test test-guest build check bench cost fuzz format install clean deps

build: deps
	@cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build $(BUILD) -j $(JOBS)

deps:
	@scripts/install-deps build

run: build
	@$(BUILD)/bin/shunt bench --only rtt,mpps,vfio-user --report report.html

test: build
	@scripts/install-deps test
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

# Guests that can't be had are skipped by name: 77 says so.
test-guest: build
	@tests/guest/prepare || [ $$? -eq 77 ]
	@ctest --test-dir $(BUILD) -C guest -L guest --output-on-failure -j $(JOBS)

check:
	@scripts/install-deps check
	@scripts/check

# Peers that can't be had are skipped by name.
bench:
	@scripts/install-deps bench || true
	@$(MAKE) --no-print-directory build
	@$(BUILD)/bin/shunt bench --realtime --seconds 60 --out $(BUILD)/bench.json \
	  --results $(BUILD)/results.json --report $(BUILD)/bench.html

cost: build
	@$(BUILD)/bin/shunt-cost $(BUILD)/cost.json
	@$(BUILD)/bin/shunt-twin-cost $(BUILD)/twin-cost.json
	@$(BUILD)/bin/shunt-capture-cost $(BUILD)/capture-cost.json

fuzz:
	@scripts/install-deps check
	@scripts/fuzz $(SECONDS)

format:
	@scripts/install-deps check
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

install: build
	@cmake --install $(BUILD)

clean:
	@rm -rf $(BUILD) build-asan build-tsan build-clang build-fuzz build-coverage
