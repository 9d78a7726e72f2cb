# queuectl: build, test, install.
#
#	make            ./queuectl
#	make demo       builds it and shows what it does
#	make check      all tests (needs libcheck, and gets it where it can)
#	make check-asan the same under AddressSanitizer and UBSan
#	make power      more of the model of power loss than make check has
#	make check-valgrind, make coverage, make fuzz, make fuzz-afl
#	make torture    a kill storm of SECONDS=120
#	make bench      how fast it is, against what the machine can do
#	make lint       static analysis, with the tools that are there
#	make static     ./queuectl-static, stripped; by CC, else by musl-gcc
#	make install    PREFIX, DESTDIR; make uninstall
#	make install-systemd, -openrc, -runit, -s6, -init, -procd
#	                the files of a service manager; contrib/README.md
#	make image      a container's image, with ENGINE=podman, docker or buildah
#	make deb        queuectl-deb/queuectl_VERSION-1_ARCH.deb, for Debian
#	make alpine, make openwrt
#	                directories to build packages from, there
#	make check-ship the tests of all that is shipped besides the program
#	make dist       queuectl-VERSION.tar.gz
#	make release    queuectl-release/: static binaries for five machines,
#	                the source, checksums

# What the environment says comes first.  (With .POSIX, GNU make would have values
# of its own for these two.)
CC ?= cc
CFLAGS ?= -O2
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wconversion
# Stacks may be small (ulimit -s).
FRAMES = -Wframe-larger-than=8192
SANITIZE = -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
# Where the shells look for completions.
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions
FISHDIR = $(PREFIX)/share/fish/vendor_completions.d
# Where the service managers look for services.
ETC = /etc
UNITDIR = $(ETC)/systemd/system
USERUNITDIR = $(ETC)/systemd/user
SVDIR = $(ETC)/sv

VERSION = 1.0.0
RELEASED = 2026-11-29

# The source files, in the order in which they are linked: what runs at every
# start is together.  This is the only list of them; `make sources` prints it
# for the tests.  A new room needs one word here.
SRC = queuectl.c cli/call.c cli/listing.c cli/columns.c cli/select.c \
	cli/enqueue.c cli/words.c cli/graph.c cli/wait.c cli/hold.c cli/lock.c \
	cli/why.c cli/show.c cli/survey.c cli/status.c cli/top.c cli/admin.c \
	cli/complete.c cli/late.c cli/cgi.c cli/http.c cli/html.c cli/page.c \
	cli/web.c  job/field.c job/json.c job/job.c \
	job/attempt.c job/policy.c job/name.c job/text.c job/config.c \
	job/buf.c spool.c \
	spool/file.c spool/life.c spool/pool.c spool/tally.c spool/open.c \
	spool/watch.c spool/log.c spool/look.c spool/recover.c spool/batch.c \
	spool/waiting.c spool/why.c spool/hook.c spool/lock.c spool/bulk.c \
	spool/fsck.c spool/expire.c worker.c worker/run.c worker/launch.c \
	worker/self.c worker/queue.c worker/gates.c worker/words.c \
	worker/board.c worker/dispatch.c worker/backlog.c worker/pool.c
HDR != ls *.h */*.h
OBJ = $(SRC:.c=.o)
# What all that is compiled here needs; `make language` prints it for the tests.
# Sizes, inodes and times have 64 bits on machines of 32, too.
LANGUAGE = -std=c11 -pthread -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -I. \
	-DQUEUECTL_VERSION=$(VERSION)
COMPILE = $(LANGUAGE) $(WARNINGS) $(CPPFLAGS)
DIST = Makefile $(SRC) $(HDR) LICENSE README.md CHANGELOG.md CONTRIBUTING.md \
	.clang-format .clang-tidy .gitignore .ci man tests contrib

all: queuectl

queuectl: $(OBJ)
	$(CC) -pthread $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ)

# It has the version.
queuectl.o: Makefile

# Every object depends on every header: there are few, and it is always right.
$(OBJ): $(HDR)

.c.o:
	$(CC) $(COMPILE) $(FRAMES) $(CFLAGS) -c -o $@ $<

# Without inotify, renameat2, syncfs, PR_SET_PDEATHSIG and vfork, as it is
# built where there is no Linux; for the tests of the fallbacks.
queuectl-portable: $(SRC) $(HDR)
	$(CC) $(COMPILE) -DQUEUECTL_PORTABLE $(CFLAGS) \
		-O0 $(LDFLAGS) -o $@ $(SRC)

queuectl-asan: $(SRC) $(HDR)
	$(CC) $(COMPILE) $(SANITIZE) $(LDFLAGS) -o $@ $(SRC)

static:
	@cc='$(CC)'; if [ "$$cc" = cc ] && command -v musl-gcc >/dev/null; \
	then cc=musl-gcc; fi; set -x; \
	$$cc $(COMPILE) $(CFLAGS) $(SMALL) $(LDFLAGS) \
		-static -s -o queuectl-static $(SRC)

# Less to read and to map when it starts: each page that is touched for the
# first time costs more than ten system calls.
SMALL = -Os -fno-pie -no-pie -fno-asynchronous-unwind-tables \
	-ffunction-sections -fdata-sections -Wl,--gc-sections \
	-Wl,-z,noseparate-code -Wl,-z,norelro

sources:
	@echo $(SRC)

language:
	@echo $(LANGUAGE)

demo: queuectl
	@sh tests/demo

# The unit tests print libcheck's closing lines, tests/run its own.
check:
	@$(MAKE) -j2 queuectl queuectl-portable
	@CC='$(CC)' CFLAGS='$(WARNINGS) $(CFLAGS) -O0' CPPFLAGS='$(CPPFLAGS)' \
		LDFLAGS='$(LDFLAGS)' OBJ='$(OBJ)' sh tests/unit all
	@CC='$(CC)' OBJ='$(OBJ)' sh tests/run $(PORTABLE) all

# These with the fallbacks, too.
PORTABLE = worker@queuectl-portable order@queuectl-portable \
	hands@queuectl-portable cancel@queuectl-portable late@queuectl-portable \
	wait@queuectl-portable pause@queuectl-portable run@queuectl-portable \
	launcher@queuectl-portable after@queuectl-portable \
	lock@queuectl-portable

check-asan: queuectl-asan
	@CC='$(CC)' CFLAGS='$(WARNINGS) $(SANITIZE)' CPPFLAGS='$(CPPFLAGS)' \
		LDFLAGS='$(LDFLAGS)' sh tests/unit all
	@QUEUECTL=./queuectl-asan sh tests/run

# The model of power loss with many more disks; takes minutes.
power:
	@CC='$(CC)' CFLAGS='$(CFLAGS)' POWER=full sh tests/unit check_power

# Ratios and counts; takes minutes.  Only alone do they mean something.
bench: static
	@CC='$(CC)' sh tests/bench/bench

# A kill storm.
torture: queuectl
	@sh tests/torture/torture $(SECONDS)

SECONDS = 120

# libFuzzer's and AFL++'s binaries, tests/fuzz_TARGET and tests/afl_TARGET;
# the corpora in tests/corpus are replayed by make check.
FUZZ = job name json config number
CODECS != ls job/*.c

fuzz:
	set -e; for t in $(FUZZ); do \
		clang $(LANGUAGE) $(SANITIZE) -fsanitize=fuzzer -DTARGET=$$t \
			-o tests/fuzz_$$t tests/fuzz/*.c $(CODECS); \
	done

fuzz-afl:
	set -e; for t in $(FUZZ); do \
		afl-clang-fast $(LANGUAGE) -O2 -DTARGET=$$t -o tests/afl_$$t \
			tests/fuzz/*.c $(CODECS); \
	done

# Service managers, containers and packages, with those that this machine has;
# as root, for most of them.
check-ship: queuectl
	@CC='$(CC)' TEST_DIR=tests/ship TEST_LANES=2 TEST_SECONDS=600 \
		sh tests/run

check-valgrind:
	@CC='$(CC)' sh tests/valgrind short

coverage:
	@sh tests/coverage all

lint:
	@sh tests/lint $(SRC)

# Others may read what is installed, whatever the umask is; directories that are
# there already stay as they are.
install: queuectl
	umask 022 && mkdir -p "$(DESTDIR)$(BINDIR)" \
		"$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man5" \
		"$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" \
		"$(DESTDIR)$(FISHDIR)"
	cp -f queuectl "$(DESTDIR)$(BINDIR)/queuectl"
	chmod 755 "$(DESTDIR)$(BINDIR)/queuectl"
	cp -f man/queuectl.1 "$(DESTDIR)$(MANDIR)/man1/queuectl.1"
	cp -f man/queuectl.5 "$(DESTDIR)$(MANDIR)/man5/queuectl.5"
	cp -f contrib/completion.bash "$(DESTDIR)$(BASHDIR)/queuectl"
	cp -f contrib/completion.zsh "$(DESTDIR)$(ZSHDIR)/_queuectl"
	cp -f contrib/completion.fish "$(DESTDIR)$(FISHDIR)/queuectl.fish"
	chmod 644 "$(DESTDIR)$(MANDIR)/man1/queuectl.1" \
		"$(DESTDIR)$(MANDIR)/man5/queuectl.5" \
		"$(DESTDIR)$(BASHDIR)/queuectl" \
		"$(DESTDIR)$(ZSHDIR)/_queuectl" \
		"$(DESTDIR)$(FISHDIR)/queuectl.fish"

uninstall:
	rm -f "$(DESTDIR)$(BINDIR)/queuectl" \
		"$(DESTDIR)$(MANDIR)/man1/queuectl.1" \
		"$(DESTDIR)$(MANDIR)/man5/queuectl.5" \
		"$(DESTDIR)$(BASHDIR)/queuectl" \
		"$(DESTDIR)$(ZSHDIR)/_queuectl" \
		"$(DESTDIR)$(FISHDIR)/queuectl.fish"

install-systemd install-openrc install-runit install-s6 install-init \
install-procd uninstall-systemd uninstall-openrc uninstall-runit \
uninstall-s6 uninstall-init uninstall-procd:
	@DESTDIR="$(DESTDIR)" BINDIR="$(BINDIR)" ETC="$(ETC)" \
		UNITDIR="$(UNITDIR)" USERUNITDIR="$(USERUNITDIR)" \
		SVDIR="$(SVDIR)" sh contrib/service $@

# Only docker's format of images has a health check; OCI's has none.
image: static
	rm -rf queuectl-image
	mkdir -p queuectl-image/spool
	mkdir -m 700 queuectl-image/spool/queuectl
	cp queuectl-static queuectl-image/queuectl
	cp contrib/Containerfile queuectl-image/Dockerfile
	@for e in $(ENGINE) podman docker buildah; do \
		! command -v $$e >/dev/null || break; \
	done; set -x; BUILDAH_FORMAT=docker $$e build -t queuectl:$(VERSION) \
		-t queuectl:latest queuectl-image

# The same bytes wherever and whenever it is made: the files have the time of the
# release, no owner, and one order.  It takes GNU tar.
dist: clean
	mkdir queuectl-$(VERSION)
	tar -cf - $(DIST) | (cd queuectl-$(VERSION) && tar -xf -)
	umask 022 && find queuectl-$(VERSION) -exec chmod go=u,go-w {} + \
		-exec touch -h -d "$(RELEASED)T00:00:00Z" {} +
	find queuectl-$(VERSION) ! -type d | LC_ALL=C sort | \
		tar -cf - --format=ustar --owner=0 --group=0 --numeric-owner -T - | \
		gzip -n >queuectl-$(VERSION).tar.gz
	rm -rf queuectl-$(VERSION)

# dpkg-buildpackage calls make, which must not get the arguments of this one.
deb: dist
	mkdir queuectl-deb
	mv queuectl-$(VERSION).tar.gz \
		queuectl-deb/queuectl_$(VERSION).orig.tar.gz
	cd queuectl-deb && tar -xzf queuectl_$(VERSION).orig.tar.gz && \
		cd queuectl-$(VERSION) && cp -R contrib/debian debian && \
		sed 's/@VERSION@/$(VERSION)/' contrib/debian/changelog \
			>debian/changelog && \
		unset CC CFLAGS CPPFLAGS LDFLAGS && \
		DEB_BUILD_OPTIONS="nocheck $$DEB_BUILD_OPTIONS" MAKEFLAGS= \
			dpkg-buildpackage -us -uc

alpine: dist
	mkdir queuectl-alpine
	mv queuectl-$(VERSION).tar.gz queuectl-alpine
	cd queuectl-alpine && { sed 's/@VERSION@/$(VERSION)/' \
		../contrib/APKBUILD && echo 'sha512sums="' && \
		sha512sum queuectl-$(VERSION).tar.gz && echo '"'; } >APKBUILD

openwrt: dist
	mkdir queuectl-openwrt
	cp contrib/openwrt/Makefile queuectl-openwrt
	gzip -dc queuectl-$(VERSION).tar.gz | (cd queuectl-openwrt && tar -xf -)
	mv queuectl-openwrt/queuectl-$(VERSION) queuectl-openwrt/src
	rm queuectl-$(VERSION).tar.gz

# Static binaries for five machines, with cross compilers and qemu-user.
release:
	@sh contrib/release

clean:
	rm -rf queuectl queuectl-* $(OBJ) tests/fuzz_* tests/afl_*
