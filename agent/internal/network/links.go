// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"slices"
	"strings"

	wire "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
)

// Attributes of newer kernels or of modules that golang.org/x/sys leaves out: include/uapi/linux/if_link.h.
const (
	iflaVXLANCollectMetadata = 25
	iflaInfoSlaveKind        = 4
	iflaInfoSlaveData        = 5
	xdpAttachedNone          = 0
)

var linkFlags = []flag{
	{unix.IFF_UP, "up"}, {unix.IFF_BROADCAST, "broadcast"}, {unix.IFF_DEBUG, "debug"}, {unix.IFF_LOOPBACK, "loopback"},
	{unix.IFF_POINTOPOINT, "pointopoint"}, {unix.IFF_NOTRAILERS, "notrailers"}, {unix.IFF_RUNNING, "running"},
	{unix.IFF_NOARP, "noarp"}, {unix.IFF_PROMISC, "promisc"}, {unix.IFF_ALLMULTI, "allmulti"}, {unix.IFF_MASTER, "master"},
	{unix.IFF_SLAVE, "slave"}, {unix.IFF_MULTICAST, "multicast"}, {unix.IFF_PORTSEL, "portsel"},
	{unix.IFF_AUTOMEDIA, "automedia"}, {unix.IFF_DYNAMIC, "dynamic"}, {unix.IFF_LOWER_UP, "lower_up"},
	{unix.IFF_DORMANT, "dormant"}, {unix.IFF_ECHO, "echo"},
}

// RFC 2863 states as include/uapi/linux/if.h numbers them.
var operstates = []string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}

// Link is a link with what is needed to find its peer.
type Link struct {
	facts.Link
	// PeerNetnsID is the kernel's number for the peer's namespace, as seen from this one; -1 when it is the same.
	PeerNetnsID int
	// XDP is the program attached to the device, by mode name: "xdp" (driver), "xdp_generic", "xdp_offload".
	XDP map[string]uint32
}

// Links lists the devices in ifindex order, with their forwarding entries.
func Links() ([]Link, error) {
	messages, err := dump(unix.RTM_GETLINK, unix.RTM_NEWLINK, nl.NewIfInfomsg(unix.AF_UNSPEC))
	if err != nil {
		return nil, err
	}
	links := make([]Link, 0, len(messages))
	for _, message := range messages {
		link, err := linkOf(message)
		if err != nil {
			return nil, err
		}
		links = append(links, link)
	}
	slices.SortFunc(links, func(a, b Link) int { return a.Ifindex - b.Ifindex })
	return links, addForwarding(links)
}

func linkOf(message []byte) (Link, error) {
	if len(message) < unix.SizeofIfInfomsg {
		return Link{}, fmt.Errorf("malformed netlink message of %d bytes", len(message))
	}
	header := nl.DeserializeIfInfomsg(message)
	all, err := parse(message[header.Len():])
	if err != nil {
		return Link{}, err
	}
	info, err := all.nested(unix.IFLA_LINKINFO)
	if err != nil {
		return Link{}, err
	}
	link := Link{PeerNetnsID: -1, Link: facts.Link{
		Ifindex: int(header.Index), Ifname: all.text(unix.IFLA_IFNAME), Flags: names(header.Flags, linkFlags),
		MTU: int(all.uint32(unix.IFLA_MTU)), Operstate: operstate(all.uint8(unix.IFLA_OPERSTATE)), Kind: info.text(nl.IFLA_INFO_KIND),
		Address: hardwareAddress(all[unix.IFLA_ADDRESS]), Master: int(all.uint32(unix.IFLA_MASTER)),
	}}
	if link.Kind == "veth" {
		link.PeerIfindex = int(all.uint32(unix.IFLA_LINK))
		if all.has(unix.IFLA_LINK_NETNSID) {
			link.PeerNetnsID = int(int32(all.uint32(unix.IFLA_LINK_NETNSID)))
		}
	}
	if link.Altnames, err = altnames(all[unix.IFLA_PROP_LIST]); err != nil {
		return Link{}, err
	}
	if link.XDP, err = xdp(all); err != nil {
		return Link{}, err
	}
	return link, link.addKind(info)
}

// addKind adds what only some kinds of device have.
func (link *Link) addKind(info attributes) error {
	data, err := info.nested(nl.IFLA_INFO_DATA)
	if err != nil {
		return err
	}
	switch link.Kind {
	case "vxlan":
		group := data.address(nl.IFLA_VXLAN_GROUP) + data.address(nl.IFLA_VXLAN_GROUP6)
		local := data.address(nl.IFLA_VXLAN_LOCAL) + data.address(nl.IFLA_VXLAN_LOCAL6)
		link.VXLAN = &facts.VXLAN{
			ID: int(data.uint32(nl.IFLA_VXLAN_ID)), Port: data.port(nl.IFLA_VXLAN_PORT), Group: group, Local: local,
			Learning: data.uint8(nl.IFLA_VXLAN_LEARNING) != 0, External: data.uint8(iflaVXLANCollectMetadata) != 0,
		}
	case "bridge":
		link.Bridge = &facts.Bridge{
			VLANFiltering:   data.uint8(nl.IFLA_BR_VLAN_FILTERING) != 0,
			NFCallIptables:  data.uint8(nl.IFLA_BR_NF_CALL_IPTABLES) != 0,
			NFCallIP6tables: data.uint8(nl.IFLA_BR_NF_CALL_IP6TABLES) != 0,
		}
	}
	if info.text(iflaInfoSlaveKind) != "bridge" {
		return nil
	}
	port, err := info.nested(iflaInfoSlaveData)
	link.Port = &facts.Port{
		Hairpin:  port.uint8(unix.IFLA_BRPORT_MODE) != 0,
		Isolated: port.uint8(unix.IFLA_BRPORT_ISOLATED) != 0,
		State:    port.uint8(unix.IFLA_BRPORT_STATE),
	}
	return err
}

func altnames(list []byte) ([]string, error) {
	properties, err := wire.UnmarshalAttributes(list)
	if err != nil {
		return nil, fmt.Errorf("malformed netlink message: %w", err)
	}
	var result []string
	for _, property := range properties {
		if property.Type&nl.NLA_TYPE_MASK == unix.IFLA_ALT_IFNAME {
			result = append(result, unix.ByteSliceToString(property.Data))
		}
	}
	return result, nil
}

func xdp(link attributes) (map[string]uint32, error) {
	data, err := link.nested(unix.IFLA_XDP)
	if err != nil || data.uint8(unix.IFLA_XDP_ATTACHED) == xdpAttachedNone {
		return nil, err
	}
	result := map[string]uint32{}
	for kind, name := range map[uint16]string{
		unix.IFLA_XDP_DRV_PROG_ID: "xdp", unix.IFLA_XDP_SKB_PROG_ID: "xdp_generic", unix.IFLA_XDP_HW_PROG_ID: "xdp_offload",
	} {
		if id := data.uint32(kind); id != 0 {
			result[name] = id
		}
	}
	return result, nil
}

func operstate(number int) string {
	if number < len(operstates) {
		return operstates[number]
	}
	return fmt.Sprintf("unknown (%d)", number)
}

// hardwareAddress formats any length; of tunnels the kernel gives an IP address here, which is told apart by its length.
func hardwareAddress(value []byte) string {
	if len(value) == 4 || len(value) == 16 {
		return ip(value)
	}
	return net.HardwareAddr(value).String()
}

func addForwarding(links []Link) error {
	entries, err := steady(func() ([]netlink.Neigh, error) { return netlink.NeighList(0, unix.AF_BRIDGE) })
	if err != nil {
		return fmt.Errorf("forwarding entries: %w", err)
	}
	byIndex := map[int]*Link{}
	for i := range links {
		byIndex[links[i].Ifindex] = &links[i]
	}
	for _, entry := range entries {
		// Of other devices these are the multicast addresses they listen to.
		if link := byIndex[entry.LinkIndex]; link != nil && (link.Port != nil || link.VXLAN != nil || link.Bridge != nil) {
			link.FDB = append(link.FDB, facts.FDBEntry{LLAddr: entry.HardwareAddr.String(), Dst: ip(entry.IP), VLAN: entry.Vlan})
		}
	}
	for i := range links {
		slices.SortFunc(links[i].FDB, func(a, b facts.FDBEntry) int {
			return strings.Compare(fmt.Sprintf("%s %s %5d", a.LLAddr, a.Dst, a.VLAN), fmt.Sprintf("%s %s %5d", b.LLAddr, b.Dst, b.VLAN))
		})
	}
	return nil
}
