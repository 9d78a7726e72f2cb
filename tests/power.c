/*
 * power.c: see power.h.
 *
 * SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bed.h"
#include "fault.h"
#include "power.h"

enum { FILES_MAX = 64, TREE_MAX = 200 };

enum kind { MKDIR, CREATE, LINK, UNLINK, RENAME, WRITE, SYNC_FILE, SYNC_DIR,
	SYNC_ALL };

struct event {
	enum kind kind;
	char a[200], b[200];   /* below dir; SYNC_DIR: the directory */
	ino_t ino;             /* CREATE, WRITE, SYNC_FILE */
	char *data;            /* WRITE: all of the file, after it */
	size_t len;
	size_t told;           /* bytes of `told` that were said before it */
};

static struct event events[POWER_EVENTS_MAX];

char power_told[POWER_TOLD_MAX], power_skipped[200];
int power_skip_sync, power_syncs;
size_t power_events;

void
power_tell(char what, const char *id)
{
	size_t n = strlen(power_told);

	snprintf(power_told + n, sizeof power_told - n, "%c%s\n", what, id);
}

/* The path of an open file, below dir; false: it is elsewhere. */
static bool
fd_path(int fd, char out[200])
{
	char link[40], full[400];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, full, sizeof full - 1);
	if (n < 0)
		return false;
	full[n] = '\0';
	if (strncmp(full, dir, strlen(dir)))
		return false;
	snprintf(out, 200, "%s", full + strlen(dir));
	return true;
}

static void
below(char out[200], const char *p)
{
	if (*p == '/')
		snprintf(out, 200, "%s", p + strlen(dir));
	else
		snprintf(out, 200, "%s/%s", path + strlen(dir), p);
}

static void
load(struct event *e, int fd)
{
	char link[40];
	struct stat st;
	FILE *f;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	f = fopen(link, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	e->data = malloc((size_t)st.st_size + 1);
	e->len = fread(e->data, 1, (size_t)st.st_size, f);
	fclose(f);
}

/* Called for each call while the operation runs. */
void
power_record(const char *call, int fd, const char *a, const char *b)
{
	struct event *e = &events[power_events];
	bool file = !strcmp(call, "fsync") || !strcmp(call, "write");
	struct stat st = { 0 };

	fault.armed = false;
	ck_assert_uint_lt(power_events, POWER_EVENTS_MAX);
	*e = (struct event){ .told = strlen(power_told) };
	if (file || !strcmp(call, "create"))
		ck_assert_int_eq(fstat(fd, &st), 0);
	e->ino = st.st_ino;
	if (a)
		below(e->a, a);
	if (b)
		below(e->b, b);
	if (!strcmp(call, "mkdir")) {
		e->kind = MKDIR;
	} else if (!strcmp(call, "create")) {
		e->kind = CREATE;
	} else if (!strcmp(call, "link")) {
		e->kind = LINK;
	} else if (!strcmp(call, "unlink")) {
		e->kind = UNLINK;
	} else if (!strcmp(call, "rename")) {
		e->kind = RENAME;
	} else if (!strcmp(call, "write") && fd_path(fd, e->a)) {
		e->kind = WRITE;
		load(e, fd);
	} else if (!strcmp(call, "syncfs")) {
		e->kind = SYNC_ALL;
	} else if (!strcmp(call, "fsync") && fd_path(fd, e->a)) {
		e->kind = S_ISDIR(st.st_mode) ? SYNC_DIR : SYNC_FILE;
	} else {
		fault.armed = true;
		return;
	}
	if (e->kind < SYNC_FILE || ++power_syncs != power_skip_sync)
		power_events++;
	else
		strcpy(power_skipped, e->kind == SYNC_ALL ? "all" : e->a);
	fault.armed = true;
}

void
power_forget(void)
{
	while (power_events)
		free(events[--power_events].data);
}

void
power_begin(void)
{
	power_forget();
	power_syncs = 0;
	power_told[0] = '\0';
}

bool
power_is_change(size_t i)
{
	return events[i].kind <= RENAME;
}

bool
power_is_sync(size_t i)
{
	return events[i].kind >= SYNC_FILE;
}

size_t
power_told_before(size_t cut)
{
	return cut < power_events ? events[cut].told : strlen(power_told);
}

static void
parent_of(char out[200], const char *p)
{
	snprintf(out, 200, "%s", p);
	*strrchr(out, '/') = '\0';
}

static bool
synced_after(const char *p, size_t i, size_t cut)
{
	char parent[200];

	parent_of(parent, p);
	for (i++; i < cut; i++)
		if (events[i].kind == SYNC_ALL || (events[i].kind == SYNC_DIR &&
		    !strcmp(events[i].a, parent)))
			return true;
	return false;
}

bool
power_is_safe(size_t i, size_t cut)
{
	const struct event *e = &events[i];

	/* a link changes only the directory of its new name */
	return (e->kind == LINK || synced_after(e->a, i, cut)) &&
	    (!*e->b || synced_after(e->b, i, cut));
}

struct file {
	ino_t ino;
	const char *data;      /* as it was written last */
	size_t len, synced;    /* bytes of it that were synced */
};

static struct file files[FILES_MAX];
static size_t nfiles;

static struct file *
file_of(ino_t ino)
{
	size_t i;

	for (i = 0; i < nfiles; i++)
		if (files[i].ino == ino)
			return &files[i];
	ck_assert_uint_lt(nfiles, FILES_MAX);
	files[nfiles] = (struct file){ .ino = ino };
	return &files[nfiles++];
}

/* What the files hold, and how much of it is safe. */
void
power_replay_data(size_t cut)
{
	size_t i, k;

	nfiles = 0;
	for (i = 0; i < cut; i++) {
		struct event *e = &events[i];

		if (e->kind == WRITE) {
			struct file *f = file_of(e->ino);

			f->data = e->data;
			f->len = e->len;
		} else if (e->kind == SYNC_FILE) {
			struct file *f = file_of(e->ino);

			f->synced = f->len;
		} else if (e->kind == SYNC_ALL) {
			for (k = 0; k < nfiles; k++)
				files[k].synced = files[k].len;
		}
	}
}

/* The names on the disk. */
struct entry {
	char path[200];        /* below dir */
	ino_t ino;             /* 0: a directory */
};

static struct entry tree[TREE_MAX];
static size_t ntree;

static struct entry *
entry_of(const char *p)
{
	size_t i;

	for (i = 0; i < ntree; i++)
		if (!strcmp(tree[i].path, p))
			return &tree[i];
	return NULL;
}

static bool
has_parent(const char *p)
{
	char parent[200];

	parent_of(parent, p);
	return !*parent || entry_of(parent);
}

static void
add(const char *p, ino_t ino)
{
	if (!has_parent(p) || entry_of(p))
		return;
	ck_assert_uint_lt(ntree, TREE_MAX);
	strcpy(tree[ntree].path, p);
	tree[ntree++].ino = ino;
}

static void
cut_off(struct entry *e)
{
	if (e)
		*e = tree[--ntree];
}

/* A directory takes what it holds along. */
static void
move_dir(const char *from, const char *to)
{
	size_t i, n = strlen(from);
	char p[200];

	for (i = 0; i < ntree; i++)
		if (!strncmp(tree[i].path, from, n) &&
		    (!tree[i].path[n] || tree[i].path[n] == '/')) {
			snprintf(p, sizeof p, "%.99s%.99s", to,
			    tree[i].path + n);
			strcpy(tree[i].path, p);
		}
}

static void
move(const char *from, const char *to)
{
	struct entry *a = entry_of(from), *b = entry_of(to);

	/* two names of one file: rename(2) does nothing */
	if (!a || !has_parent(to) || (b && b->ino == a->ino))
		return;
	if (!a->ino) {
		move_dir(from, to);
		return;
	}
	strcpy(a->path, to);
	cut_off(b);
}

/* Whether it is a directory that holds something. */
static bool
is_full(const struct entry *e)
{
	char parent[200];
	size_t i;

	for (i = 0; e && !e->ino && i < ntree; i++) {
		parent_of(parent, tree[i].path);
		if (!strcmp(parent, e->path))
			return true;
	}
	return false;
}

/* A change does not happen if it needs another one that did not happen. */
static void
apply(const struct event *e)
{
	const struct entry *a = entry_of(e->a);

	if (e->kind == MKDIR)
		add(e->a, 0);
	else if (e->kind == CREATE)
		add(e->a, e->ino);
	else if (e->kind == LINK && a)
		add(e->b, a->ino);
	else if (e->kind == UNLINK && !is_full(a))
		cut_off(entry_of(e->a));
	else if (e->kind == RENAME)
		move(e->a, e->b);
}

void
power_replay_names(size_t cut, const bool *happened)
{
	size_t i;

	ntree = 0;
	for (i = 0; i < cut; i++)
		if (happened[i])
			apply(&events[i]);
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path,
	    ((const struct entry *)b)->path);
}

/* FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
static uint64_t
hash(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n--)
		h = (h ^ *p++) * UINT64_C(0x100000001b3);
	return h;
}

uint64_t
power_disk_number(enum power_damage damage, size_t told)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	size_t i;

	/* a directory comes before what it holds */
	qsort(tree, ntree, sizeof tree[0], by_path);
	for (i = 0; i < ntree; i++) {
		const struct entry *e = &tree[i];
		const struct file *f = e->ino ? file_of(e->ino) : NULL;

		h = hash(h, e->path, strlen(e->path) + 1);
		h = hash(h, &e->ino, sizeof e->ino);
		if (f)
			h = hash(h, &f->len, sizeof f->len);
		if (f && f->synced < f->len) {
			h = hash(h, &f->synced, sizeof f->synced);
			h = hash(h, &damage, sizeof damage);
		}
	}
	return hash(h, &told, sizeof told);
}

static void
write_file(const char *p, const struct file *f, enum power_damage damage)
{
	size_t dirty = f->len - f->synced, n = f->len;
	char *copy = calloc(1, f->len + 1);
	FILE *out = fopen(p, "w");

	ck_assert(copy && out);
	if (f->len)
		memcpy(copy, f->data, f->len);
	if (damage == MISSING)
		n = f->synced;
	else if (damage == HALF)
		n = f->synced + dirty / 2;
	else if (damage == ZEROS)
		memset(copy + f->synced, 0, dirty);
	ck_assert_uint_eq(fwrite(copy, 1, n, out), n);
	fclose(out);
	ck_assert_int_eq(chmod(p, 0600), 0);
	free(copy);
}

void
power_make_disk(const char *root, enum power_damage damage)
{
	size_t i, k;

	ck_assert_int_eq(mkdir(root, 0700), 0);
	for (i = 0; i < ntree; i++) {
		char p[300], first[300];

		snprintf(p, sizeof p, "%.99s%.200s", root, tree[i].path);
		if (!tree[i].ino) {
			ck_assert_int_eq(mkdir(p, 0700), 0);
			continue;
		}
		for (k = 0; tree[k].ino != tree[i].ino; k++)
			;
		snprintf(first, sizeof first, "%.99s%.200s", root,
		    tree[k].path);
		if (k < i)
			ck_assert_int_eq(link(first, p), 0);
		else
			write_file(p, file_of(tree[i].ino), damage);
	}
}
