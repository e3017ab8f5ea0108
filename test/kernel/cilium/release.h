/* SPDX-License-Identifier: Apache-2.0 */

/* What comes before a release's own headers, as its programs for endpoints have it. Which of these there are differs by release. */
#define IS_BPF_LXC 1
#define __NR_CPUS__ 2

#include <bpf/ctx/skb.h>
#include <bpf/api.h>
#include <linux/in.h>
#include <linux/icmpv6.h>
#if __has_include(<ep_config.h>)
#include <ep_config.h>
#endif
#if __has_include(<node_config.h>)
#include <node_config.h>
#endif
#if __has_include(<bpf/config/node.h>)
#include <bpf/config/node.h>
#endif
#if __has_include(<bpf/config/global.h>)
#include <bpf/config/global.h>
#endif
#if __has_include(<bpf/config/lxc.h>)
#include <bpf/config/lxc.h>
#endif
