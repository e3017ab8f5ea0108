/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* What every program needs: sections, map declarations and the helpers in use. Helper numbers are part of the kernel's
 * stable interface (include/uapi/linux/bpf.h). */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#undef __always_inline /* linux/stddef.h leaves the choice to the compiler */
#define __always_inline inline __attribute__((always_inline))

#define SEC(name) __attribute__((section(name), used))

/* Members of an anonymous map structure; the loader reads their types from BTF. */
#define __uint(name, value) int (*name)[value]
#define __type(name, type) typeof(type) *name

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const bpf_map_update_elem)(void *map, const void *key, const void *value,
					 __u64 flags) = (void *)BPF_FUNC_map_update_elem;
