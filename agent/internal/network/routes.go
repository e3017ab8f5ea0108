// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
)

// By RTN_* number.
var routeTypes = []string{"unspec", "unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"}

// As /etc/iproute2/rt_protos names RTPROT_* numbers.
var routeProtocols = map[uint8]string{
	0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra", 12: "bird",
	13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 17: "mrouted", 18: "keepalived", 42: "babel", 84: "ovn", 99: "openr",
	186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}

var nexthopFlags = []flag{
	{unix.RTNH_F_DEAD, "dead"}, {unix.RTNH_F_PERVASIVE, "pervasive"}, {unix.RTNH_F_ONLINK, "onlink"},
	{unix.RTNH_F_OFFLOAD, "offload"}, {unix.RTNH_F_LINKDOWN, "linkdown"}, {unix.RTNH_F_UNRESOLVED, "unresolved"},
}

func scopeName(scope int) string {
	switch scope {
	case unix.RT_SCOPE_UNIVERSE:
		return "global"
	case unix.RT_SCOPE_SITE:
		return "site"
	case unix.RT_SCOPE_LINK:
		return "link"
	case unix.RT_SCOPE_HOST:
		return "host"
	case unix.RT_SCOPE_NOWHERE:
		return "nowhere"
	}
	return strconv.Itoa(scope)
}

func protocolName(number uint8) string {
	if name, ok := routeProtocols[number]; ok {
		return name
	}
	return strconv.Itoa(int(number))
}

// Routes lists the routes of every table, IPv4 first, in the kernel's order.
func Routes() ([]facts.Route, error) {
	result := []facts.Route{}
	for _, family := range families {
		messages, err := dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family.af)}})
		if err != nil {
			return nil, err
		}
		for _, message := range messages {
			route, ok, err := routeOf(message, family.number)
			if err != nil {
				return nil, err
			}
			if ok {
				result = append(result, route)
			}
		}
	}
	return result, nil
}

// routeOf decodes a message. Routes that the kernel keeps for itself after using another one are no configuration.
func routeOf(message []byte, family int) (facts.Route, bool, error) {
	if len(message) < unix.SizeofRtMsg {
		return facts.Route{}, false, fmt.Errorf("malformed netlink message of %d bytes", len(message))
	}
	header := nl.DeserializeRtMsg(message)
	if header.Flags&unix.RTM_F_CLONED != 0 {
		return facts.Route{}, false, nil
	}
	all, err := parse(message[header.Len():])
	if err != nil {
		return facts.Route{}, false, err
	}
	metrics, err := all.nested(unix.RTA_METRICS)
	if err != nil {
		return facts.Route{}, false, err
	}
	route := facts.Route{
		Family: family, Table: int(header.Table), Dst: all.prefix(unix.RTA_DST, family, int(header.Dst_len)),
		Type: routeType(header.Type), Scope: scopeName(int(header.Scope)), Protocol: protocolName(header.Protocol),
		Metric: int(all.uint32(unix.RTA_PRIORITY)), TOS: int(header.Tos), Prefsrc: all.address(unix.RTA_PREFSRC),
		MTU: int(metrics.uint32(unix.RTAX_MTU)),
	}
	if all.has(unix.RTA_TABLE) {
		route.Table = int(all.uint32(unix.RTA_TABLE))
	}
	if header.Src_len > 0 {
		route.Src = all.prefix(unix.RTA_SRC, family, int(header.Src_len))
	}
	route.Nexthops, err = nexthops(all, header.Flags)
	return route, true, err
}

func routeType(number uint8) string {
	if int(number) < len(routeTypes) {
		return routeTypes[number]
	}
	return strconv.Itoa(int(number))
}

func nexthops(route attributes, flags uint32) ([]facts.Nexthop, error) {
	if list := route[unix.RTA_MULTIPATH]; list != nil {
		return multipath(list)
	}
	hop := facts.Nexthop{Ifindex: int(route.uint32(unix.RTA_OIF)), Via: via(route), Weight: 1, Flags: names(flags, nexthopFlags)}
	if hop.Ifindex == 0 && hop.Via == "" {
		return []facts.Nexthop{}, nil
	}
	return []facts.Nexthop{hop}, nil
}

// multipath decodes struct rtnexthop and what follows each: u16 length, u8 flags, u8 hops, s32 ifindex, attributes.
func multipath(list []byte) ([]facts.Nexthop, error) {
	result := []facts.Nexthop{}
	for len(list) >= unix.SizeofRtNexthop {
		length := int(binary.NativeEndian.Uint16(list))
		if length < unix.SizeofRtNexthop || length > len(list) {
			return nil, fmt.Errorf("malformed next hop of %d bytes", length)
		}
		inner, err := parse(list[unix.SizeofRtNexthop:length])
		if err != nil {
			return nil, err
		}
		result = append(result, facts.Nexthop{
			Ifindex: int(binary.NativeEndian.Uint32(list[4:])), Via: via(inner),
			Weight: int(list[3]) + 1, Flags: names(uint32(list[2]), nexthopFlags),
		})
		list = list[min((length+3)&^3, len(list)):]
	}
	return result, nil
}

// via is the gateway, which may be of another family than the route (struct rtvia: u16 family, address).
func via(hop attributes) string {
	if value := hop[unix.RTA_VIA]; len(value) > 2 {
		if address, ok := netip.AddrFromSlice(value[2:]); ok {
			return address.String()
		}
	}
	return hop.address(unix.RTA_GATEWAY)
}
