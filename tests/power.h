/*
 * power.h: power loss, modelled: the record of the calls of an operation, and
 * the disks that a power failure may leave of it.
 *
 * THE MODEL.  At every instant the power may fail, and the disk then shows
 * the effects of the calls so far, except that
 *
 *   - a change of a directory (mkdir, create, link, unlink, rename) is safe
 *     once every directory that it touched was fsynced, or the file system
 *     synced.  Until then it may or may not have happened, independently of
 *     all others and of their order.  A rename is one change;
 *   - data written to a file that was not fsynced (nor the file system synced)
 *     since may be there, be half there, be zeros, or be missing: the file then
 *     ends where the last sync left it.
 *
 * This is worse than any file system that we know: ext4, XFS and btrfs keep
 * the order of the changes of directories.
 *
 * It records what happens below bed.h's `dir`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POWER_EVENTS_MAX = 400, POWER_TOLD_MAX = 2000 };

/* What happens to data that was not synced. */
enum power_damage { WHOLE, MISSING, HALF, ZEROS, DAMAGES };

/* What was promised to the outside so far, as lines for holds(). */
extern char power_told[POWER_TOLD_MAX];
void power_tell(char what, const char *id);

/* --- the record: a list of events --- */

/* The number of an fsync or syncfs that is left out of the record, or 0. */
extern int power_skip_sync;
extern int power_syncs;          /* how many of these there were */
extern char power_skipped[200]; /* the path of the one that is left out */
extern size_t power_events;      /* how many events there are */

/* Starts a new record; fault.h is to tell power_record of each call. */
void power_begin(void);
void power_record(const char *call, int fd, const char *a, const char *b);
/* Frees the record. */
void power_forget(void);

/* Whether event i changes a directory. */
bool power_is_change(size_t i);
/* Whether event i is a sync. */
bool power_is_sync(size_t i);
/* Whether the change i is safe if the power fails before event `cut`. */
bool power_is_safe(size_t i, size_t cut);
/* How many bytes of power_told were there before event `cut`. */
size_t power_told_before(size_t cut);

/* --- the disk --- */

/* Replays the record up to event `cut`: all data, and of the changes of
 * directories those that happened[]. */
void power_replay_data(size_t cut);
void power_replay_names(size_t cut, const bool *happened);
/* A number of the disk that was replayed, with such damage, and of the `told`
 * bytes that were promised; two with the same number are the same. */
uint64_t power_disk_number(enum power_damage, size_t told);
/* Makes the directory `root` and that disk in it. */
void power_make_disk(const char *root, enum power_damage);

#endif
