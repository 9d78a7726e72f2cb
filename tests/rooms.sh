# rooms.sh: the source keeps the rules of tests/rooms, which finds each break of
# each rule and nothing else.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC1091,SC2154
. "${0%/*}/lib.sh"

# A small tree that keeps the rules: base/.
file() { cat >"base/$1"; }

mkdir -p base/job base/spool base/worker base/cli base/tests
file Makefile <<'END'
SRC = queuectl.c cli/call.c cli/admin.c cli/wait.c job/text.c spool.c \
	spool/log.c spool/life.c worker.c worker/pool.c worker/run.c \
	worker/launch.c worker/self.c
sources:
	@echo $(SRC)
END
file queuectl.c <<'END'
/*
 * queuectl.c: the command table.
 *
 *     queuectl.c   main
 *     cli/call     one call
 *     cli/admin, cli/wait   commands
 *     job/text.c   numbers
 *     job/buf.h    a string
 *     spool.c      the place
 *     spool/log    the log
 *     spool/life   renames
 *     worker       a loop
 *     worker/pool:     the supervisor
 *     worker/run   one attempt
 *     worker/launch  exec
 *     worker/self  the clock
 *
 * Words that say nothing: job/ and cli/ are folders.
 */
#include <stdio.h>

#include "cli/call.h"
#include "job/text.h"
#include "spool.h"
#include "spool/log.h"

int
main(void)
{
	puts("a word /* no comment */ fork() \" kill(1, 9)");
	return '"' + '\'' + printf("%s", "rename(a, b)"); // link(a, b);
}
END
file cli/call.h <<'END'
int call(void);
END
file cli/call.c <<'END'
#include <time.h>

#include "call.h"

int
call(void)
{
	return clock_gettime(CLOCK_REALTIME, 0);
}
END
file cli/admin.c <<'END'
#include "worker/pool.h"
END
file cli/wait.c <<'END'
#include "spool/pool.h"
#include "spool/watch.h"
#include "spool/fsck.h"
#include "spool/tally.h"
END
file job/buf.h <<'END'
#include <stdio.h>
END
file job/text.h <<'END'
#include "buf.h"
END
file job/text.c <<'END'
#include <string.h>

#include "text.h"
END
file spool.h <<'END'
#include "job/text.h"
#define LOOK(x) snprintf(x)
END
file spool.c <<'END'
#include <sys/file.h>

#include "spool.h"
#include "spool/spool_priv.h"

/* fork(), execl(), kill(), waitpid(), exit() */
int
look(struct x *x)
{
	clock_gettime(CLOCK_REALTIME, 0);
	return x->wait(1) + x.kill(2) + flock(3) + my_fork(4) + execute(5);
}
END
file spool/spool_priv.h <<'END'
int x;
END
for f in log pool watch fsck tally life; do
	echo 'int door;' >"base/spool/$f.h"
done
file spool/log.c <<'END'
#include "spool/log.h"
#include "spool/spool_priv.h"
END
file spool/life.c <<'END'
#include "spool.h"
#include "spool/log.h"
#include "life.h"

int
life(void)
{
	return renameat(a, b, c, d) + linkat(a) + unlinkat(b) + fsync(c) +
	    openat(d);
}
END
file worker.c <<'END'
#include <signal.h>

#include "spool.h"
#include "spool/log.h"
#include "spool/pool.h"
#include "spool/watch.h"
#include "spool/fsck.h"
#include "worker/run.h"
END
for f in pool run launch self; do
	echo 'int room;' >"base/worker/$f.h"
	echo "#include \"worker/$f.h\"" >"base/worker/$f.c"
done
file worker/pool.c <<'END'
int
pool(void)
{
	return fork() + kill(1, 9) + waitpid(1, 0, 0) + open("x", 1);
}
END
file worker/launch.c <<'END'
int
launch(void)
{
	vfork();
	dup2(1, STDOUT_FILENO);
	_exit(127);
}
END
file worker/self.c <<'END'
int
self(void)
{
	perror("x");
	return fputs("stdout", stderr) + time(0) + kill(0, 1);
}
END
file tests/check_text.c <<'END'
#include "job/text.h"
END
file tests/x <<'END'
# queuectl.c and spool.c are named in a comment
cc spool.c
END

# with FILE LINE...: tree/, with these lines at the end of FILE.
with() {
	f=$1
	shift
	rm -rf tree
	cp -R base tree
	[ $# = 0 ] || printf '%s\n' "$@" >>"tree/$f"
}
# keeps FILE LINE...: it keeps the rules.
keeps() {
	with "$@"
	run sh "$qt_root/tests/rooms" tree
	status 0
	out_like '^rooms: [0-9]+ files, all in order$'
}
# breaks RULE FILE LINE...: it breaks that rule, and no other.
breaks() {
	rule=$1
	shift
	with "$@"
	broken "$rule" "$1"
}
# broken RULE FILE: so is the tree as it is now.
broken() {
	run sh "$qt_root/tests/rooms" tree
	status 1
	out_like "^$2:[0-9]+: rule $1: .*[;,\"]"
	is "$(grep -v "^[^ ]*:[0-9]*: rule $1: \|^rooms: [0-9]* break" "$T/c/out")" ""
}
# two RULE RULE FILE LINE...: it breaks both, the second perhaps elsewhere.
two() {
	one=$1 other=$2
	shift 2
	with "$@"
	run sh "$qt_root/tests/rooms" tree
	status 1
	out_like "^$1:[0-9]+: rule $one: "
	out_like "^[^ ]*:[0-9]+: rule $other: "
}
# each RULE FILE LINE...: each of these lines breaks that rule, and no other.
each() {
	rule=$1
	shift
	with "$@"
	run sh "$qt_root/tests/rooms" tree
	status 1
	n=$(wc -l <"base/$1")
	f=$1
	shift
	for l; do
		n=$((n + 1))
		is "$(grep -c "^$f:$n: rule $rule: ." "$T/c/out")" 1 "$l"
	done
	is "$(grep -vc "^$f:[0-9]*: rule $rule: \|^rooms: " "$T/c/out")" 0
}
# lines N LINE: so many of them.
lines() { awk -v n="$1" -v s="$2" 'BEGIN { while (n--) print s }'; }

t "a tree that keeps the rules"
keeps queuectl.c
is "$(wc -l <"$T/c/out" | tr -d ' ')" 1

t "what is in comments and literals does not count"
keeps job/text.c '/* stdout' '#include <unistd.h>' '*/ int y; /**/' \
    'char *s = "stderr \" /* " ; /* " */' "char c = '\"'; // fork()"
breaks 6 job/text.c 'char *s = "\""; /* " */ FILE *f = stdout;'

t "1: job/ includes only job/"
breaks 1 job/text.c '#include "spool.h"'
breaks 1 job/buf.h '# include "worker/self.h"'
breaks 1 job/text.c '#include "../cli/call.h"'
t "1: and pure headers"
each 1 job/text.c '#include <unistd.h>' '#include <fcntl.h>' \
    '#include <errno.h>' '# include <time.h>' '#include	<dirent.h>' \
    '#include <signal.h>' '#include <poll.h>' '#include <sys/stat.h>' \
    ' #include <sys/types.h> /* for size_t */'
two 1 8 job/text.h '#include <spool.h>'

t "2: the spool includes only job/, spool.h and spool/"
each 2 spool.c '#include "worker/run.h"' '#include "cli/call.h"'
breaks 2 spool.h '#include "worker/self.h"'
keeps spool/log.c '#include "job/text.h"' '#include <unistd.h>'
t "2: it never forks, execs, kills"
two 2 7 spool.c 'int x = fork();'
two 2 7 spool/log.c 'int x = vfork ();'
two 2 7 spool/log.c 'int x = syscall(SYS_clone3, 1);'
two 2 7 spool/log.c '	kill(a, b);'
t "2: waits, catches signals"
each 2 spool/log.c '	execv(a, b);' '	waitpid(a, b, c);' \
    '	wait(a);' '	sigaction(a, b, c);' '	signal(a, b);'
t "2: prints, exits or reads the environment"
two 2 6 spool/log.c '	printf("x");'
two 2 6 spool/log.c '	perror("x");'
each 2 spool/log.c '	fprintf(f, "x");' '	exit(1);' '	abort();' \
    '	if (getenv("HOME"))'
breaks 2 spool.h '#define DIE() _exit(1)'

t "3: the worker includes only job/, spool.h, its doors and worker/"
each 3 worker/run.c '#include "spool/life.h"' '#include "cli/call.h"'
breaks 3 worker/run.h '#include <spool/life.h>'
t "3: neither json.h nor field.h, nor what is private to another wing"
with job/json.h ''
printf '%s\n' '#include "job/json.h"' >>tree/worker/run.c
broken 3 worker/run.c
with job/field.h ''
printf '%s\n' '#include "job/field.h"' >>tree/worker.c
broken 3 worker.c
two 3 5 worker.c '#include "spool/spool_priv.h"'
t "3: it never renames, links, unlinks, flocks, fsyncs or calls openat"
each 3 worker/run.c '	rename(a, b);' '	renameat(a, b);' \
    '	syscall(SYS_renameat2, a);' '	link(a, b);' \
    '	linkat(a, b);' '	unlink(a);' '	unlinkat(a, b);' \
    '	remove(a);' '	flock(a, b);' '	fsync(a);' \
    '	fdatasync(a);' '	syncfs(a);' '	openat(a, b);'
breaks 3 worker.c '	rename(a, b);'

t "4: cli includes only job/, spool.h, the doors and cli/"
breaks 4 queuectl.c '#include "worker/run.h"'
each 4 cli/call.c '#include "spool/life.h"' '#include "worker/launch.h"'
breaks 4 cli/call.h '#include "worker/self.h"'
t "4: and worker/pool.h from cli/admin.c alone"
breaks 4 cli/call.c '#include "worker/pool.h"'
breaks 4 queuectl.c '#include "worker/pool.h"'
breaks 4 cli/admin.c '#include "worker/run.h"'
t "4: it never renames, links, flocks, execs or uses inotify"
each 4 cli/call.c '	rename(a, b);' '	renameat(a, b);' \
    '	link(a, b);' '	linkat(a, b);' '	flock(a, b);' \
    '	execvp(a, b);' '	inotify_init1(a);' \
    '	syscall(SYS_inotify_init1);' '#include <sys/inotify.h>'
breaks 4 queuectl.c '	rename(a, b);'
t "4: nor does it fork or kill"
two 4 7 cli/call.c '	fork();'
two 4 7 cli/call.c '	posix_spawn(a);'
two 4 7 queuectl.c '	kill(a, b);'

t "5: a private header is for its own wing"
two 4 5 cli/call.c '#include "spool/spool_priv.h"'
two 1 5 job/text.c '#include "../spool/spool_priv.h"'
with worker/worker_priv.h ''
printf '%s\n' '#include "worker/worker_priv.h"' >>tree/worker.c
run sh "$qt_root/tests/rooms" tree
status 0

t "6: stdout is for cli"
each 6 worker/self.c '	fputs(a, stdout);' '	puts(a);' \
    '	printf(a);' '	write(1, a, b);' '	dprintf(STDOUT_FILENO, a);'
breaks 6 job/text.c '	putchar(a);'
two 2 6 spool/log.c '	fwrite(a, b, c, stdout);'
breaks 6 job/buf.h '#define SAY(x) printf(x)'
keeps cli/call.c '	fputs(a, stdout); fputs(a, stderr);'
t "6: stderr, too, and for worker/self.c"
each 6 worker/run.c '	fprintf(stderr, a);' '	write(2, a, b);'
breaks 6 worker.c '	write(STDERR_FILENO, a, 2);'
breaks 6 job/text.c '	perror(a);'

t "7: fork and vfork"
breaks 7 worker/run.c '	fork();'
breaks 7 worker/self.c '	vfork();'
t "7: kill"
each 7 worker/launch.c '	kill(a, b);' '	raise(a);' '	killpg(a, b);'
keeps worker/run.c '	kill(a, b);'
t "7: the clock"
each 7 worker/run.c '	clock_gettime(a, b);' '	gettimeofday(a, b);' \
    '	t = time(NULL);'
breaks 7 queuectl.c '	clock_gettime(a, b);'
breaks 7 spool/log.c '	clock_gettime(a, b);'
breaks 7 job/text.c '	clock_gettime(a, b);'
keeps cli/wait.c '	clock_gettime(a, b);'

t "8: no .c is included"
breaks 8 cli/call.c '#include "cli/wait.c"'
breaks 8 tests/check_text.c '#include "job/text.c"'
t "8: no file has over 700 lines"
keeps spool/life.h "$(lines 699 'int x;')"
breaks 8 spool/life.h "$(lines 700 'int x;')"
breaks 8 tests/x "$(lines 700 x)"
t "8: no function has over 60 lines"
keeps job/text.c 'static int' 'f(int a,' '    int b)' '{' \
    "$(lines 56 '	a++;')" '}'
breaks 8 job/text.c 'static int' 'f(int a,' '    int b)' '{' \
    "$(lines 57 '	a++;')" '}'
out_has "f() has 61 lines"
breaks 8 job/text.c 'int f(void) {' "$(lines 59 '	a++;')" '}'
keeps job/text.c 'int x[] = {' "$(lines 80 '	f(1),')" '};' \
    'struct x {' "$(lines 80 '	int (*f)(int);')" '};'
t "8: include lines form no circle"
breaks 8 job/buf.h '#include "job/text.h"'
out_has "job/text.h -> job/buf.h -> job/text.h"
breaks 8 spool/spool_priv.h '#include "spool/life.h"' \
    '#include "spool/spool_priv.h"'
t "8: nor do rooms include each other, with -r"
keeps spool/log.c '#include "spool/life.h"'
run sh "$qt_root/tests/rooms" -r tree
status 1
out_has "rooms include each other: spool/log -> spool/life -> spool/log"
keeps spool/life.h '#include "spool/spool_priv.h"'
run sh "$qt_root/tests/rooms" -r tree
status 0
with spool/spool_priv.h '#include "spool/life.h"'
echo '#include "spool.h"' >>tree/spool/life.h
run sh "$qt_root/tests/rooms" -r tree
status 1
out_has "spool -> spool/life -> spool"
breaks 8 spool.h '#include "spool.h"'
out_has "spool.h -> spool.h"

t "9: the map names every room"
with queuectl.c
sed '/spool\/life/d' base/queuectl.c >tree/queuectl.c
broken 9 queuectl.c
out_has spool/life.c
with queuectl.c
sed 's,cli/admin\, ,cli/call\, ,' base/queuectl.c >tree/queuectl.c
broken 9 queuectl.c
out_has cli/admin.c
t "9: and nothing else"
with queuectl.c
sed 's,^ \* Words,  *     worker/gone  x\
&,' base/queuectl.c >tree/queuectl.c
broken 9 queuectl.c
out_has worker/gone
with queuectl.c
sed 's,^ \* Words, * gone.c\
&,' base/queuectl.c >tree/queuectl.c
broken 9 queuectl.c
t "9: every source file is in SRC"
with cli/new.c ''
broken 9 Makefile
out_has "SRC lacks cli/new.c"
breaks 9 new.c ''
out_has "belongs to no wing"
t "9: and every word of SRC is a source file"
with queuectl.c
rm tree/cli/wait.c
broken 9 Makefile
with queuectl.c
sed 's,spool/log.c,spool/lug.c,' base/Makefile >tree/Makefile
broken 9 Makefile
t "9: there is one list"
breaks 9 Makefile 'SRC = queuectl.c'
out_has "a second list SRC; the first is in line 1"
breaks 9 Makefile 'CODECS = job/text.c spool.c'
breaks 9 tests/x 'cc -o x spool.c spool/log.c'
with queuectl.c
sed 's/^SRC/SOURCES/' base/Makefile >tree/Makefile
broken 9 Makefile
t "9: make -s sources prints it"
with queuectl.c
sed '/echo/s/$/ x.c/' base/Makefile >tree/Makefile
broken 9 Makefile
with queuectl.c
sed '/^sources/d; /echo/d' base/Makefile >tree/Makefile
broken 9 Makefile

t "all breaks are named, each in its line"
with spool.c '	printf("x");'
echo 'int f(void) { return fork(); }' >>tree/job/text.c
run sh "$qt_root/tests/rooms" tree
status 1
out_has "spool.c:13: rule 2: "
out_has "spool.c:13: rule 6: "
out_has "job/text.c:4: rule 7: "
out_has "rooms: 3 breaks"

t "this tree keeps the rules"
run sh "$qt_root/tests/rooms"
status 0
[ "$st" = 0 ] || cat "$T/c/out" >&2

t "not a tree"
mkdir empty
run sh "$qt_root/tests/rooms" empty
status 1
err_has "no Makefile"

finish
