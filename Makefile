# vmcp: build, test, demonstrate. `make help` lists the verbs.

# Knobs: CC, CFLAGS, SANITIZE=address,undefined, V=1, PREFIX, DESTDIR
CC ?= gcc
PREFIX ?= /usr/local
SANITIZE ?=
VARIANT := $(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),release)
comma := ,
B := build/$(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),release)
Q := $(if $(V),,@)
VERSION := 0.1.0

# Flags
WARN := -Wall -Wextra -Wshadow -Wconversion -Wvla -Wformat=2 -Wstrict-prototypes \
        -Wmissing-prototypes -Wundef -Wpointer-arith -Wcast-qual
HARDEN := $(if $(SANITIZE),-O1 -fsanitize=$(SANITIZE) -fno-omit-frame-pointer,-O2 \
        -D_FORTIFY_SOURCE=2) -fstack-protector-strong -fPIE
CFLAGS ?= -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -DVMCP_VERSION='"$(VERSION)"' -Ivmcp -I. -pthread $(WARN) \
        $(HARDEN) $(CFLAGS) -MMD -MP
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,--as-needed \
        $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(LDFLAGS)

# Lists
LIB := $(wildcard vmcp/lib/*.c)
HTTP := $(addprefix vmcp/http/,server.c request.c reply.c listen.c)
CLIENT := vmcp/http/client.c vmcp/http/ask.c
SERVER := $(wildcard vmcp/server/*.c)
CLI := $(wildcard vmcp/cli/*.c)
LAUNCH := $(wildcard launcher/*.c)
EMULATOR := $(wildcard launcher/emulator/*.c)
PROGRAMS := $(B)/bin/vmcp $(B)/bin/vmcpd $(B)/bin/vmcp-launch $(B)/bin/gce-emulator
UNIT := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/test_*.c))
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))

.PHONY: all
all: $(PROGRAMS)

# Products: what each is made of, and the libraries it links
$(B)/libvmcp.a: $(call objects,$(LIB))
$(B)/bin/vmcp: $(call objects,$(CLI) $(CLIENT)) $(B)/libvmcp.a
$(B)/bin/vmcp: LIBS = -lcurl -ljansson -lcrypto
$(B)/bin/vmcpd: $(call objects,$(SERVER) $(HTTP)) $(B)/libvmcp.a
$(B)/bin/vmcpd: LIBS = -lmicrohttpd -ljansson -lcrypto
$(B)/bin/vmcp-launch: $(call objects,$(LAUNCH) $(CLIENT)) $(B)/libvmcp.a
$(B)/bin/vmcp-launch: LIBS = -lcurl -ljansson -lcrypto
$(B)/bin/gce-emulator: $(call objects,$(EMULATOR) $(HTTP)) $(B)/libvmcp.a
$(B)/bin/gce-emulator: LIBS = -lmicrohttpd -lsqlite3 -ljansson -lcrypto
$(UNIT): $(B)/test/%: $(B)/obj/tests/unit/%.o $(B)/libvmcp.a
$(UNIT): LIBS = -lcmocka -ljansson -lcrypto

# Recipes
$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC      $<")
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(B)/libvmcp.a:
	$(if $(V),,@echo "  AR      $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(PROGRAMS) $(UNIT):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD      $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
