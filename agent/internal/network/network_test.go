// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/nstest"
)

// setup makes a namespace with one of everything, and its neighbour.
func setup(t *testing.T) *nstest.Namespace {
	t.Helper()
	here, there := nstest.New(t), nstest.New(t)
	here.Join("east", there, "west")
	here.Join("port", there, "port")
	for _, line := range []string{
		"ip link add br0 type bridge nf_call_iptables 1",
		"ip link set port master br0",
		"ip link set br0 up",
		"bridge link set dev port hairpin on isolated on",
		"bridge fdb add 02:00:00:00:00:99 dev port master static",
		"ip link add vx0 type vxlan id 42 dstport 4789 local 10.1.0.1 nolearning",
		"ip link set vx0 up",
		"bridge fdb append 00:00:00:00:00:00 dev vx0 dst 10.1.0.2",
		"ip link property add dev east altname sunrise",
		"ip addr add 10.1.0.1/24 dev east",
		"ip addr add 10.1.0.9/24 dev east",
		"ip addr add 10.9.0.1 peer 10.9.0.2/32 dev east",
		"ip addr add fd00::1/64 dev east nodad",
		"ip neigh replace 10.1.0.2 lladdr 02:00:00:00:00:02 dev east nud permanent",
		"ip neigh replace fd00::2 lladdr 02:00:00:00:00:03 dev east nud stale",
		"ip route add default via 10.1.0.2 dev east metric 50 mtu 1300",
		"ip route add 172.16.0.0/12 proto static src 10.1.0.9 nexthop via 10.1.0.2 dev east weight 3 nexthop via 10.1.0.3 dev east weight 1 onlink",
		"ip route add blackhole 192.0.2.0/24 table 100",
		"ip route add unreachable 198.51.100.0/24 metric 4278198272",
		"ip route add 203.0.113.0/24 tos 0x10 via inet6 fd00::2 dev east",
		"ip -6 route add 2001:db8::/32 via fd00::2 dev east table 300",
		"ip -6 route add 2001:db8:1::/48 from fd00:9::/64 via fd00::2 dev east",
		"ip rule add pref 100 fwmark 0x10/0xff0 lookup 100",
		"ip rule add pref 101 not from 10.1.0.0/24 to 10.2.0.0/16 iif east lookup main suppress_prefixlength 0",
		"ip rule add pref 102 oif lo ipproto tcp sport 1000-2000 dport 80 uidrange 5-9 tos 0x10 lookup 300",
		"ip rule add pref 103 from 10.7.0.0/16 goto 32766",
		"ip rule add pref 104 to 10.8.0.0/16 prohibit",
		"ip rule add pref 105 l3mdev",
		"ip -6 rule add pref 106 fwmark 0/0x1 lookup 300",
	} {
		here.Run(line)
	}
	return here
}

// same compares two lists of lines, in any order.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s: the kernel has no %s", what, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s: missing %s", what, line)
		}
	}
	if len(want) == 0 {
		t.Errorf("%s: nothing to compare", what)
	}
}

func parsed[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

func TestRoutesAreThoseOfIp(t *testing.T) {
	here := setup(t)
	links := map[string]int{}
	var routes []facts.Route
	here.Inside(func() error {
		list, err := Links()
		for _, link := range list {
			links[link.Ifname] = link.Ifindex
		}
		if err == nil {
			routes, err = Routes()
		}
		return err
	})
	var got, want []string
	for _, route := range routes {
		got = append(got, routeLine(route))
	}
	for _, family := range []int{4, 6} {
		for _, route := range parsed[[]ipRoute](t, here.Run(fmt.Sprintf("ip -j -d -N -%d route show table all", family))) {
			want = append(want, routeLine(route.fact(family, links)))
		}
	}
	same(t, "routes", got, want)
}

func routeLine(route facts.Route) string {
	text, err := json.Marshal(route)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// ipRoute is what `ip -j -d -N route` prints: names as numbers.
type ipRoute struct {
	Type, Dst, From, Gateway, Dev, Table, Protocol, Scope, Prefsrc, Tos string
	Via                                                                 struct{ Host string }
	Metric                                                              int
	Flags                                                               []string
	Metrics                                                             []struct{ MTU int }
	Nexthops                                                            []struct {
		Gateway, Dev string
		Weight       int
		Flags        []string
	}
}

func number(text string) int {
	value := 0
	if _, err := fmt.Sscanf(text, "%v", &value); err != nil && text != "" {
		panic(text + ": " + err.Error())
	}
	return value
}

func (r ipRoute) fact(family int, links map[string]int) facts.Route {
	everything, host := "0.0.0.0/0", "/32"
	if family == 6 {
		everything, host = "::/0", "/128"
	}
	route := facts.Route{
		Family: family, Table: number(r.Table), Dst: r.Dst, Src: r.From, Type: routeType(uint8(number(r.Type))), Protocol: protocolName(uint8(number(r.Protocol))),
		Scope: scopeName(number(r.Scope)), Metric: r.Metric, TOS: number(r.Tos), Prefsrc: r.Prefsrc, Nexthops: []facts.Nexthop{},
	}
	if r.Dst == "default" {
		route.Dst = everything
	} else if !strings.Contains(r.Dst, "/") {
		route.Dst += host
	}
	if len(r.Metrics) > 0 {
		route.MTU = r.Metrics[0].MTU
	}
	if r.Dev != "" {
		route.Nexthops = append(route.Nexthops, facts.Nexthop{Ifindex: links[r.Dev], Via: r.Gateway + r.Via.Host, Weight: 1, Flags: r.Flags})
	}
	for _, hop := range r.Nexthops {
		route.Nexthops = append(route.Nexthops, facts.Nexthop{Ifindex: links[hop.Dev], Via: hop.Gateway, Weight: hop.Weight, Flags: hop.Flags})
	}
	return route
}

func TestRulesAreWhatWasAdded(t *testing.T) {
	here := setup(t)
	var rules []facts.Rule
	here.Inside(func() (err error) {
		rules, err = Rules()
		return err
	})
	mark, mask, zero, one, length := uint32(0x10), uint32(0xff0), uint32(0), uint32(1), 0
	want := []facts.Rule{
		{Family: 4, Priority: 0, Action: "lookup", Table: 255},
		{Family: 4, Priority: 100, Fwmark: &mark, Fwmask: &mask, Action: "lookup", Table: 100},
		{Family: 4, Priority: 101, Not: true, Src: "10.1.0.0/24", Dst: "10.2.0.0/16", Iif: "east", SuppressPrefixLength: &length, Action: "lookup", Table: 254},
		{Family: 4, Priority: 102, Oif: "lo", IPProtocol: 6, SportRange: &[2]int{1000, 2000}, DportRange: &[2]int{80, 80}, UIDRange: &[2]int{5, 9}, TOS: 0x10, Action: "lookup", Table: 300},
		{Family: 4, Priority: 103, Src: "10.7.0.0/16", Action: "goto", GotoPriority: 32766},
		{Family: 4, Priority: 104, Dst: "10.8.0.0/16", Action: "prohibit"},
		{Family: 4, Priority: 105, L3mdev: true, Action: "lookup"},
		{Family: 4, Priority: 32766, Action: "lookup", Table: 254},
		{Family: 4, Priority: 32767, Action: "lookup", Table: 253},
		{Family: 6, Priority: 0, Action: "lookup", Table: 255},
		{Family: 6, Priority: 106, Fwmark: &zero, Fwmask: &one, Action: "lookup", Table: 300},
		{Family: 6, Priority: 32766, Action: "lookup", Table: 254},
	}
	gotText, _ := json.MarshalIndent(rules, "", " ")
	wantText, _ := json.MarshalIndent(want, "", " ")
	if string(gotText) != string(wantText) {
		t.Errorf("got %s\nwant %s\nip says\n%s", gotText, wantText, here.Run("ip rule"))
	}
}

func TestLinksAreThoseOfIp(t *testing.T) {
	here := setup(t)
	var links []Link
	here.Inside(func() (err error) {
		links, err = Links()
		return err
	})
	type ipLink struct {
		Ifindex, MTU               int
		Ifname, Operstate, Address string
		Flags, Altnames            []string
		Master                     string
		Linkinfo                   struct {
			InfoKind string `json:"info_kind"`
		}
	}
	index := map[string]int{}
	var got, want []string
	for _, link := range links {
		index[link.Ifname] = link.Ifindex
		// iproute2 adds a flag of its own where there is no carrier.
		got = append(got, fmt.Sprint(link.Ifindex, link.MTU, link.Ifname, link.Operstate, link.Address, link.Flags, link.Altnames, link.Master, link.Kind))
	}
	for _, link := range parsed[[]ipLink](t, here.Run("ip -j -d link")) {
		var flags []string
		for _, bit := range linkFlags {
			if slices.Contains(link.Flags, strings.ToUpper(bit.name)) {
				flags = append(flags, bit.name)
			}
			// iproute2 replaces "running" by "no-carrier" where there is none.
			if bit.name == "running" && !slices.Contains(link.Flags, "NO-CARRIER") && slices.Contains(link.Flags, "LOWER_UP") {
				flags = append(flags, bit.name)
			}
		}
		want = append(want, fmt.Sprint(link.Ifindex, link.MTU, link.Ifname, strings.ToLower(link.Operstate), link.Address, flags, link.Altnames, index[link.Master], link.Linkinfo.InfoKind))
	}
	same(t, "links", got, want)
	byName := map[string]Link{}
	for _, link := range links {
		byName[link.Ifname] = link
	}
	if vxlan := byName["vx0"].VXLAN; vxlan == nil || *vxlan != (facts.VXLAN{ID: 42, Port: 4789, Local: "10.1.0.1"}) {
		t.Errorf("vxlan %+v", vxlan)
	}
	if fdb := byName["vx0"].FDB; len(fdb) != 1 || fdb[0].Dst != "10.1.0.2" {
		t.Errorf("vxlan forwarding %+v", fdb)
	}
	if bridge := byName["br0"].Bridge; bridge == nil || bridge.VLANFiltering || !bridge.NFCallIptables || bridge.NFCallIP6tables {
		t.Errorf("bridge %+v", bridge)
	}
	if port := byName["port"].Port; port == nil || !port.Hairpin || !port.Isolated {
		t.Errorf("port %+v", port)
	}
	if !slices.Contains(byName["port"].FDB, facts.FDBEntry{LLAddr: "02:00:00:00:00:99"}) {
		t.Errorf("port forwarding %+v", byName["port"].FDB)
	}
	if east := byName["east"]; east.PeerIfindex == 0 || east.PeerNetnsID < 0 {
		t.Errorf("veth peer %+v", east)
	}
}

func TestAddressesAndNeighboursAreThoseOfIp(t *testing.T) {
	here := setup(t)
	var addresses []facts.Address
	var neighbours []facts.Neighbour
	here.Inside(func() (err error) {
		if addresses, err = Addresses(); err == nil {
			neighbours, err = Neighbours()
		}
		return err
	})
	type ipAddress struct {
		Ifindex  int
		AddrInfo []struct {
			Family, Local, Address, Scope string
			Prefixlen                     int
			Secondary                     bool
		} `json:"addr_info"`
	}
	var got, want []string
	for _, address := range addresses {
		got = append(got, fmt.Sprint(address.Ifindex, address.Family, address.Address, address.Peer, address.Scope, slices.Contains(address.Flags, "secondary")))
	}
	for _, link := range parsed[[]ipAddress](t, here.Run("ip -j addr")) {
		for _, info := range link.AddrInfo {
			family := map[string]int{"inet": 4, "inet6": 6}[info.Family]
			address, peer := fmt.Sprintf("%s/%d", info.Local, info.Prefixlen), ""
			if info.Address != "" {
				address, peer = info.Local+"/32", fmt.Sprintf("%s/%d", info.Address, info.Prefixlen)
			}
			want = append(want, fmt.Sprint(link.Ifindex, family, address, peer, info.Scope, info.Secondary))
		}
	}
	same(t, "addresses", got, want)
	for _, expected := range []facts.Neighbour{
		{Family: 4, Address: "10.1.0.2", LLAddr: "02:00:00:00:00:02", State: "permanent"},
		{Family: 6, Address: "fd00::2", LLAddr: "02:00:00:00:00:03", State: "stale"},
	} {
		if !slices.ContainsFunc(neighbours, func(n facts.Neighbour) bool {
			expected.Ifindex = n.Ifindex
			return n == expected
		}) {
			t.Errorf("no %+v in %+v", expected, neighbours)
		}
	}
}

func TestSettingsAreThoseOfTheNamespace(t *testing.T) {
	here := nstest.New(t)
	other := nstest.New(t)
	here.Join("a.b", other, "c") // a dot in a device's name must not be taken for a separator
	here.Feed("1", "tee", "/proc/sys/net/ipv4/conf/a.b/route_localnet")
	read := func(namespace *nstest.Namespace) (settings map[string]string) {
		namespace.Inside(func() (err error) {
			settings, err = Sysctls()
			return err
		})
		return settings
	}
	here.Feed("1", "tee", "/proc/sys/net/ipv4/ip_forward")
	if got := read(here); got["net.ipv4.ip_forward"] != "1" || got["net.ipv4.conf.a/b.route_localnet"] != "1" {
		t.Errorf("ip_forward %q, route_localnet %q", got["net.ipv4.ip_forward"], got["net.ipv4.conf.a/b.route_localnet"])
	}
	if got := read(other); got["net.ipv4.ip_forward"] == "1" {
		t.Error("the other namespace has the setting too")
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(make([]byte, 12))
	f.Add(append(make([]byte, 12), 8, 0, 15, 0, 1, 0, 0, 0))
	f.Add(append(make([]byte, 16), 12, 0, 18, 0, 8, 0, 1, 0, 'v', 'e', 't', 'h'))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, family := range []int{4, 6} {
			_, _, _ = routeOf(message, family)
			_, _ = ruleOf(message, family)
		}
		_, _ = linkOf(message)
	})
}
