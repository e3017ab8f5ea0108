// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/cilium/cilium/pkg/bpf"
	"github.com/cilium/cilium/pkg/byteorder"
	lb "github.com/cilium/cilium/pkg/loadbalancer"
	lbmaps "github.com/cilium/cilium/pkg/loadbalancer/maps"
	"github.com/cilium/cilium/pkg/maps/ctmap"
	"github.com/cilium/cilium/pkg/maps/ipcache"
	"github.com/cilium/cilium/pkg/maps/lxcmap"
	"github.com/cilium/cilium/pkg/maps/nodemap"
	"github.com/cilium/cilium/pkg/maps/policymap"
	"github.com/cilium/cilium/pkg/types"
	"github.com/cilium/cilium/pkg/u8proto"
)

func tables() []table {
	lpm := uint32(unix.BPF_F_NO_PREALLOC)
	return []table{
		{"cilium_lb4_services_v2", ebpf.Hash, 0, service4},
		{"cilium_lb6_services_v2", ebpf.Hash, 0, service6},
		{"cilium_lb4_backends_v3", ebpf.Hash, 0, backend4},
		{"cilium_lb6_backends_v3", ebpf.Hash, 0, backend6},
		{"cilium_lb4_reverse_nat", ebpf.Hash, 0, reverseNat4},
		{"cilium_lb6_reverse_nat", ebpf.Hash, 0, reverseNat6},
		{"cilium_lb4_reverse_sk", ebpf.LRUHash, 0, socket4},
		{"cilium_lb6_reverse_sk", ebpf.LRUHash, 0, socket6},
		{"cilium_lb4_affinity", ebpf.LRUHash, 0, affinity4},
		{"cilium_lb6_affinity", ebpf.LRUHash, 0, affinity6},
		{"cilium_lb_affinity_match", ebpf.Hash, 0, affinityMatch},
		{"cilium_lb4_source_range", ebpf.LPMTrie, lpm, sourceRange4},
		{"cilium_lb6_source_range", ebpf.LPMTrie, lpm, sourceRange6},
		{"cilium_ipcache_v2", ebpf.LPMTrie, lpm, ipcacheV2},
		{"cilium_ipcache", ebpf.LPMTrie, lpm, ipcacheV1},
		{"cilium_lxc", ebpf.Hash, 0, endpoint},
		{"cilium_node_map_v2", ebpf.Hash, 0, node},
		{"cilium_policy_v2_00042", ebpf.LPMTrie, lpm, policy},
		{"cilium_ct4_global", ebpf.LRUHash, 0, connection4},
		{"cilium_ct_any4_global", ebpf.LRUHash, 0, connection4},
		{"cilium_ct6_global", ebpf.LRUHash, 0, connection6},
		{"cilium_ct_any6_global", ebpf.LRUHash, 0, connection6},
		{"cilium_snat_v4_external", ebpf.LRUHash, 0, nat4},
		{"cilium_snat_v6_external", ebpf.LRUHash, 0, nat6},
	}
}

func ip4(r *rand.Rand) (a types.IPv4) {
	for i := range a {
		a[i] = byte(r.Uint32())
	}
	return a
}

func ip6(r *rand.Rand) (a types.IPv6) {
	for i := range a {
		a[i] = byte(r.Uint32())
	}
	// Keeps clear of ::ffff:0:0/96, which prints as IPv4.
	a[0] = 0xfd
	return a
}

// either is an address of a random family in Cilium's 16 bytes.
func either(r *rand.Rand) (raw types.IPv6, family uint8, text string) {
	if r.IntN(2) == 0 {
		a := ip4(r)
		copy(raw[:], a[:])
		return raw, bpf.EndpointKeyIPv4, a.String()
	}
	a := ip6(r)
	return a, bpf.EndpointKeyIPv6, a.String()
}

func u16(r *rand.Rand) uint16 { return uint16(r.Uint32()) }
func u8(r *rand.Rand) uint8   { return uint8(r.Uint32()) }

// wide numbers cross JSON as text.
func wide(n uint64) string { return fmt.Sprint(n) }

func serviceFields(address string, port, slot uint16, proto, scope uint8, v *lbmaps.Service4Value) map[string]any {
	return map[string]any{
		"address": address, "port": port, "slot": slot, "protocol": proto, "scope": scope,
		"backend": v.BackendID, "count": v.Count, "revNat": v.RevNat, "flags": v.GetFlags(), "quarantined": v.QCount,
	}
}

func serviceValue(r *rand.Rand) *lbmaps.Service4Value {
	v := &lbmaps.Service4Value{BackendID: r.Uint32(), Count: u16(r), RevNat: u16(r), QCount: u16(r)}
	v.SetFlags(u16(r))
	return v
}

func service4(r *rand.Rand) entry {
	a, v := ip4(r), serviceValue(r)
	k := lbmaps.NewService4Key(a.IP(), u16(r), u8proto.U8proto(u8(r)), u8(r)&1, u16(r))
	return entry{k.ToNetwork(), v.ToNetwork(), serviceFields(a.String(), k.Port, k.BackendSlot, k.Proto, k.Scope, v)}
}

func service6(r *rand.Rand) entry {
	a, v := ip6(r), serviceValue(r)
	k := lbmaps.NewService6Key(a.IP(), u16(r), u8proto.U8proto(u8(r)), u8(r)&1, u16(r))
	v6 := &lbmaps.Service6Value{BackendID: v.BackendID, Count: v.Count, RevNat: v.RevNat, Flags: v.Flags, Flags2: v.Flags2, QCount: v.QCount}
	return entry{k.ToNetwork(), v6.ToNetwork(), serviceFields(a.String(), k.Port, k.BackendSlot, k.Proto, k.Scope, v)}
}

func backendFields(id uint32, address string, v lbmaps.BackendValue, cluster uint16) map[string]any {
	return map[string]any{
		"id": id, "address": address, "port": v.GetPort(), "protocol": v.GetProtocol(), "state": v.GetFlags(),
		"cluster": cluster, "zone": v.GetZone(),
	}
}

func backend4(r *rand.Rand) entry {
	id, a, cluster := r.Uint32(), ip4(r), u16(r)
	v := &lbmaps.Backend4ValueV3{Address: a, Port: u16(r), Proto: u8proto.U8proto(u8(r)), Flags: u8(r) & 3, ClusterID: cluster, Zone: u8(r)}
	return entry{lbmaps.NewBackend4KeyV3(lb.BackendID(id)), v.ToNetwork(), backendFields(id, a.String(), v, cluster)}
}

func backend6(r *rand.Rand) entry {
	id, a, cluster := r.Uint32(), ip6(r), u16(r)
	v := &lbmaps.Backend6ValueV3{Address: a, Port: u16(r), Proto: u8proto.U8proto(u8(r)), Flags: u8(r) & 3, ClusterID: cluster, Zone: u8(r)}
	return entry{lbmaps.NewBackend6KeyV3(lb.BackendID(id)), v.ToNetwork(), backendFields(id, a.String(), v, cluster)}
}

func reverseNat4(r *rand.Rand) entry {
	k, v := lbmaps.NewRevNat4Key(lb.ServiceID(u16(r))), &lbmaps.RevNat4Value{Address: ip4(r), Port: u16(r)}
	return entry{k.ToNetwork(), v.ToNetwork(), map[string]any{"revNat": k.Key, "address": v.Address.String(), "port": v.Port}}
}

func reverseNat6(r *rand.Rand) entry {
	k, v := lbmaps.NewRevNat6Key(u16(r)), &lbmaps.RevNat6Value{Address: ip6(r), Port: u16(r)}
	return entry{k.ToNetwork(), v.ToNetwork(), map[string]any{"revNat": k.Key, "address": v.Address.String(), "port": v.Port}}
}

// socketFields: the kernel writes these maps, and Cilium's Go types hold ports as they lie in the map.
func socketFields(cookie uint64, address string, port uint16, frontend string, frontendPort, revNat uint16) map[string]any {
	return map[string]any{
		"cookie": wide(cookie), "address": address, "port": port,
		"frontend": frontend, "frontendPort": frontendPort, "revNat": revNat,
	}
}

func socket4(r *rand.Rand) entry {
	cookie, a, port, frontendPort, revNat := r.Uint64(), ip4(r), u16(r), u16(r), u16(r)
	k := lbmaps.NewSockRevNat4Key(cookie, a.IP(), port)
	v := &lbmaps.SockRevNat4Value{Address: ip4(r), Port: int16(byteorder.HostToNetwork16(frontendPort)), RevNatIndex: byteorder.HostToNetwork16(revNat)}
	return entry{k, v, socketFields(cookie, a.String(), port, v.Address.String(), frontendPort, revNat)}
}

func socket6(r *rand.Rand) entry {
	cookie, a, port, frontendPort, revNat := r.Uint64(), ip6(r), u16(r), u16(r), u16(r)
	k := lbmaps.NewSockRevNat6Key(cookie, a.IP(), port)
	v := &lbmaps.SockRevNat6Value{Address: ip6(r), Port: int16(byteorder.HostToNetwork16(frontendPort)), RevNatIndex: byteorder.HostToNetwork16(revNat)}
	return entry{k, v, socketFields(cookie, a.String(), port, v.Address.String(), frontendPort, revNat)}
}

func affinityValue(r *rand.Rand) *lbmaps.AffinityValue {
	return &lbmaps.AffinityValue{LastUsed: r.Uint64(), BackendID: r.Uint32()}
}

func affinity4(r *rand.Rand) entry {
	revNat, cookie, v := u16(r), r.Uint64(), affinityValue(r)
	k := &lbmaps.Affinity4Key{ClientID: cookie, RevNATID: byteorder.HostToNetwork16(revNat), NetNSCookie: 1}
	return entry{k, v, map[string]any{
		"clientCookie": wide(cookie), "revNat": revNat, "byCookie": 1, "lastUsed": wide(v.LastUsed), "backend": v.BackendID,
	}}
}

func affinity6(r *rand.Rand) entry {
	revNat, client, v := u16(r), ip6(r), affinityValue(r)
	k := &lbmaps.Affinity6Key{ClientID: client, RevNATID: byteorder.HostToNetwork16(revNat)}
	return entry{k, v, map[string]any{
		"client": client.String(), "revNat": revNat, "byCookie": 0, "lastUsed": wide(v.LastUsed), "backend": v.BackendID,
	}}
}

func affinityMatch(r *rand.Rand) entry {
	k := &lbmaps.AffinityMatchKey{BackendID: lb.BackendID(r.Uint32()), RevNATID: u16(r)}
	return entry{k.ToNetwork(), &lbmaps.AffinityMatchValue{}, map[string]any{"backend": k.BackendID, "revNat": k.RevNATID}}
}

func sourceRange4(r *rand.Rand) entry {
	a, bits := ip4(r), r.IntN(33)
	prefix := netip.PrefixFrom(netip.AddrFrom4(a), bits).Masked()
	k := &lbmaps.SourceRangeKey4{PrefixLen: uint32(32 + bits), RevNATID: u16(r), Address: types.IPv4(prefix.Addr().As4())}
	return entry{k.ToNetwork(), &lbmaps.SourceRangeValue{}, map[string]any{
		"prefixLength": k.PrefixLen, "revNat": k.RevNATID, "source": prefix.Addr().String(),
	}}
}

func sourceRange6(r *rand.Rand) entry {
	a, bits := ip6(r), r.IntN(129)
	prefix := netip.PrefixFrom(netip.AddrFrom16(a), bits).Masked()
	k := &lbmaps.SourceRangeKey6{PrefixLen: uint32(32 + bits), RevNATID: u16(r), Address: types.IPv6(prefix.Addr().As16())}
	return entry{k.ToNetwork(), &lbmaps.SourceRangeValue{}, map[string]any{
		"prefixLength": k.PrefixLen, "revNat": k.RevNATID, "source": prefix.Addr().String(),
	}}
}

func ipcacheKey(r *rand.Rand) (*ipcache.Key, map[string]any) {
	raw, _, _ := either(r)
	address, bits := net.IP(raw[:4]), 32
	if raw[0] == 0xfd {
		address, bits = net.IP(raw[:]), 128
	}
	k := ipcache.NewKey(address, net.CIDRMask(bits, bits), u16(r))
	return &k, map[string]any{
		"prefixLength": k.Prefixlen, "cluster": k.ClusterID, "family": k.Family, "address": address.String(),
	}
}

func ipcacheV2(r *rand.Rand) entry {
	k, expect := ipcacheKey(r)
	tunnel, family, text := either(r)
	v := &ipcache.RemoteEndpointInfo{SecurityIdentity: r.Uint32(), TunnelEndpoint: tunnel, Key: u8(r), Flags: ipcache.FlagHasTunnelEndpoint}
	if family == bpf.EndpointKeyIPv6 {
		v.Flags |= ipcache.FlagIPv6TunnelEndpoint
	}
	expect["identity"], expect["tunnel"], expect["encryptKey"], expect["flags"] = v.SecurityIdentity, text, v.Key, v.Flags
	return entry{k, v, expect}
}

func ipcacheV1(r *rand.Rand) entry {
	k, expect := ipcacheKey(r)
	v := &ipcache.RemoteEndpointInfoV1{SecurityIdentity: r.Uint32(), TunnelEndpoint: ip4(r), Key: u8(r), Flags: ipcache.FlagSkipTunnel}
	expect["identity"], expect["tunnel"], expect["encryptKey"], expect["flags"] = v.SecurityIdentity, v.TunnelEndpoint.String(), v.Key, v.Flags
	return entry{k, v, expect}
}

func endpoint(r *rand.Rand) entry {
	raw, family, text := either(r)
	k := &lxcmap.EndpointKey{EndpointKey: bpf.EndpointKey{IP: raw, Family: family, ClusterID: u16(r)}}
	hardware := func() (m [8]byte, s string) {
		for i := range 6 {
			m[i] = u8(r)
		}
		return m, macText(m)
	}
	mac, macText := hardware()
	nodeMac, nodeMacText := hardware()
	v := &lxcmap.EndpointInfo{
		IfIndex: r.Uint32(), LxcID: u16(r), Flags: r.Uint32() & 15, SecID: r.Uint32(), ParentIfIndex: r.Uint32(),
		MAC: macOf(mac), NodeMAC: macOf(nodeMac),
	}
	return entry{k, v, map[string]any{
		"address": text, "family": family, "cluster": k.ClusterID, "ifindex": v.IfIndex, "endpoint": v.LxcID, "flags": v.Flags,
		"mac": macText, "nodeMac": nodeMacText, "identity": v.SecID, "parentIfindex": v.ParentIfIndex,
	}}
}

func node(r *rand.Rand) entry {
	raw, family, text := either(r)
	k := &nodemap.NodeKey{Family: family, IP: raw}
	v := &nodemap.NodeValueV2{NodeID: u16(r), SPI: u8(r)}
	return entry{k, v, map[string]any{"family": family, "address": text, "id": v.NodeID, "spi": v.SPI}}
}

func policy(r *rand.Rand) entry {
	port := u16(r)
	k := &policymap.PolicyKey{
		Prefixlen: policymap.StaticPrefixBits + uint32(policymap.FullPrefixBits), Identity: r.Uint32(), TrafficDirection: u8(r) & 1,
		Nexthdr: u8(r), DestPortNetwork: byteorder.HostToNetwork16(port),
	}
	proxy, prefix, auth, explicit, deny := u16(r), u8(r)%25, u8(r)&0x7f, u8(r)&1, u8(r)&1
	v := &policymap.PolicyEntry{ProxyPortNetwork: byteorder.HostToNetwork16(proxy), Precedence: precedence(r.Uint32()), Cookie: r.Uint32()}
	setFlags(v, deny|prefix<<3, auth|explicit<<7)
	return entry{k, v, map[string]any{
		"prefixLength": k.Prefixlen, "identity": k.Identity, "direction": k.TrafficDirection, "protocol": k.Nexthdr, "port": port,
		"proxyPort": v.GetProxyPort(), "deny": deny, "lpmPrefixLength": v.GetPrefixLen(), "authType": auth, "explicitAuth": explicit,
		"precedence": v.Precedence, "cookie": v.Cookie,
	}}
}

func connectionValue(r *rand.Rand, expect map[string]any) *ctmap.CtEntry {
	v := &ctmap.CtEntry{
		Union0: [2]uint64{0, r.Uint64()}, Packets: r.Uint64(), Bytes: r.Uint64(), Lifetime: r.Uint32(), Flags: u16(r),
		TxFlagsSeen: u8(r), RxFlagsSeen: u8(r), SourceSecurityID: r.Uint32(), LastTxReport: r.Uint32(), LastRxReport: r.Uint32(),
	}
	revNat, natPort := u16(r), u16(r)
	v.RevNAT, v.NatPort = byteorder.HostToNetwork16(revNat), byteorder.HostToNetwork16(natPort)
	for name, value := range map[string]any{
		"backend": wide(v.Union0[1]), "packets": wide(v.Packets), "bytes": wide(v.Bytes), "lifetime": v.Lifetime, "flags": v.Flags,
		"revNat": revNat, "natPort": natPort, "txFlags": v.TxFlagsSeen, "rxFlags": v.RxFlagsSeen,
		"sourceIdentity": v.SourceSecurityID, "lastTx": v.LastTxReport, "lastRx": v.LastRxReport,
	} {
		expect["value."+name] = value
	}
	return v
}
