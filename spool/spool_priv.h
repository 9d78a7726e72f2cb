/*
 * spool_priv.h: what all rooms of the spool share: paths, results, locks,
 * directories and the names in them.  spool.c has the functions.
 *
 * Functions that return int return an enum spool_result, unless they say
 * otherwise.  `errno` survives every function that releases something.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SPOOL_PRIV_H
#define SPOOL_PRIV_H

#include <sys/stat.h>

#include "spool.h"

/* The seam: what only Linux has.  -DQUEUECTL_PORTABLE builds without it. */
#if defined(__linux__) && !defined(QUEUECTL_PORTABLE)
#define ON_LINUX 1
#else
#define ON_LINUX 0
#endif

/* --- paths below the spool ---------------------------------------------- */

struct path {
	char s[SPOOL_AT_MAX];
};

/* The name of a directory; `dir` is below SPOOL_DIRS. */
const char *dir_name(int dir);
/* Whether every spool has it.  The others are made when they are needed. */
bool dir_is_needed(int dir);
struct path path_in(int dir, const char *file);
struct path path_job(enum job_state, const struct job_name *);
/* DIR/NAME/FILE, or DIR/NAME if the file is "". */
struct path path_below(int dir, const char *name, const char *file);
/* after/PARENT/FILE. */
struct path path_after(const char *parent, const char *file);
struct path path_log(const char *id);

/* --- results ------------------------------------------------------------ */

/* SPOOL_ERROR, with errno as it is and `at` in spool->at.  Every SPOOL_ERROR
 * comes from here. */
int spool_fail(struct spool *, const char *at);
/* SPOOL_REFUSED, with `why` (constant text) in spool->why. */
int spool_refuse(struct spool *, const char *why);

/* --- descriptors -------------------------------------------------------- */

/*
 * Opens a regular file below the spool and tells about it in *st.  A FIFO or a
 * symbolic link that somebody put there can neither hang us nor lead us
 * astray.  `flags` is O_RDONLY or O_RDWR, perhaps with O_CREAT (mode 0600).
 * SPOOL_GONE: there is no such file; SPOOL_REFUSED: it is not a regular file,
 * or closed to us.  *fd is -1 unless the result is SPOOL_OK.
 */
int file_open(struct spool *, const char *path, int flags, int *fd,
    struct stat *st);
/* Adds `size` bytes of a file, from its byte `at` on, to `b`; fewer where the
 * file is shorter.  The offset, which a job inherits, stays at 0.  false:
 * errno. */
bool fd_read(int fd, off_t at, off_t size, struct buf *b);
/* 0, or -1 with errno. */
int fd_write(int fd, const char *p, size_t n);
/* flock(2), again after a signal.  0, or -1 with errno. */
int fd_lock(int fd, int how);
/* Does nothing with a negative fd. */
void fd_close(int fd);

/* Puts a file with the text `b` in the place of `name`, a file of the spool's
 * own directory, whole or not at all; synced if `sync`.  The caller holds the
 * lock of that directory, so nobody else writes "NAME.new". */
int file_replace(struct spool *, const char *name, const struct buf *b,
    bool sync);
/* Whether there is anything of that name. */
bool file_exists(struct spool *, const char *path);

/* Makes the data of n files safe: with one sync of the file system if they are
 * many, else one by one.  `one` syncs the i-th; it returns a result. */
typedef int sync_one(void *arg, size_t i);
int sync_many(struct spool *, size_t n, sync_one *one, void *arg);

/* --- directories -------------------------------------------------------- */

/* Opens a directory; -1 with errno. */
int dir_open(struct spool *, int dir);
int dir_open_path(struct spool *, const char *path);
/* fsync of one. */
int dir_sync(struct spool *, int dir);
/* fsync of the one that a job is in; that of a parent may be gone. */
int dir_sync_of(struct spool *, enum job_state, const struct job_name *);
/* fsync of the directory `name`, below the directory `at`.  Some network and
 * FUSE file systems cannot sync a directory; that counts as done.  0, or -1
 * with errno. */
int dir_sync_at(int at, const char *name);
/* Makes a directory and syncs `parent`, which it is in.  0, or -1 with
 * errno. */
int dir_make(int at, const char *name, const char *parent);

/* Takes the lock of ids/: LOCK_SH for adding or removing entries, LOCK_EX to
 * be sure that nobody does, with LOCK_NB without waiting (SPOOL_BUSY). */
int ids_lock(struct spool *, int how);
void ids_unlock(struct spool *);

/* Begins to read the names in a directory that is open as `fd`, which
 * names_close() closes.  -1 with errno. */
int names_open(struct spool_names *, int fd);
/* The next name, good until the next call; NULL with errno, 0 at the end. */
const char *names_next(struct spool_names *);
void names_close(struct spool_names *);

/* --- time --------------------------------------------------------------- */

/* The spool looks at the clock only to bound its own waiting. */
int64_t monotonic_ms(void);
void sleep_ms(int ms);

#endif
