// SPDX-License-Identifier: Apache-2.0

/*
 * Every map that a release of Cilium declares in its headers, compiled for its BTF alone: each `cilium_…` variable names the types of
 * the map's keys and values. No program is among them. Which headers there are differs between releases.
 */
#include "release.h"
#if __has_include(<bpf/config/endpoint.h>)
#include <bpf/config/endpoint.h>
#endif
#if __has_include(<bpf/config/host.h>)
#include <bpf/config/host.h>
#endif
#include "names.h"

#if __has_include(<lib/auth.h>)
#include <lib/auth.h>
#endif
#if __has_include(<lib/tailcall.h>)
#include <lib/tailcall.h>
#endif
#if __has_include(<lib/common.h>)
#include <lib/common.h>
#endif
#if __has_include(<lib/config.h>)
#include <lib/config.h>
#endif
#if __has_include(<lib/maps.h>)
#include <lib/maps.h>
#endif
/* lb.h of 1.16.0 does not compile with it. */
#define ENABLE_ACTIVE_CONNECTION_TRACKING 1
#if __has_include(<lib/act.h>)
#include <lib/act.h>
#endif
#undef ENABLE_ACTIVE_CONNECTION_TRACKING
#if __has_include(<lib/arp.h>)
#include <lib/arp.h>
#endif
#if __has_include(<lib/classifiers.h>)
#include <lib/classifiers.h>
#endif
#if __has_include(<lib/clustermesh.h>)
#include <lib/clustermesh.h>
#endif
#if __has_include(<lib/config_map.h>)
#include <lib/config_map.h>
#endif
#if __has_include(<lib/conntrack.h>)
#include <lib/conntrack.h>
#endif
#if __has_include(<lib/conntrack_map.h>)
#include <lib/conntrack_map.h>
#endif
#if __has_include(<lib/edt.h>)
#include <lib/edt.h>
#endif
#if __has_include(<lib/egress_gateway.h>)
#include <lib/egress_gateway.h>
#endif
#if __has_include(<lib/encap.h>)
#include <lib/encap.h>
#endif
#if __has_include(<lib/encrypt.h>)
#include <lib/encrypt.h>
#endif
#if __has_include(<lib/ipsec.h>)
#include <lib/ipsec.h>
#endif
#if __has_include(<lib/eps.h>)
#include <lib/eps.h>
#endif
#if __has_include(<lib/events.h>)
#include <lib/events.h>
#endif
#if __has_include(<lib/identity.h>)
#include <lib/identity.h>
#endif
#if __has_include(<lib/ipfrag.h>)
#include <lib/ipfrag.h>
#endif
#if __has_include(<lib/ipv4.h>)
#include <lib/ipv4.h>
#endif
#if __has_include(<lib/ipv6.h>)
#include <lib/ipv6.h>
#endif
#if __has_include(<lib/l2_responder.h>)
#include <lib/l2_responder.h>
#endif
#if __has_include(<lib/l3.h>)
#include <lib/l3.h>
#endif
#if __has_include(<lib/l4.h>)
#include <lib/l4.h>
#endif
#if __has_include(<lib/lb.h>)
#include <lib/lb.h>
#endif
#if __has_include(<lib/local_delivery.h>)
#include <lib/local_delivery.h>
#endif
#if __has_include(<lib/lrp.h>)
#include <lib/lrp.h>
#endif
#if __has_include(<lib/lxc.h>)
#include <lib/lxc.h>
#endif
#if __has_include(<lib/mcast.h>)
#include <lib/mcast.h>
#endif
#if __has_include(<lib/metrics.h>)
#include <lib/metrics.h>
#endif
#if __has_include(<lib/nat.h>)
#include <lib/nat.h>
#endif
#if __has_include(<lib/neigh.h>)
#include <lib/neigh.h>
#endif
#if __has_include(<lib/network_device.h>)
#include <lib/network_device.h>
#endif
#if __has_include(<lib/node.h>)
#include <lib/node.h>
#endif
#if __has_include(<lib/nodeport.h>)
#include <lib/nodeport.h>
#endif
#if __has_include(<lib/policy.h>)
#include <lib/policy.h>
#endif
#if __has_include(<lib/policy_log.h>)
#include <lib/policy_log.h>
#endif
#if __has_include(<lib/proxy.h>)
#include <lib/proxy.h>
#endif
#if __has_include(<lib/ratelimit.h>)
#include <lib/ratelimit.h>
#endif
#if __has_include(<lib/signal.h>)
#include <lib/signal.h>
#endif
#if __has_include(<lib/sock.h>)
#include <lib/sock.h>
#endif
#if __has_include(<lib/sock_term.h>)
#include <lib/sock_term.h>
#endif
#if __has_include(<lib/srv6.h>)
#include <lib/srv6.h>
#endif
#if __has_include(<lib/subnet.h>)
#include <lib/subnet.h>
#endif
#if __has_include(<lib/trace.h>)
#include <lib/trace.h>
#endif
#if __has_include(<lib/trace_helpers.h>)
#include <lib/trace_helpers.h>
#endif
#if __has_include(<lib/tunnel.h>)
#include <lib/tunnel.h>
#endif
#if __has_include(<lib/vtep.h>)
#include <lib/vtep.h>
#endif
#if __has_include(<lib/host_firewall.h>)
#include <lib/host_firewall.h>
#endif
#if __has_include(<lib/wireguard.h>)
#include <lib/wireguard.h>
#endif
