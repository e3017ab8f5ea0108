// SPDX-License-Identifier: Apache-2.0

// Package network reads links, addresses, routes, rules, neighbours and settings of the network namespace that the
// calling thread is in.
package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	wire "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// families in the order in which files list them, with the number a file gives them.
var families = []struct{ af, number int }{{unix.AF_INET, 4}, {unix.AF_INET6, 6}}

// attempts to read a table that changes while it is read. The kernel marks such a dump (NLM_F_DUMP_INTR).
const attempts = 4

// steady repeats a read until the kernel did not change the table under it.
func steady[T any](read func() (T, error)) (T, error) {
	var result T
	var err error
	for range attempts {
		if result, err = read(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return result, err
		}
	}
	return result, fmt.Errorf("the table kept changing while it was read: %w", err)
}

// dump asks for all objects of a kind. Every element is a message without its netlink header.
func dump(request, response uint16, header nl.NetlinkRequestData) ([][]byte, error) {
	return steady(func() ([][]byte, error) {
		message := nl.NewNetlinkRequest(int(request), unix.NLM_F_DUMP)
		message.AddData(header)
		return message.Execute(unix.NETLINK_ROUTE, response)
	})
}

// attributes by type, as far as the message is well formed. Of repeated ones the last counts, as in the kernel.
type attributes map[uint16][]byte

func parse(data []byte) (attributes, error) {
	list, err := wire.UnmarshalAttributes(data)
	if err != nil {
		return nil, fmt.Errorf("malformed netlink message: %w", err)
	}
	result := make(attributes, len(list))
	for _, attribute := range list {
		result[attribute.Type&nl.NLA_TYPE_MASK] = attribute.Data
	}
	return result, nil
}

func (a attributes) nested(kind uint16) (attributes, error) {
	if a[kind] == nil {
		return attributes{}, nil
	}
	return parse(a[kind])
}

func (a attributes) has(kind uint16) bool { return a[kind] != nil }

func (a attributes) uint8(kind uint16) int {
	if value := a[kind]; len(value) >= 1 {
		return int(value[0])
	}
	return 0
}

func (a attributes) uint32(kind uint16) uint32 {
	if value := a[kind]; len(value) >= 4 {
		return binary.NativeEndian.Uint32(value)
	}
	return 0
}

// port reads a number in network order.
func (a attributes) port(kind uint16) int {
	if value := a[kind]; len(value) >= 2 {
		return int(binary.BigEndian.Uint16(value))
	}
	return 0
}

func (a attributes) text(kind uint16) string { return unix.ByteSliceToString(a[kind]) }

// address is empty when the attribute is absent or no address.
func (a attributes) address(kind uint16) string {
	address, ok := netip.AddrFromSlice(a[kind])
	if !ok {
		return ""
	}
	return address.String()
}

// prefix completes an address with its length; an absent address stands for the family's "everything".
func (a attributes) prefix(kind uint16, family, length int) string {
	address, ok := netip.AddrFromSlice(a[kind])
	if !ok {
		address = netip.IPv4Unspecified()
		if family == 6 {
			address = netip.IPv6Unspecified()
		}
	}
	return netip.PrefixFrom(address, length).String()
}

// names lists the flags that are set, in the order of the table.
func names(value uint32, table []flag) []string {
	result := []string{}
	for _, flag := range table {
		if value&flag.bit != 0 {
			result = append(result, flag.name)
		}
	}
	return result
}

type flag struct {
	bit  uint32
	name string
}

// ip formats an address, without the "::ffff:" that a 16 byte form of an IPv4 address would get.
func ip(address net.IP) string {
	parsed, ok := netip.AddrFromSlice(address)
	if !ok {
		return ""
	}
	return parsed.Unmap().String()
}
