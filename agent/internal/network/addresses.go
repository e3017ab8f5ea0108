// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
)

var addressFlags = []flag{
	{unix.IFA_F_SECONDARY, "secondary"}, {unix.IFA_F_NODAD, "nodad"}, {unix.IFA_F_OPTIMISTIC, "optimistic"},
	{unix.IFA_F_DADFAILED, "dadfailed"}, {unix.IFA_F_HOMEADDRESS, "homeaddress"}, {unix.IFA_F_DEPRECATED, "deprecated"},
	{unix.IFA_F_TENTATIVE, "tentative"}, {unix.IFA_F_PERMANENT, "permanent"}, {unix.IFA_F_MANAGETEMPADDR, "mngtmpaddr"},
	{unix.IFA_F_NOPREFIXROUTE, "noprefixroute"}, {unix.IFA_F_MCAUTOJOIN, "autojoin"}, {unix.IFA_F_STABLE_PRIVACY, "stable-privacy"},
}

var neighbourStates = []flag{
	{netlink.NUD_INCOMPLETE, "incomplete"}, {netlink.NUD_REACHABLE, "reachable"}, {netlink.NUD_STALE, "stale"},
	{netlink.NUD_DELAY, "delay"}, {netlink.NUD_PROBE, "probe"}, {netlink.NUD_FAILED, "failed"},
	{netlink.NUD_NOARP, "noarp"}, {netlink.NUD_PERMANENT, "permanent"},
}

// Addresses lists the addresses of all devices, IPv4 first.
func Addresses() ([]facts.Address, error) {
	result := []facts.Address{}
	for _, family := range families {
		list, err := steady(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, family.af) })
		if err != nil {
			return nil, err
		}
		for _, address := range list {
			result = append(result, facts.Address{
				Ifindex: address.LinkIndex, Family: family.number, Address: address.IPNet.String(), Peer: peer(address),
				Scope: scopeName(address.Scope), Flags: names(uint32(address.Flags), addressFlags),
			})
		}
	}
	return result, nil
}

func peer(address netlink.Addr) string {
	if address.Peer == nil || address.Peer.IP.Equal(address.IP) {
		return ""
	}
	return (&net.IPNet{IP: address.Peer.IP, Mask: address.Peer.Mask}).String()
}

// Neighbours lists the neighbour tables of both families.
func Neighbours() ([]facts.Neighbour, error) {
	result := []facts.Neighbour{}
	for _, family := range families {
		list, err := steady(func() ([]netlink.Neigh, error) { return netlink.NeighList(0, family.af) })
		if err != nil {
			return nil, err
		}
		for _, entry := range list {
			result = append(result, facts.Neighbour{
				Ifindex: entry.LinkIndex, Family: family.number, Address: ip(entry.IP),
				LLAddr: hardwareAddress(entry.HardwareAddr), State: neighbourState(entry.State),
			})
		}
	}
	return result, nil
}

func neighbourState(state int) string {
	if list := names(uint32(state), neighbourStates); len(list) > 0 {
		return list[0]
	}
	return "none"
}
