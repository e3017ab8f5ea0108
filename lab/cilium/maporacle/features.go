// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/cilium/cilium/pkg/byteorder"
	lbmaps "github.com/cilium/cilium/pkg/loadbalancer/maps"
	"github.com/cilium/cilium/pkg/maps/act"
	"github.com/cilium/cilium/pkg/maps/authmap"
	"github.com/cilium/cilium/pkg/maps/bwmap"
	"github.com/cilium/cilium/pkg/maps/egressmap"
	"github.com/cilium/cilium/pkg/maps/encrypt"
	"github.com/cilium/cilium/pkg/maps/fragmap"
	"github.com/cilium/cilium/pkg/maps/ipmasq"
	"github.com/cilium/cilium/pkg/maps/l2respondermap"
	"github.com/cilium/cilium/pkg/maps/l2v6respondermap"
	"github.com/cilium/cilium/pkg/maps/metricsmap"
	"github.com/cilium/cilium/pkg/maps/multicast"
	"github.com/cilium/cilium/pkg/maps/nat"
	"github.com/cilium/cilium/pkg/maps/policymap"
	"github.com/cilium/cilium/pkg/maps/ratelimitmap"
	"github.com/cilium/cilium/pkg/maps/srv6map"
	"github.com/cilium/cilium/pkg/maps/vtep"
)

// features are the maps that only some feature of Cilium brings. Tries and maps per CPU are plain tables here: only the bytes of
// an entry count.
func features() []table {
	return []table{
		{"cilium_skip_lb4", ebpf.Hash, 0, skip4},
		{"cilium_skip_lb6", ebpf.Hash, 0, skip6},
		{"cilium_lb4_maglev", ebpf.Hash, 0, maglev},
		{"cilium_lb_act", ebpf.Hash, 0, activeConnections},
		{"cilium_lb_fct", ebpf.Hash, 0, failedConnections},
		{"cilium_policystats", ebpf.Hash, 0, policyStats},
		{"cilium_auth_map", ebpf.Hash, 0, authentication},
		{"cilium_egress_gw_policy_v4", ebpf.Hash, 0, egress4},
		{"cilium_egress_gw_policy_v6", ebpf.Hash, 0, egress6},
		{"cilium_throttle", ebpf.Hash, 0, throttle},
		{"cilium_metrics", ebpf.Hash, 0, metrics},
		{"cilium_ipmasq_v4", ebpf.Hash, 0, ipMasq4},
		{"cilium_ipmasq_v6", ebpf.Hash, 0, ipMasq6},
		{"cilium_ipv4_frag_datagrams", ebpf.Hash, 0, fragment4},
		{"cilium_ipv6_frag_datagrams", ebpf.Hash, 0, fragment6},
		{"cilium_l2_responder_v4", ebpf.Hash, 0, announced4},
		{"cilium_l2_responder_v6", ebpf.Hash, 0, announced6},
		{"cilium_encrypt_state", ebpf.Hash, 0, encryption},
		{"cilium_ratelimit", ebpf.Hash, 0, bucket},
		{"cilium_ratelimit_metrics", ebpf.Hash, 0, limited},
		{"cilium_srv6_vrf_v4", ebpf.Hash, 0, vrf4},
		{"cilium_srv6_vrf_v6", ebpf.Hash, 0, vrf6},
		{"cilium_srv6_policy_v4", ebpf.Hash, 0, segment4},
		{"cilium_srv6_policy_v6", ebpf.Hash, 0, segment6},
		{"cilium_srv6_sid", ebpf.Hash, 0, sid},
		{"cilium_mcast_subscriber_v4_inner", ebpf.Hash, 0, subscriber},
		{"cilium_vtep_map", ebpf.Hash, 0, tunnelEndpoint},
		{"cilium_snat_v4_alloc_retries", ebpf.Hash, 0, retries},
	}
}

func skip4(r *rand.Rand) entry {
	cookie, a, port := r.Uint64(), ip4(r), u16(r)
	return entry{lbmaps.NewSkipLB4Key(cookie, a.IP(), port), &lbmaps.SkipLB4Value{}, map[string]any{
		"netnsCookie": wide(cookie), "address": a.String(), "port": port,
	}}
}

func skip6(r *rand.Rand) entry {
	cookie, a, port := r.Uint64(), ip6(r), u16(r)
	return entry{lbmaps.NewSkipLB6Key(cookie, a.IP(), port), &lbmaps.SkipLB6Value{}, map[string]any{
		"netnsCookie": wide(cookie), "address": a.String(), "port": port,
	}}
}

func maglev(r *rand.Rand) entry {
	revNat, table := u16(r), r.Uint32()
	k := &lbmaps.MaglevOuterKey{RevNatID: byteorder.HostToNetwork16(revNat)}
	return entry{k, &lbmaps.MaglevOuterVal{FD: table}, map[string]any{"revNat": revNat, "table": table}}
}

func tracked(r *rand.Rand) (*act.ActiveConnectionTrackerKey, map[string]any) {
	revNat, zone := u16(r), u8(r)
	k := &act.ActiveConnectionTrackerKey{SvcID: byteorder.HostToNetwork16(revNat), Zone: zone}
	return k, map[string]any{"revNat": revNat, "zone": zone}
}

func activeConnections(r *rand.Rand) entry {
	k, expect := tracked(r)
	v := &act.ActiveConnectionTrackerValue{Opened: r.Uint32(), Closed: r.Uint32()}
	expect["opened"], expect["closed"] = v.Opened, v.Closed
	return entry{k, v, expect}
}

func failedConnections(r *rand.Rand) entry {
	k, expect := tracked(r)
	v := &act.FailedConnectionTrackerValue{Failed: r.Uint32()}
	expect["failed"] = v.Failed
	return entry{k, v, expect}
}

func policyStats(r *rand.Rand) entry {
	port := u16(r)
	k := &policymap.StatsKey{
		EpID: u16(r), PrefixLen: u8(r) % 25, Identity: r.Uint32(), TrafficDirection: u8(r) & 1, Nexthdr: u8(r),
		DestPortNetwork: byteorder.HostToNetwork16(port),
	}
	v := &policymap.StatsValue{Packets: r.Uint64(), Bytes: r.Uint64()}
	return entry{k, v, map[string]any{
		"endpoint": k.EpID, "lpmPrefixLength": k.PrefixLen, "identity": k.Identity, "direction": k.TrafficDirection,
		"protocol": k.Nexthdr, "port": port, "packets": wide(v.Packets), "bytes": wide(v.Bytes),
	}}
}

func authentication(r *rand.Rand) entry {
	k := &authmap.AuthKey{LocalIdentity: r.Uint32(), RemoteIdentity: r.Uint32(), RemoteNodeID: u16(r), AuthType: u8(r)}
	v := &authmap.AuthInfo{}
	expiration := r.Uint64()
	*(*uint64)(unsafe.Pointer(v)) = expiration
	return entry{k, v, map[string]any{
		"localIdentity": k.LocalIdentity, "remoteIdentity": k.RemoteIdentity, "remoteNode": k.RemoteNodeID, "authType": k.AuthType,
		"expiration": wide(expiration),
	}}
}

func egress4(r *rand.Rand) entry {
	k := &egressmap.EgressPolicyKey4{PrefixLen: 32 + uint32(r.IntN(33)), SourceIP: ip4(r), DestCIDR: ip4(r)}
	v := &egressmap.EgressPolicyVal4{EgressIP: ip4(r), GatewayIP: ip4(r)}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "source": k.SourceIP.String(), "destination": k.DestCIDR.String(),
		"egressAddress": v.EgressIP.String(), "gateway": v.GatewayIP.String(),
	}}
}

func egress6(r *rand.Rand) entry {
	k := &egressmap.EgressPolicyKey6{PrefixLen: 128 + uint32(r.IntN(129)), SourceIP: ip6(r), DestCIDR: ip6(r)}
	v := &egressmap.EgressPolicyVal6{EgressIP: ip6(r), GatewayIP: ip4(r), EgressIfindex: r.Uint32()}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "source": k.SourceIP.String(), "destination": k.DestCIDR.String(),
		"egressAddress": v.EgressIP.String(), "gateway": v.GatewayIP.String(), "egressIfindex": v.EgressIfindex,
	}}
}

func throttle(r *rand.Rand) entry {
	k := &bwmap.EdtId{Id: r.Uint32(), Direction: u8(r) & 1}
	v := &bwmap.EdtInfo{Bps: r.Uint64(), TimeLast: r.Uint64(), TimeHorizonDropOrTokens: r.Uint64(), Prio: r.Uint32()}
	return entry{k, v, map[string]any{
		"endpoint": k.Id, "direction": k.Direction, "bytesPerSecond": wide(v.Bps), "lastSent": wide(v.TimeLast),
		"horizonOrTokens": wide(v.TimeHorizonDropOrTokens), "priority": v.Prio,
	}}
}

func metrics(r *rand.Rand) entry {
	k := &metricsmap.Key{Reason: u8(r), Dir: u8(r) & 3, Line: u16(r), File: u8(r)}
	v := &metricsmap.Value{Count: r.Uint64(), Bytes: r.Uint64()}
	return entry{k, v, map[string]any{
		"reason": k.Reason, "direction": k.Dir, "line": k.Line, "file": k.File, "count": wide(v.Count), "bytes": wide(v.Bytes),
	}}
}

func ipMasq4(r *rand.Rand) entry {
	k := &ipmasq.Key4{PrefixLen: uint32(r.IntN(33)), Address: ip4(r)}
	return entry{k, &ipmasq.Value{}, map[string]any{"prefixLength": k.PrefixLen, "network": k.Address.String()}}
}

func ipMasq6(r *rand.Rand) entry {
	k := &ipmasq.Key6{PrefixLen: uint32(r.IntN(129)), Address: ip6(r)}
	return entry{k, &ipmasq.Value{}, map[string]any{"prefixLength": k.PrefixLen, "network": k.Address.String()}}
}

// The programs write fragments, in network order.
func fragment4(r *rand.Rand) entry {
	id, sport, dport := u16(r), u16(r), u16(r)
	k := &fragmap.FragmentKey4{DestAddr: ip4(r), SourceAddr: ip4(r), ID: byteorder.HostToNetwork16(id), Proto: u8(r)}
	v := &fragmap.FragmentValue4{SourcePort: byteorder.HostToNetwork16(sport), DestPort: byteorder.HostToNetwork16(dport)}
	return entry{k, v, map[string]any{
		"destination": k.DestAddr.String(), "source": k.SourceAddr.String(), "id": id, "protocol": k.Proto, "sport": sport, "dport": dport,
	}}
}

func fragment6(r *rand.Rand) entry {
	id, sport, dport := r.Uint32(), u16(r), u16(r)
	k := &fragmap.FragmentKey6{ID: byteorder.HostToNetwork32(id), Proto: u8(r), SourceAddr: ip6(r), DestAddr: ip6(r)}
	v := &fragmap.FragmentValue6{SourcePort: byteorder.HostToNetwork16(sport), DestPort: byteorder.HostToNetwork16(dport)}
	return entry{k, v, map[string]any{
		"destination": k.DestAddr.String(), "source": k.SourceAddr.String(), "id": id, "protocol": k.Proto, "sport": sport, "dport": dport,
	}}
}

func announced4(r *rand.Rand) entry {
	k, v := &l2respondermap.L2ResponderKey{IP: ip4(r), IfIndex: r.Uint32()}, &l2respondermap.L2ResponderStats{ResponsesSent: r.Uint64()}
	return entry{k, v, map[string]any{"address": k.IP.String(), "ifindex": k.IfIndex, "answers": wide(v.ResponsesSent)}}
}

func announced6(r *rand.Rand) entry {
	k, v := &l2v6respondermap.L2V6ResponderKey{IP: ip6(r), IfIndex: r.Uint32()}, &l2respondermap.L2ResponderStats{ResponsesSent: r.Uint64()}
	return entry{k, v, map[string]any{"address": k.IP.String(), "ifindex": k.IfIndex, "answers": wide(v.ResponsesSent)}}
}

func encryption(r *rand.Rand) entry {
	k, v := &encrypt.EncryptKey{Key: r.Uint32()}, &encrypt.EncryptValue{KeyID: u8(r)}
	return entry{k, v, map[string]any{"zero": k.Key, "encryptKey": v.KeyID}}
}

func bucket(r *rand.Rand) entry {
	k := &ratelimitmap.Key{Usage: ratelimitmap.ICMPV6, Key: r.Uint32()}
	v := &ratelimitmap.Value{LastTopup: r.Uint64(), Tokens: r.Uint64()}
	return entry{k, v, map[string]any{
		"usage": uint32(k.Usage), "device": k.Key, "lastTopUp": wide(v.LastTopup), "tokens": wide(v.Tokens),
	}}
}

func limited(r *rand.Rand) entry {
	k, v := &ratelimitmap.MetricsKey{}, &ratelimitmap.MetricsValue{Dropped: r.Uint64()}
	usage := r.Uint32()
	*(*uint32)(unsafe.Pointer(k)) = usage
	return entry{k, v, map[string]any{"usage": usage, "dropped": wide(v.Dropped)}}
}

func vrf4(r *rand.Rand) entry {
	k, v := &srv6map.VRFKey4{PrefixLen: 32, SourceIP: ip4(r), DestCIDR: ip4(r)}, &srv6map.VRFValue{ID: r.Uint32()}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "source": k.SourceIP.String(), "destination": k.DestCIDR.String(), "vrf": v.ID,
	}}
}

func vrf6(r *rand.Rand) entry {
	k, v := &srv6map.VRFKey6{PrefixLen: 128, SourceIP: ip6(r), DestCIDR: ip6(r)}, &srv6map.VRFValue{ID: r.Uint32()}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "source": k.SourceIP.String(), "destination": k.DestCIDR.String(), "vrf": v.ID,
	}}
}

func segment4(r *rand.Rand) entry {
	k, v := &srv6map.PolicyKey4{PrefixLen: 32, VRFID: r.Uint32(), DestCIDR: ip4(r)}, &srv6map.PolicyValue{SID: ip6(r)}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "vrf": k.VRFID, "destination": k.DestCIDR.String(), "segment": v.SID.String(),
	}}
}

func segment6(r *rand.Rand) entry {
	k, v := &srv6map.PolicyKey6{PrefixLen: 32, VRFID: r.Uint32(), DestCIDR: ip6(r)}, &srv6map.PolicyValue{SID: ip6(r)}
	return entry{k, v, map[string]any{
		"prefixLength": k.PrefixLen, "vrf": k.VRFID, "destination": k.DestCIDR.String(), "segment": v.SID.String(),
	}}
}

func sid(r *rand.Rand) entry {
	k, v := &srv6map.SIDKey{SID: ip6(r)}, &srv6map.SIDValue{VRFID: r.Uint32()}
	return entry{k, v, map[string]any{"segment": k.SID.String(), "vrf": v.VRFID}}
}

func subscriber(r *rand.Rand) entry {
	a, source := ip4(r), ip4(r)
	k := &multicast.SubscriberV4Key{SAddr: a}
	v := &multicast.SubscriberV4Val{SourceAddr: source, Ifindex: r.Uint32(), Flags: u8(r)}
	return entry{k, v, map[string]any{
		"subscriber": a.String(), "source": source.String(), "ifindex": v.Ifindex, "flags": v.Flags,
	}}
}

func tunnelEndpoint(r *rand.Rand) entry {
	k := &vtep.Key{IP: ip4(r)}
	var hardware [8]byte
	for i := range 6 {
		hardware[i] = u8(r)
	}
	v := &vtep.VtepEndpointInfo{VtepMAC: macOf(hardware), TunnelEndpoint: ip4(r)}
	return entry{k, v, map[string]any{
		"network": k.IP.String(), "mac": macText(hardware), "tunnel": v.TunnelEndpoint.String(),
	}}
}

func retries(r *rand.Rand) entry {
	k, v := &nat.RetriesKey{Key: r.Uint32()}, &nat.RetriesValue{Value: r.Uint32()}
	return entry{k, v, map[string]any{"tries": k.Key, "times": v.Value}}
}
