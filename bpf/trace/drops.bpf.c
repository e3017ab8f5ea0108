//go:build ignore
// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

/* Counts the packets that the kernel frees because it gave up on them, by network namespace and reason. */

#include "../include/bpf.h"
#include "../include/kernel.h"

struct drop_key {
	__u32 netns;  /* inode number of the network namespace; 0 when the packet belonged to none any more */
	__u32 reason; /* enum skb_drop_reason of the running kernel */
};

/* Only this namespace is counted; 0 counts all. Set before loading. */
const volatile __u32 only_netns = 0;

/* Drops that found the table full. */
__u64 uncounted = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct drop_key);
	__type(value, __u64);
} drops SEC(".maps");

/* A packet in a socket's queue has lost its device, one on its way in has no socket yet. */
static __always_inline __u32 netns_of(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	if (dev)
		return dev->nd_net.net->ns.inum;

	struct sock *sk = skb->sk;
	if (sk)
		return sk->__sk_common.skc_net.net->ns.inum;

	return 0;
}

/* TP_PROTO(struct sk_buff *skb, void *location, enum skb_drop_reason reason, ...), include/trace/events/skb.h */
SEC("tp_btf/kfree_skb")
int count_drop(__u64 *ctx)
{
	struct drop_key key = {.netns = netns_of((struct sk_buff *)ctx[0]), .reason = (__u32)ctx[2]};
	if (only_netns && key.netns != only_netns)
		return 0;

	__u64 *count = bpf_map_lookup_elem(&drops, &key);
	if (count) {
		(*count)++;
		return 0;
	}

	__u64 first = 1;
	if (bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST) == 0)
		return 0;

	/* Another CPU created the key between the two calls, or the table is full. */
	count = bpf_map_lookup_elem(&drops, &key);
	if (count)
		(*count)++;
	else
		__sync_fetch_and_add(&uncounted, 1);
	return 0;
}

char __license[] SEC("license") = "Dual BSD/GPL";
