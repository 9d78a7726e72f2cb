/*
 * waits.h: the operations of steps.h that are about waiting jobs and hooks.
 *
 * The parent is j0, and its children are k, m and n.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef WAITS_H
#define WAITS_H

void waits_setup_parent(void);   /* j0 pending, the first of its spool */
void waits_setup_two(void);      /* j0 completed, j1 pending */
void waits_setup_child(void);    /* j0 pending, k waits for it */
void waits_setup_family(void);   /* j0 claimed; k waits for it and j1, m for
                                  * any end of it, n for it */
void waits_setup_stranded(void); /* the same, and a crash behind j0's rename to
                                  * done/ */
void waits_setup_held(void);     /* j0 pending, k held, which waits for it */
void waits_setup_dead(void);     /* k dead; its parent j0 works again */
void waits_setup_hook(void);     /* on-done and on-dead are set; j0 pending */
void waits_setup_hook_claim(void); /* …and claimed */

int waits_child(void);
int waits_child_of_two(void);
int waits_held_child(void);
int waits_hold(void);
int waits_hold_parent(void);
int waits_let_go(void);
int waits_sweep(void);
int waits_retry(void);
int waits_purge(void);

#endif
