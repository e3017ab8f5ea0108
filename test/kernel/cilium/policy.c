// SPDX-License-Identifier: Apache-2.0

/*
 * Asks a release of Cilium what its policy maps decide: the packet carries the question behind its Ethernet header, the release's own
 * __policy_can_access answers, and the answer takes the question's place.
 */
#include "release.h"
#include "names.h"
#include <lib/common.h>
#include <lib/policy.h>

struct question {
	__u32 identity;
	__u16 ethertype;
	__be16 port;
	__u8 protocol;
	__u8 egress;
	__u8 pad[2];
};

struct answer {
	__s32 verdict;
	__u32 mark;
	__u16 proxy_port;
	__u8 match;
	__s8 authentication;
};

#define QUESTION 14
#define TRANSPORT (QUESTION + sizeof(struct question))

__section("tc")
int plumbline_ask(struct __ctx_buff *ctx)
{
	struct question asked = {};
	struct answer answer = {};
	__u32 cookie = 0;

	if (ctx_load_bytes(ctx, QUESTION, &asked, sizeof(asked)) < 0)
		return -1;
	answer.verdict = __policy_can_access(&PLUMBLINE_POLICY_MAP, ctx, 0, asked.identity, asked.ethertype, asked.port,
					     asked.protocol, TRANSPORT, asked.egress ? CT_EGRESS : CT_INGRESS, false,
					     &answer.match, &answer.authentication, &answer.proxy_port
#ifdef PLUMBLINE_COOKIES
					     , &cookie
#endif
					     );
	answer.mark = cookie;
#ifndef PLUMBLINE_COOKIES
	/* Which entry it was: Cilium says whether one with an identity, and its value has bytes to spare for a mark. */
	struct policy_key key = {
		.lpm_key = { POLICY_FULL_PREFIX, {} },
		.sec_label = asked.identity,
		.egress = asked.egress != 0,
		.protocol = asked.protocol,
		.dport = asked.port,
	};
	__u8 type = 0;

	if (asked.protocol == IPPROTO_ICMP || asked.protocol == IPPROTO_ICMPV6) {
		if (ctx_load_bytes(ctx, TRANSPORT, &type, sizeof(type)) < 0)
			return -1;
		key.dport = bpf_u8_to_be16(type);
	}
	if (answer.match == POLICY_MATCH_L4_ONLY || answer.match == POLICY_MATCH_PROTO_ONLY || answer.match == POLICY_MATCH_ALL)
		key.sec_label = 0;
	struct policy_entry *entry = map_lookup_elem(&PLUMBLINE_POLICY_MAP, &key);

	if (entry && answer.match != POLICY_MATCH_NONE)
		answer.mark = entry->pad2;
#endif
	if (ctx_store_bytes(ctx, QUESTION, &answer, sizeof(answer), 0) < 0)
		return -1;
	return 0;
}

BPF_LICENSE("Dual BSD/GPL");
