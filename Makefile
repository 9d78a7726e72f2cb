# queuectl: build, test, install.  `make`, `make demo`, `make check`.
.POSIX:

CC = cc
CFLAGS = -O2
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes -Wconversion
PREFIX = /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man

VERSION = 0.1.0
SRC = queuectl.c field.c json.c job.c config.c spool.c worker.c
HDR = buf.h config.h field.h job.h json.h spool.h worker.h
OBJ = $(SRC:.c=.o)
UNIT = tests/check_json tests/check_job tests/check_spool

all: queuectl

queuectl: $(OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(OBJ)

# Every object depends on every header: there are few, and it is always right.
$(OBJ): $(HDR)

.c.o:
	$(CC) -std=c11 $(WARNINGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

clean:
	rm -f queuectl queuectl-* $(OBJ) $(UNIT)
