// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"net"
	"unsafe"

	"github.com/cilium/cilium/pkg/mac"
	"github.com/cilium/cilium/pkg/maps/ctmap"
	"github.com/cilium/cilium/pkg/maps/nat"
	"github.com/cilium/cilium/pkg/maps/policymap"
	policytypes "github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/tuple"
	"github.com/cilium/cilium/pkg/u8proto"
)

func tuple4(r *rand.Rand) (tuple.TupleKey4Global, map[string]any) {
	var k tuple.TupleKey4Global
	k.SourceAddr, k.DestAddr, k.SourcePort, k.DestPort = ip4(r), ip4(r), u16(r), u16(r)
	k.NextHeader, k.Flags = u8proto.U8proto(u8(r)), u8(r)&7
	return k, tupleFields(k.DestAddr.String(), k.SourceAddr.String(), k.DestPort, k.SourcePort, uint8(k.NextHeader), k.Flags)
}

func tuple6(r *rand.Rand) (tuple.TupleKey6Global, map[string]any) {
	var k tuple.TupleKey6Global
	k.SourceAddr, k.DestAddr, k.SourcePort, k.DestPort = ip6(r), ip6(r), u16(r), u16(r)
	k.NextHeader, k.Flags = u8proto.U8proto(u8(r)), u8(r)&7
	return k, tupleFields(k.DestAddr.String(), k.SourceAddr.String(), k.DestPort, k.SourcePort, uint8(k.NextHeader), k.Flags)
}

func tupleFields(daddr, saddr string, dport, sport uint16, protocol, flags uint8) map[string]any {
	return map[string]any{"daddr": daddr, "saddr": saddr, "dport": dport, "sport": sport, "protocol": protocol, "key.flags": flags}
}

func connection4(r *rand.Rand) entry {
	t, expect := tuple4(r)
	return entry{(&ctmap.CtKey4Global{TupleKey4Global: t}).ToNetwork(), connectionValue(r, expect), expect}
}

func connection6(r *rand.Rand) entry {
	t, expect := tuple6(r)
	return entry{(&ctmap.CtKey6Global{TupleKey6Global: t}).ToNetwork(), connectionValue(r, expect), expect}
}

func nat4(r *rand.Rand) entry {
	t, expect := tuple4(r)
	v := &nat.NatEntry4{Created: r.Uint64(), NeedsCT: r.Uint64(), Addr: ip4(r), Port: u16(r)}
	expect["created"], expect["needsCt"], expect["address"] = wide(v.Created), wide(v.NeedsCT), v.Addr.String()
	expect["port"] = v.ToHost().(*nat.NatEntry4).Port
	return entry{(&nat.NatKey4{TupleKey4Global: t}).ToNetwork(), v, expect}
}

func nat6(r *rand.Rand) entry {
	t, expect := tuple6(r)
	v := &nat.NatEntry6{Created: r.Uint64(), NeedsCT: r.Uint64(), Addr: ip6(r), Port: u16(r)}
	expect["created"], expect["needsCt"], expect["address"] = wide(v.Created), wide(v.NeedsCT), v.Addr.String()
	expect["port"] = v.ToHost().(*nat.NatEntry6).Port
	return entry{(&nat.NatKey6{TupleKey6Global: t}).ToNetwork(), v, expect}
}

func macText(bytes [8]byte) string { return net.HardwareAddr(bytes[:6]).String() }

func macOf(bytes [8]byte) mac.Uint64MAC { return *(*mac.Uint64MAC)(unsafe.Pointer(&bytes)) }

func precedence(n uint32) policytypes.Precedence { return policytypes.Precedence(n) }

// setFlags writes the two flag bytes, whose types Cilium does not export.
func setFlags(v *policymap.PolicyEntry, flags, auth uint8) {
	raw := (*[12]byte)(unsafe.Pointer(v))
	raw[2], raw[3] = flags, auth
}
