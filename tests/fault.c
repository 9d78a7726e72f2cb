/*
 * fault.c: see fault.h.  The wrappers are what `ld --wrap` puts in the place
 * of the calls of spool.c and the rest.
 *
 * In a program with a main() of its own (queuectl-fault) the environment arms
 * it: FAULT=KIND:AT:ERRNO, KIND f or m.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/syscall.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fault.h"

struct fault fault;

int __real_open(const char *, int, mode_t);
int __real_openat(int, const char *, int, mode_t);
ssize_t __real_write(int, const void *, size_t);
ssize_t __real_pwrite(int, const void *, size_t, off_t);
int __real_fsync(int);
int __real_syncfs(int);
long __real_syscall(long, int, const char *, int, const char *, unsigned);
int __real_renameat(int, const char *, int, const char *);
int __real_linkat(int, const char *, int, const char *, int);
int __real_unlinkat(int, const char *, int);
int __real_mkdirat(int, const char *, mode_t);
int __real_ftruncate(int, off_t);
int __real_flock(int, int);
int __real_fstat(int, struct stat *);
int __real_fstatat(int, const char *, struct stat *, int);
ssize_t __real_pread(int, void *, size_t, off_t);
struct dirent *__real_readdir(DIR *);
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);

int __wrap_open(const char *, int, ...);
int __wrap_openat(int, const char *, int, ...);
ssize_t __wrap_write(int, const void *, size_t);
ssize_t __wrap_pwrite(int, const void *, size_t, off_t);
int __wrap_fsync(int);
int __wrap_syncfs(int);
long __wrap_syscall(long, int, const char *, int, const char *, unsigned);
int __wrap_renameat(int, const char *, int, const char *);
int __wrap_linkat(int, const char *, int, const char *, int);
int __wrap_unlinkat(int, const char *, int);
int __wrap_mkdirat(int, const char *, mode_t);
int __wrap_ftruncate(int, off_t);
int __wrap_flock(int, int);
int __wrap_fstat(int, struct stat *);
int __wrap_fstatat(int, const char *, struct stat *, int);
ssize_t __wrap_pread(int, void *, size_t, off_t);
struct dirent *__wrap_readdir(DIR *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);

/* Whether this call is the one; dies if it is to. */
static bool
hit(enum fault_kind kind, const char *name)
{
	if (!fault.armed || fault.kind != kind || ++fault.count != fault.at ||
	    fault.mode == FAULT_COUNT)
		return false;
	fault.hit = name;
	if (fault.mode != FAULT_ERROR)
		_exit(FAULT_EXIT);
	errno = fault.error;
	return true;
}

static void
seen(const char *call, int fd, const char *a, const char *b)
{
	if (fault.armed && fault.seen)
		fault.seen(call, fd, a, b);
}

/* Opening fails like anything else, but only creating changes files, so only
 * that is a place to die. */
static bool
hit_open(int flags)
{
	bool dies = fault.mode == FAULT_DIE || fault.mode == FAULT_TEAR;

	return (!dies || (flags & O_CREAT)) && hit(FAULT_FILES, "open");
}

int
__wrap_open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return hit_open(flags) ? -1 : __real_open(path, flags, mode);
}

int
__wrap_openat(int at, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	int fd;

	if (flags & O_CREAT) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (hit_open(flags))
		return -1;
	fd = __real_openat(at, path, flags, mode);
	if (fd >= 0)
		seen(flags & O_CREAT ? "create" : "open", fd, path, NULL);
	return fd;
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	ssize_t r;

	if (fault.armed && fault.mode == FAULT_TEAR &&
	    fault.kind == FAULT_FILES && fault.count + 1 == fault.at)
		r = __real_write(fd, p, n / 2);
	if (hit(FAULT_FILES, "write"))
		return -1;
	r = __real_write(fd, p, n);
	if (r > 0)
		seen("write", fd, NULL, NULL);
	return r;
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	return hit(FAULT_FILES, "pwrite") ? -1 :
	    __real_pwrite(fd, p, n, at);
}

int
__wrap_fsync(int fd)
{
	if (hit(FAULT_FILES, "fsync"))
		return -1;
	seen("fsync", fd, NULL, NULL);
	return __real_fsync(fd);
}

int
__wrap_syncfs(int fd)
{
	if (hit(FAULT_FILES, "syncfs"))
		return -1;
	seen("syncfs", fd, NULL, NULL);
	return __real_syncfs(fd);
}

/* Only renameat2 and getdents64 are called so. */
long
__wrap_syscall(long n, int a, const char *from, int b, const char *to,
    unsigned flags)
{
	long r;

	if (n == SYS_getdents64)
		return hit(FAULT_LOOKS, "readdir") ? -1 :
		    __real_syscall(n, a, from, b, to, flags);
	if (hit(FAULT_FILES, "renameat2"))
		return -1;
	r = __real_syscall(n, a, from, b, to, flags);
	if (r == 0)
		seen("rename", a, from, to);
	return r;
}

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	int r;

	if (hit(FAULT_FILES, "renameat"))
		return -1;
	r = __real_renameat(a, from, b, to);
	if (r == 0)
		seen("rename", a, from, to);
	return r;
}

int
__wrap_linkat(int a, const char *from, int b, const char *to, int flags)
{
	int r;

	if (hit(FAULT_FILES, "linkat"))
		return -1;
	r = __real_linkat(a, from, b, to, flags);
	if (r == 0)
		seen("link", a, from, to);
	return r;
}

int
__wrap_unlinkat(int at, const char *path, int flags)
{
	int r;

	if (hit(FAULT_FILES, "unlinkat"))
		return -1;
	r = __real_unlinkat(at, path, flags);
	if (r == 0)
		seen("unlink", at, path, NULL);
	return r;
}

int
__wrap_mkdirat(int at, const char *path, mode_t mode)
{
	int r;

	if (hit(FAULT_FILES, "mkdirat"))
		return -1;
	r = __real_mkdirat(at, path, mode);
	if (r == 0)
		seen("mkdir", at, path, NULL);
	return r;
}

int
__wrap_ftruncate(int fd, off_t size)
{
	return hit(FAULT_FILES, "ftruncate") ? -1 :
	    __real_ftruncate(fd, size);
}

int
__wrap_flock(int fd, int how)
{
	return hit(FAULT_FILES, "flock") ? -1 : __real_flock(fd, how);
}

int
__wrap_fstat(int fd, struct stat *st)
{
	return hit(FAULT_LOOKS, "fstat") ? -1 : __real_fstat(fd, st);
}

int
__wrap_fstatat(int at, const char *path, struct stat *st, int flags)
{
	return hit(FAULT_LOOKS, "fstatat") ? -1 :
	    __real_fstatat(at, path, st, flags);
}

ssize_t
__wrap_pread(int fd, void *p, size_t n, off_t at)
{
	return hit(FAULT_LOOKS, "pread") ? -1 : __real_pread(fd, p, n, at);
}

struct dirent *
__wrap_readdir(DIR *d)
{
	return hit(FAULT_LOOKS, "readdir") ? NULL : __real_readdir(d);
}

void *
__wrap_malloc(size_t n)
{
	return hit(FAULT_MEMORY, "malloc") ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return hit(FAULT_MEMORY, "calloc") ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return hit(FAULT_MEMORY, "realloc") ? NULL : __real_realloc(p, n);
}

__attribute__((constructor)) static void
arm(void)
{
	const char *s = getenv("FAULT");
	char kind;

	if (!s || sscanf(s, "%c:%d:%d", &kind, &fault.at, &fault.error) != 3)
		return;
	fault.kind = kind == 'm' ? FAULT_MEMORY : FAULT_FILES;
	fault.mode = FAULT_ERROR;
	fault.armed = true;
}
