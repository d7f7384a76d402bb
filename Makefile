## make              build/replay, build/reconcile and build/generate
## make demo         lose webhooks, replay the archives: on a throwaway PostgreSQL
## make check        build with warnings as errors and run every test
## make check-heavy  tests of gigabytes, which take minutes
## make check-valgrind    unit tests and tests of the command line under valgrind
## make check-reproducible    build twice, elsewhere, and compare every byte
## make check-html   look at HTML reports in a headless Chromium
## make lint         clang-tidy, cppcheck, shellcheck and the project's own checks
## make format       what clang-format makes of the sources
## make bench        measure
## make fuzz         libFuzzer on everything that reads or shows bytes of others:
##                   SECONDS=60 for each target, FUZZ=gzin for one alone
## make torture      fail every allocation, read, write, query ... in turn: most of an hour
## make soak         everything at once, with faults: SOAK_SECONDS=3600 SOAK_SEED=1
## make soak-killed  end writing runs at random moments: SOAK_ROUNDS=100 SOAK_SEED=1
## make deps         install what the build needs; deps-check only names it
## make install      to $(DESTDIR)$(PREFIX), /usr/local by default; uninstall undoes it
##                   but for settings in /etc
## make install-system    systemd units, cron and tmpfiles too; for packages
## make deb          a Debian package, in build/deb
## make dist         the sources of HEAD, in build/reconcile-VERSION.tar.gz
## make clean        remove every build directory
##
## demo, check, check-html and lint install what is missing through apt, as root or with
## sudo; with NO_INSTALL=1 they name it and stop.
##
## SANITIZE=address,undefined (or thread) builds in a directory of its own.
## INFLATE=zlib does without ISA-L, which is used where pkg-config finds it.
## WERROR=1 makes warnings errors, V=1 shows the commands. A packager may set
## CC CFLAGS CPPFLAGS LDFLAGS DESTDIR PREFIX BINDIR MANDIR DOCDIR BASHCOMPDIR
## ZSHCOMPDIR SYSCONFDIR UNITDIR SYSUSERSDIR TMPFILESDIR.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := cc
endif
PKG_CONFIG ?= pkg-config
CFLAGS ?= -O3 -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/reconcile
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

# Builds of another kind have directories of their own, so that their objects
# never meet: SANITIZE=address,undefined or thread, and WERROR=1, where every
# object is known to have compiled without a warning.
SANITIZE ?=
comma := ,
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))$(if $(WERROR),-werror)

# What inflates: isal where pkg-config finds ISA-L, else zlib, which is always
# there. INFLATE=zlib does without the other.
INFLATE ?= $(if $(shell $(PKG_CONFIG) --exists libisal 2>/dev/null && echo yes),isal,zlib)
override INFLATE := $(INFLATE)

PKGS := libcurl jansson libpq zlib $(if $(filter isal,$(INFLATE)),libisal)

# The oldest that will do, for curl_multi_poll, json_string_length with JSON_ALLOW_NUL, and
# PQconninfo.
LEAST := libcurl >= 7.66.0 jansson >= 2.7 libpq >= 9.3

# pkg-config runs when a recipe first needs its answer, not when this file is
# read: on a bare machine `make check` has to install it first.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(call PKG_ASK,--cflags))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(call PKG_ASK,--libs))$(PKG_LIBS)
PKG_ASK = $(if $(shell $(PKG_CONFIG) --exists --print-errors '$(LEAST)' $(PKGS) && echo yes),$(shell $(PKG_CONFIG) $1 $(PKGS)),\
	$(error $(PKG_CONFIG) does not find all of $(PKGS), with $(LEAST): "make deps" installs what is missing))
CMOCKA_CFLAGS = $(eval CMOCKA_CFLAGS := $$(shell $$(PKG_CONFIG) --cflags cmocka))$(CMOCKA_CFLAGS)
CMOCKA_LIBS = $(eval CMOCKA_LIBS := $$(shell $$(PKG_CONFIG) --libs cmocka))$(CMOCKA_LIBS)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual \
	-Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith \
	-Wundef -Wvla -Wwrite-strings -Wswitch-enum

# Ubuntu's gcc predefines _FORTIFY_SOURCE, so it is undefined first. It needs
# an optimising compiler and gets in the way of the sanitizers' own checks.
FORTIFY := -U_FORTIFY_SOURCE
ifeq ($(SANITIZE)$(filter -O0,$(CFLAGS)),)
FORTIFY += -D_FORTIFY_SOURCE=2
endif

# What the processor and the compiler know of: branches land only where they are
# meant to, returns go where they came from (on x86 if the system turns it on), and
# a large frame cannot step over the page that guards the stack.
ARCH := $(shell $(CC) -dumpmachine 2>/dev/null)
KNOWS = $(shell $(CC) -Werror $1 -E -x c /dev/null >/dev/null 2>&1 && echo $1)
GUARDS := $(call KNOWS,-fstack-clash-protection)
ifneq ($(filter x86_64%,$(ARCH)),)
GUARDS += $(call KNOWS,-fcf-protection)
else ifneq ($(filter aarch64%,$(ARCH)),)
GUARDS += $(call KNOWS,-mbranch-protection=standard)
endif

# What is built has no name of the directory it was built in.
PREFIX_MAP := $(call KNOWS,-ffile-prefix-map=$(CURDIR)=.)

SAN := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)

ALL_CPPFLAGS = -D_GNU_SOURCE -DRECONCILE_VERSION='"$(VERSION)"' $(FORTIFY) \
	$(if $(filter isal,$(INFLATE)),-DHAVE_ISAL) -Ilib -I$(BUILD)/gen $(CPPFLAGS)
ALL_CFLAGS = -std=c11 $(WARNINGS) $(if $(WERROR),-Werror) \
	-fstack-protector-strong $(GUARDS) $(PREFIX_MAP) -fPIE -pthread $(CFLAGS) $(SAN)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(SAN) $(LDFLAGS)
BANNED := -include lib/banned.h

# ---- what there is to build -------------------------------------------------

LIB_SRC := $(sort $(wildcard lib/*.c))
SQL_SRC := $(sort $(wildcard lib/sql/*.sql))
MAIN_SRC := $(wildcard replay/main.c reconcile/main.c)
GEN_SRC := $(sort $(wildcard fixtures/*.c))
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c))
TEST_HELPER_SRC := $(filter-out $(TEST_SRC),$(sort $(wildcard tests/unit/*.c)))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_HELPER_SRC := $(filter-out $(FUZZ_SRC),$(sort $(wildcard tests/fuzz/*.c))) \
	$(addprefix tests/unit/,event_tree.c look_alike.c records_found.c report_world.c)

LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(BUILD)/gen/sql_embedded.o $(BUILD)/gen/report_css.o
MAIN_OBJ := $(MAIN_SRC:%/main.c=$(BUILD)/main/%.o)
GEN_OBJ := $(GEN_SRC:%.c=$(BUILD)/%.o)
TEST_HELPER_OBJ := $(TEST_HELPER_SRC:%.c=$(BUILD)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/%.o)
FUZZ_HELPER_OBJ := $(FUZZ_HELPER_SRC:%.c=$(BUILD)/%.o)
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(BUILD)/%.o)

LIB := $(BUILD)/libreconcile.a
TOOLS := $(MAIN_SRC:%/main.c=$(BUILD)/%)
GENERATE := $(if $(wildcard fixtures/generate.c),$(BUILD)/generate)
COMPLETIONS := $(addprefix $(BUILD)/completions/,replay reconcile _replay _reconcile)
TESTS := $(TEST_SRC:%.c=$(BUILD)/%)
FUZZERS := $(FUZZ_SRC:%.c=$(BUILD)/%)

.PHONY: all lib tests fuzzers
all: $(LIB) $(TOOLS) $(GENERATE) $(COMPLETIONS)
lib: $(LIB)
tests: all $(TESTS) fuzzers $(BUILD)/tests/measure $(BUILD)/tests/failing.so
fuzzers: $(FUZZERS)

# One short line per step; V=1 shows the commands.
SAY = $(if $(V),,@printf '  %-5s %s\n' $1 $@; )

# ---- rules ------------------------------------------------------------------

# Objects depend on a file holding the compiler, the flags and the list of
# sources: when those change, everything is rebuilt.
FLAGS_NOW := $(strip $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) \
	: $(LIB_SRC) $(SQL_SRC) $(GEN_SRC) $(TEST_HELPER_SRC) $(FUZZ_HELPER_SRC))
ifneq ($(file <$(BUILD)/flags),$(FLAGS_NOW))
.PHONY: $(BUILD)/flags
endif
$(BUILD)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' >$@

# One run writes both.
$(BUILD)/gen/sql_embedded.c: $(BUILD)/gen/sql.h ;
$(BUILD)/gen/sql.h: $(SQL_SRC) tools/embed-sql.sh $(BUILD)/flags
	$(call SAY,SQL)sh tools/embed-sql.sh $(BUILD)/gen $(SQL_SRC)

# A statement may be longer than the 4095 bytes ISO C promises for a literal.
$(BUILD)/gen/sql_embedded.o: $(BUILD)/gen/sql_embedded.c $(BUILD)/gen/sql.h
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-overlength-strings -MMD -MP -c -o $@ $<

$(BUILD)/gen/report_css.c: lib/html/report.css tools/embed-css.sh $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,CSS)sh tools/embed-css.sh $< >$@

$(BUILD)/gen/report_css.o: $(BUILD)/gen/report_css.c
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-overlength-strings -MMD -MP -c -o $@ $<

$(BUILD)/lib/%.o: lib/%.c $(BUILD)/flags | $(BUILD)/gen/sql.h
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(BANNED) $(PKG_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Compiled for processors with AVX2; which code runs is asked of the processor.
ifneq ($(filter x86_64%,$(ARCH)),)
$(BUILD)/lib/event_scan_avx2.o: ALL_CFLAGS += -mavx2 -mbmi
endif

# The object is not build/replay/main.o, as build/replay is the program.
$(MAIN_OBJ) $(BUILD)/main/completions.o: $(BUILD)/main/%.o: %/main.c $(BUILD)/flags | $(BUILD)/gen/sql.h
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(BANNED) $(PKG_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(GEN_OBJ): $(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) $(BANNED) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(sort $(TEST_OBJ) $(TEST_HELPER_OBJ) $(FUZZ_OBJ) $(FUZZ_HELPER_OBJ)): $(BUILD)/%.o: %.c $(BUILD)/flags | $(BUILD)/gen/sql.h
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CPPFLAGS) -Itests/unit $(PKG_CFLAGS) $(CMOCKA_CFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	$(call SAY,AR)rm -f $@ && $(AR) rcs $@ $^

$(TOOLS): $(BUILD)/%: $(BUILD)/main/%.o $(LIB)
	$(call SAY,LINK)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

$(GENERATE): $(GEN_OBJ)
	$(call SAY,LINK)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ -lz

# Shells complete from what the program below prints of the table of options.
$(BUILD)/completions/main: $(BUILD)/main/completions.o $(LIB)
	@mkdir -p $(@D)
	$(call SAY,LINK)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

$(BUILD)/completions/_%: $(BUILD)/completions/main
	$(call SAY,GEN)$< zsh $* >$@

$(BUILD)/completions/replay $(BUILD)/completions/reconcile: $(BUILD)/completions/main
	$(call SAY,GEN)$< bash $(@F) >$@

$(TESTS): %: %.o $(TEST_HELPER_OBJ) $(LIB)
	$(call SAY,LINK)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CMOCKA_LIBS) $(PKG_LIBS) -lm

# Coverage is counted in what is tested, not in what judges it.
$(FUZZ_OBJ) $(FUZZ_HELPER_OBJ): SAN := $(subst fuzzer-no-link$(comma),,$(SAN))

# libFuzzer has a main of its own, and mutates; replay.c runs what it is given.
$(FUZZERS): %: %.o $(FUZZ_HELPER_OBJ) $(LIB)
	$(call SAY,LINK)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(if $(findstring fuzzer,$(SANITIZE)),\
		-fsanitize=fuzzer $(filter-out %/replay.o,$^),$^) $(PKG_LIBS) -lm

# It forks what it measures, so it is no larger than it must be: no library, no sanitizer.
$(BUILD)/tests/measure: tests/measure.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -O2 -Wall -Wextra $(if $(WERROR),-Werror) -o $@ $<

# Preloaded by tests/db/test_torture.py. Its own malloc is not to be taken for the real one.
$(BUILD)/tests/failing.so: tests/torture/failing.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -D_GNU_SOURCE -O1 -g -fPIC -shared -fno-builtin -Wall -Wextra \
		$(if $(WERROR),-Werror) -pthread -o $@ $< -ldl

-include $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(BUILD)/main/completions.d $(GEN_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(TEST_HELPER_OBJ:.o=.d) \
	$(FUZZ_OBJ:.o=.d) $(FUZZ_HELPER_OBJ:.o=.d)

# ---- everything else --------------------------------------------------------

# These run make again once the packages are there, with every core unless
# the caller has chosen.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
export CC BUILD SANITIZE

.PHONY: deps deps-check demo check check-heavy check-html lint lint-flags format bench fuzz
.PHONY: check-reproducible check-valgrind soak soak-killed torture clean help
.PHONY: install install-system uninstall dist deb
deps:
	@sh tools/deps.sh build

deps-check:
	@NO_INSTALL=1 sh tools/deps.sh build demo check

demo:
	@sh tools/deps.sh build demo
	@+$(SUBMAKE) all
	@sh tests/demo.sh

check:
	@sh tools/deps.sh build check
	@+$(MAKE) --no-print-directory WERROR=1 check-steps

.PHONY: check-steps
check-steps:
	@+MAKE_CMD='$(SUBMAKE)' sh tools/check.sh

# What is left out of check, as it takes long: they are marked in the tests.
check-heavy: tests
	@sh tools/deps.sh build check
	@HEAVY=1 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
		"$$(sh tools/find-python.sh)" -m pytest -q -rs -p no:cacheprovider tests/cli/test_oddities.py -k gigabytes

# Valgrind is slow: a quarter of an hour.
check-valgrind: tests
	@sh tools/deps.sh check check-valgrind
	@sh tools/valgrind.sh

check-reproducible:
	@sh tools/deps.sh build deb
	@sh tools/reproducible.sh

# A target of its own, as Chromium is large. SHOTS=DIR keeps pictures to look at;
# VNU=vnu.jar has the Nu Html Checker validate the reports, too.
check-html:
	@sh tools/deps.sh check-html
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
		"$$(sh tools/find-python.sh)" -m pytest -q -rs -p no:cacheprovider tests/html

lint:
	@sh tools/deps.sh build lint
	@+MAKE_CMD='$(SUBMAKE)' sh tools/lint.sh

# What clang-tidy has to know of the compiler's command line.
lint-flags:
	@echo '-std=c11 -D_GNU_SOURCE -Ilib -I$(BUILD)/gen $(BANNED) $(PKG_CFLAGS) $(WARNINGS)' \
		$(if $(filter isal,$(INFLATE)),-DHAVE_ISAL) '-DRECONCILE_VERSION="$(VERSION)"'

format:
	clang-format -i $(wildcard lib/*.[ch] replay/*.[ch] reconcile/*.[ch] completions/*.[ch] fixtures/*.[ch] tests/unit/*.[ch])

bench: all $(BUILD)/tests/measure
	@+$(SUBMAKE) INFLATE=zlib BUILD=$(BUILD)-zlib $(BUILD)-zlib/replay
	@if [ -f tests/bench/run.sh ]; then exec sh tests/bench/run.sh; \
	else echo 'no benchmark here: tests/bench/run.sh is missing' >&2; exit 1; fi

# Everything is compiled anew for the fuzzer, which wants its counters everywhere.
SECONDS ?= 60
FUZZ ?= $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
fuzz:
	@sh tools/deps.sh build fuzz
	@+$(SUBMAKE) CC=clang CFLAGS='-O1 -g' SANITIZE=fuzzer-no-link,address,undefined \
		BUILD=$(BUILD)/fuzz fuzzers
	@sh tools/fuzz.sh $(BUILD)/fuzz $(SECONDS) $(FUZZ)

# So many moments for each command and each way to end it; about a second a moment.
SOAK_ROUNDS ?= 100
SOAK_SEED ?= 1
soak-killed: all
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 BUILD='$(BUILD)' \
		SOAK_KILLED='$(SOAK_ROUNDS)' SOAK_SEED='$(SOAK_SEED)' \
		"$$(sh tools/find-python.sh)" -m pytest -q -p no:cacheprovider tests/db/test_killed.py

# An hour of rounds, with rests between them: it takes a fifth of one processor.
SOAK_SECONDS ?= 3600
soak: tests
	@PYTHONDONTWRITEBYTECODE=1 BUILD='$(BUILD)' SOAK_SECONDS='$(SOAK_SECONDS)' \
		SOAK_SEED='$(SOAK_SEED)' "$$(sh tools/find-python.sh)" tests/soak/soak.py

# TORTURE_SEED has no say here: every call of every scenario fails once.
torture: tests
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 BUILD='$(BUILD)' TORTURE=full \
		"$$(sh tools/find-python.sh)" -m pytest -q -rP -p no:cacheprovider tests/db/test_torture.py

# ---- installation -----------------------------------------------------------

MAN := $(wildcard replay/*.[15] reconcile/*.[15])
DOCS := $(wildcard README*.md LICENSE SECURITY.md)
BASH_COMPLETIONS := $(filter-out $(BUILD)/completions/_%,$(COMPLETIONS))
ZSH_COMPLETIONS := $(filter $(BUILD)/completions/_%,$(COMPLETIONS))
UNITS := $(wildcard cron/systemd/*.service cron/systemd/*.timer)
DROPIN := reconcile-.service.d
EXAMPLES := $(DESTDIR)$(DOCDIR)/examples

# Units and crontab call the programs where they are installed.
IN_BINDIR := sed -i -e 's|/usr/bin/|$(BINDIR)/|g' -e 's|^PATH=/usr/bin:|PATH=$(BINDIR):|'

install: directories all
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man5' \
		'$(DESTDIR)$(BASHCOMPDIR)' '$(DESTDIR)$(ZSHCOMPDIR)' '$(DESTDIR)$(DOCDIR)/docs' \
		'$(EXAMPLES)/nginx' '$(EXAMPLES)/systemd/$(DROPIN)'
	install -m 755 $(TOOLS) '$(DESTDIR)$(BINDIR)'
	install -m 644 $(filter %.1,$(MAN)) '$(DESTDIR)$(MANDIR)/man1'
	install -m 644 $(filter %.5,$(MAN)) '$(DESTDIR)$(MANDIR)/man5'
	install -m 644 $(BASH_COMPLETIONS) '$(DESTDIR)$(BASHCOMPDIR)'
	install -m 644 $(ZSH_COMPLETIONS) '$(DESTDIR)$(ZSHCOMPDIR)'
	install -m 644 $(DOCS) '$(DESTDIR)$(DOCDIR)'
	install -m 644 $(wildcard docs/*.md docs/*.sql docs/*.yml) '$(DESTDIR)$(DOCDIR)/docs'
	install -m 644 $(filter-out cron/nginx cron/systemd,$(wildcard cron/*)) '$(EXAMPLES)'
	install -m 644 $(wildcard cron/nginx/*) '$(EXAMPLES)/nginx'
	install -m 644 $(UNITS) '$(EXAMPLES)/systemd'
	install -m 644 $(wildcard cron/systemd/$(DROPIN)/*) '$(EXAMPLES)/systemd/$(DROPIN)'
	$(IN_BINDIR) '$(EXAMPLES)/crontab' '$(EXAMPLES)'/systemd/*.service

# The recipes quote each directory, which a quote within would end.
.PHONY: directories
directories:
	$(foreach d,DESTDIR BINDIR MANDIR DOCDIR BASHCOMPDIR ZSHCOMPDIR SYSCONFDIR UNITDIR SYSUSERSDIR \
		TMPFILESDIR,$(if $(findstring ',$($d)),$(error $d "$($d)" holds a quote)))

# For a package: to where systemd, cron and their like look. The jobs of the
# crontab are commented out, as the timers do the same.
install-system: directories
	$(if $(word 2,$(BINDIR)),$(error BINDIR "$(BINDIR)" holds a blank, which units and crontabs cannot))
	install -d '$(DESTDIR)$(UNITDIR)/$(DROPIN)' '$(DESTDIR)$(SYSUSERSDIR)' \
		'$(DESTDIR)$(TMPFILESDIR)' '$(DESTDIR)$(SYSCONFDIR)/default' \
		'$(DESTDIR)$(SYSCONFDIR)/cron.d'
	install -m 644 $(UNITS) '$(DESTDIR)$(UNITDIR)'
	install -m 644 $(wildcard cron/systemd/$(DROPIN)/*) '$(DESTDIR)$(UNITDIR)/$(DROPIN)'
	install -m 644 cron/reconcile.sysusers '$(DESTDIR)$(SYSUSERSDIR)/reconcile.conf'
	install -m 644 cron/reconcile.tmpfiles '$(DESTDIR)$(TMPFILESDIR)/reconcile.conf'
	install -m 644 cron/reconcile.default '$(DESTDIR)$(SYSCONFDIR)/default/reconcile'
	install -m 644 cron/crontab '$(DESTDIR)$(SYSCONFDIR)/cron.d/reconcile'
	$(IN_BINDIR) $(UNITS:cron/systemd/%='$(DESTDIR)$(UNITDIR)/%') '$(DESTDIR)$(SYSCONFDIR)/cron.d/reconcile'
	sed -i 's/^[0-9]/#&/' '$(DESTDIR)$(SYSCONFDIR)/cron.d/reconcile'

# What install and install-system put there, but for settings.
uninstall: directories
	rm -f $(TOOLS:$(BUILD)/%='$(DESTDIR)$(BINDIR)/%') \
		$(foreach m,$(MAN),'$(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $m))/$(notdir $m)') \
		$(BASH_COMPLETIONS:$(BUILD)/completions/%='$(DESTDIR)$(BASHCOMPDIR)/%') \
		$(ZSH_COMPLETIONS:$(BUILD)/completions/%='$(DESTDIR)$(ZSHCOMPDIR)/%') \
		$(UNITS:cron/systemd/%='$(DESTDIR)$(UNITDIR)/%') \
		'$(DESTDIR)$(SYSUSERSDIR)/reconcile.conf' '$(DESTDIR)$(TMPFILESDIR)/reconcile.conf'
	rm -rf '$(DESTDIR)$(DOCDIR)' '$(DESTDIR)$(UNITDIR)/$(DROPIN)'

# The sources of HEAD, with the same bytes whoever makes them.
DIST := $(BUILD)/reconcile-$(VERSION).tar.gz
dist:
	@mkdir -p $(BUILD)
	git -c tar.umask=0022 archive --format=tar --prefix=reconcile-$(VERSION)/ -o $(DIST).tmp HEAD
	gzip -9n <$(DIST).tmp >$(DIST).gz.tmp
	mv $(DIST).gz.tmp $(DIST)
	rm $(DIST).tmp

deb:
	@sh tools/deps.sh build deb
	sh tools/deb.sh $(BUILD)/deb

clean:
	rm -rf build build-*

help:
	@sed -n 's/^## \{0,1\}//p' Makefile
