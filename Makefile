# vmcp: build, test, demonstrate. `make help` lists the verbs.

# Knobs: CC, CFLAGS, LDFLAGS, SANITIZE=address,undefined, V=1 (show commands), PREFIX, DESTDIR
PREFIX ?= /usr/local
SANITIZE ?=
CFLAGS ?= -g
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
comma := ,
B := build/$(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),release)
VERSION := 0.1.0
Q := $(if $(V),,@)
PYTHON := /usr/bin/python3
MAKEFLAGS += --no-print-directory

# Flags
WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wstrict-prototypes \
        -Wmissing-prototypes -Wundef -Wpointer-arith -Wcast-qual
HARDEN := $(if $(SANITIZE),-O1 -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
        -fno-omit-frame-pointer,-O2 -D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DVMCP_VERSION='"$(VERSION)"' -Ivmcp -pthread $(WARN) \
        $(HARDEN) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,--as-needed \
        $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# Lists
LIB := $(wildcard vmcp/lib/*.c)
HTTP_NOUNS := $(addprefix vmcp/http/,address.c clock.c connections.c ends.c forwarded.c \
        holders.c hosts.c rates.c listen.c stale.c victims.c)
CLIENT := $(addprefix vmcp/http/,client.c ask.c curl.c certificates.c)
HTTP := $(filter-out $(CLIENT),$(wildcard vmcp/http/*.c))
SERVER := $(wildcard vmcp/server/*.c)
CLI := $(wildcard vmcp/cli/*.c)
LAUNCH := $(wildcard launcher/*.c) $(filter-out launcher/emulator/%,$(wildcard launcher/*/*.c))
EMULATOR := $(wildcard launcher/emulator/*.c launcher/emulator/*/*.c)
PROGRAMS := $(addprefix $(B)/bin/,vmcp vmcpd vmcp-launch gce-emulator)
UNIT := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/test_*.c))
SOURCES := $(LIB) $(HTTP) $(CLIENT) $(SERVER) $(CLI) $(LAUNCH) $(EMULATOR)
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))
.PHONY: all deps demo check deps-clients check-clients unit fuzz fuzzers bench lint format man \
        install deb debcheck clean help
all: $(PROGRAMS)

# Products: what each is made of, and the libraries that it links
$(B)/libvmcp.a: $(call objects,$(LIB))
$(B)/bin/vmcp: $(call objects,$(CLI) $(CLIENT)) $(B)/libvmcp.a
$(B)/bin/vmcp: LIBS = -ljansson -lcrypto
$(B)/bin/vmcpd: $(call objects,$(SERVER) $(HTTP)) $(B)/libvmcp.a
$(B)/bin/vmcpd: LIBS = -lmicrohttpd -lgnutls -ljansson -lcrypto -lseccomp
$(B)/bin/vmcp-launch: $(call objects,$(LAUNCH) $(CLIENT) $(HTTP)) $(B)/libvmcp.a
$(call objects,$(LAUNCH) $(wildcard tests/unit/test_jobs_*.c)): ALL_CFLAGS += -Ilauncher
$(B)/bin/vmcp-launch: LIBS = -Wl,--no-as-needed -lcurl -Wl,--as-needed -ljansson -lcrypto -lz -lsqlite3 -lmicrohttpd -lgnutls
$(B)/bin/gce-emulator: $(call objects,$(EMULATOR) $(HTTP) $(CLIENT)) $(B)/libvmcp.a
$(call objects,$(EMULATOR)): ALL_CFLAGS += -Ilauncher/emulator
$(B)/bin/gce-emulator: LIBS = -lmicrohttpd -lgnutls -lsqlite3 -ljansson -lcrypto -lseccomp
$(B)/obj/vmcp/server/assets.o: $(wildcard vmcp/server/page/*)
$(UNIT): $(B)/test/%: $(B)/obj/tests/unit/%.o $(B)/libvmcp.a
$(UNIT): LIBS = -lcmocka -ljansson -lcrypto -lseccomp -lcurl -lsqlite3 -lz -lmicrohttpd -lgnutls
$(filter $(B)/test/test_http_%,$(UNIT)): $(call objects,$(HTTP_NOUNS))
$(filter $(B)/test/test_jobs_%,$(UNIT)): $(call objects,$(filter-out launcher/main.c \
    launcher/verbs/%,$(LAUNCH)) $(CLIENT) $(HTTP))
$(B)/test/test_sandbox: $(call objects,$(addprefix vmcp/server/,sandbox.c landlock.c seccomp.c \
    commons.c privileges.c message.c))
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
$(FUZZ): $(B)/fuzz/%: $(B)/obj/tests/fuzz/%.o $(B)/libvmcp.a
$(FUZZ): LIBS = -fsanitize=fuzzer -lmicrohttpd -ljansson -lcrypto
$(B)/fuzz/fuzz_forwarded $(B)/fuzz/fuzz_target: $(call objects,$(HTTP_NOUNS) vmcp/http/request.c)
BENCH := $(B)/bench/sign $(B)/bench/bare
$(BENCH): $(B)/bench/%: $(B)/obj/tests/bench/%.o
$(BENCH): LIBS = -lmicrohttpd -lcrypto
.SECONDARY: $(patsubst %.c,$(B)/obj/%.o,$(wildcard tests/unit/test_*.c tests/fuzz/fuzz_*.c))

# Recipes
$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/libvmcp.a:
	$(if $(V),,@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(PROGRAMS) $(UNIT) $(BENCH) $(FUZZ):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
# Verbs
deps: ## install the Debian packages that are missing
	@tests/deps

demo: ## play the whole chain with real processes on this machine (KEEP=1 leaves it running)
	@tests/deps build demo
	@$(MAKE) -j$(shell nproc) all
	@$(PYTHON) tests/demo/demo.py --bin $(B)/bin $(if $(KEEP),--keep)

check: ## unit and end-to-end tests; SANITIZE=address,undefined|thread for such a build; VALGRIND=1
	@tests/deps build demo check
	@$(MAKE) -j$(shell nproc) all $(if $(filter thread,$(SANITIZE)),,unit)
	@$(PYTHON) tests/check.py $(B) $(if $(VALGRIND),--memcheck)

deps-clients: ## fetch other people's clients of Google Cloud into build/clients
	@tests/deps build check clients
	@tests/clients/deps build/clients

check-clients: deps-clients ## gcloud, Google's libraries and cloud-init against gce-emulator
	@$(MAKE) -j$(shell nproc) all
	@$(PYTHON) tests/check.py $(B) --clients

unit: $(UNIT)
fuzzers: $(FUZZ)
fuzz: ## feed each reader of hostile input with inputs that libFuzzer makes, FUZZ_SECONDS=20 each
	@tests/deps build fuzz
	@$(MAKE) -j$(shell nproc) CC=clang B=build/fuzz SANITIZE=fuzzer-no-link,address,undefined fuzzers
	@$(PYTHON) tests/fuzz/run.py build/fuzz $(or $(FUZZ_SECONDS),20)

bench: ## measure the speed, as ratios to what the machine could do at most (SOAK=1: 5 minutes of load)
	@tests/deps build check bench
	@$(MAKE) -j$(shell nproc) all $(BENCH)
	@$(PYTHON) $(if $(SOAK),tests/bench/soak.py $(B),tests/bench/bench.py $(B) --svg docs/performance.svg)

lint: ## clang-format, clang-tidy, builds with -Werror by gcc and clang, shellcheck
	@tests/deps build lint
	@tests/lint $(SOURCES)

format: ## clang-format all sources
	clang-format -i $$(git ls-files '*.c' '*.h')

man: all ## man pages, from their templates and --help, in build/release/man
	@$(PYTHON) docs/man/make.py $(B)/bin $(B)/man

install: all man ## programs, library, headers, man pages and units below PREFIX
	@vmcp/packaging/install.sh $(B) $(PREFIX) $(VERSION) $(DESTDIR)

deb: ## Debian packages, in build/release/deb
	@tests/deps build deb
	@rm -rf $(B)/deb/all
	@$(MAKE) install DESTDIR=$(CURDIR)/$(B)/deb/all PREFIX=/usr >/dev/null
	@vmcp/packaging/deb.sh $(B)/deb $(VERSION)

debcheck: deb ## install, run and purge the packages in a fresh Debian root (as root; ROOT=FILE.tar keeps it)
	@tests/deps debcheck
	@$(PYTHON) tests/deb/fresh_root.py $(B)/deb $(if $(ROOT),--cache $(ROOT))

clean: ## remove everything that was built
	rm -rf build

help: ## list the verbs
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1	\2/p' Makefile | expand -t 16
