/*
 * places.h: the operations of steps.h that are about the spool itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PLACES_H
#define PLACES_H

int places_config(void);
int places_pool(void);
int places_create(void);
int places_resolve(void);
int places_drained(void);
int places_slots(void);

#endif
