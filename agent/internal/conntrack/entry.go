// SPDX-License-Identifier: Apache-2.0

// Package conntrack reads the connection tracking table of the calling thread's network namespace through ctnetlink. It
// decodes in place: a table of 250,000 entries passes without an allocation for those that nobody asked for.
package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Tuple is one direction of a connection, in the order in which packets carry it.
type Tuple struct {
	Protocol uint8
	Src, Dst netip.Addr
	// SrcPort and DstPort are 0 for protocols without ports.
	SrcPort, DstPort uint16
	// Of ICMP only.
	ICMPType, ICMPCode uint8
	ICMPID             uint16
}

// Reverse is the tuple of a packet in the other direction, for a protocol with ports.
func (t Tuple) Reverse() Tuple {
	t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	return t
}

// Entry is a tracked connection.
type Entry struct {
	Original, Reply Tuple
	// Status holds IPS_* bits, include/uapi/linux/netfilter/nf_conntrack_common.h.
	Status, Mark uint32
	Zone         uint16
	// Timeout is the remaining life in seconds.
	Timeout uint32
	// TCPState is the kernel's enum tcp_conntrack; 0 for other protocols.
	TCPState uint8
}

// enum tcp_conntrack, as conntrack(8) prints it.
var tcpStates = []string{"NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"}

const protocolTCP = 6

// TCPStateName is empty for other protocols.
func (e *Entry) TCPStateName() string {
	if e.Original.Protocol != protocolTCP || int(e.TCPState) >= len(tcpStates) {
		return ""
	}
	return tcpStates[e.TCPState]
}

// enum ctattr_*, include/uapi/linux/netfilter/nfnetlink_conntrack.h
const (
	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaStatus     = 3
	ctaProtoinfo  = 4
	ctaTimeout    = 7
	ctaMark       = 8
	ctaZone       = 18

	ctaTupleIP    = 1
	ctaTupleProto = 2

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum      = 1
	ctaProtoSrcPort  = 2
	ctaProtoDstPort  = 3
	ctaProtoICMPID   = 4
	ctaProtoICMPType = 5
	ctaProtoICMPCode = 6
	// The same three of ICMPv6 follow.
	ctaProtoICMPv6ID   = 7
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9

	ctaProtoinfoTCP      = 1
	ctaProtoinfoTCPState = 1

	attributeHeader = 4
	typeMask        = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
)

var errShort = errors.New("malformed conntrack message")

// each visits the attributes of a message or of a nested attribute.
func each(data []byte, visit func(kind uint16, value []byte) error) error {
	for len(data) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(data))
		if length < attributeHeader || length > len(data) {
			return fmt.Errorf("%w: attribute of %d bytes in %d", errShort, length, len(data))
		}
		if err := visit(binary.NativeEndian.Uint16(data[2:])&typeMask, data[attributeHeader:length]); err != nil {
			return err
		}
		data = data[min((length+3)&^3, len(data)):]
	}
	return nil
}

// decode reads the attributes of one entry, after struct nfgenmsg.
func (e *Entry) decode(data []byte) error {
	*e = Entry{}
	return each(data, func(kind uint16, value []byte) error {
		switch kind {
		case ctaTupleOrig:
			return e.Original.decode(value)
		case ctaTupleReply:
			return e.Reply.decode(value)
		case ctaStatus:
			return number(value, &e.Status)
		case ctaTimeout:
			return number(value, &e.Timeout)
		case ctaMark:
			return number(value, &e.Mark)
		case ctaZone:
			return number(value, &e.Zone)
		case ctaProtoinfo:
			return e.decodeProtocolState(value)
		}
		return nil
	})
}

func (e *Entry) decodeProtocolState(data []byte) error {
	return each(data, func(kind uint16, value []byte) error {
		if kind != ctaProtoinfoTCP {
			return nil
		}
		return each(value, func(kind uint16, value []byte) error {
			if kind != ctaProtoinfoTCPState {
				return nil
			}
			return number(value, &e.TCPState)
		})
	})
}

func (t *Tuple) decode(data []byte) error {
	return each(data, func(kind uint16, value []byte) error {
		switch kind {
		case ctaTupleIP:
			return each(value, t.decodeAddress)
		case ctaTupleProto:
			return each(value, t.decodeProtocol)
		}
		return nil
	})
}

func (t *Tuple) decodeAddress(kind uint16, value []byte) error {
	var ok bool
	switch kind {
	case ctaIPv4Src, ctaIPv6Src:
		t.Src, ok = netip.AddrFromSlice(value)
	case ctaIPv4Dst, ctaIPv6Dst:
		t.Dst, ok = netip.AddrFromSlice(value)
	default:
		return nil
	}
	if !ok {
		return fmt.Errorf("%w: address of %d bytes", errShort, len(value))
	}
	return nil
}

func (t *Tuple) decodeProtocol(kind uint16, value []byte) error {
	switch kind {
	case ctaProtoNum:
		return number(value, &t.Protocol)
	case ctaProtoSrcPort:
		return number(value, &t.SrcPort)
	case ctaProtoDstPort:
		return number(value, &t.DstPort)
	case ctaProtoICMPID, ctaProtoICMPv6ID:
		return number(value, &t.ICMPID)
	case ctaProtoICMPType, ctaProtoICMPv6Type:
		return number(value, &t.ICMPType)
	case ctaProtoICMPCode, ctaProtoICMPv6Code:
		return number(value, &t.ICMPCode)
	}
	return nil
}

// number reads an unsigned integer in network order.
func number[T uint8 | uint16 | uint32](value []byte, into *T) error {
	switch target := any(into).(type) {
	case *uint8:
		if len(value) < 1 {
			return errShort
		}
		*target = value[0]
	case *uint16:
		if len(value) < 2 {
			return errShort
		}
		*target = binary.BigEndian.Uint16(value)
	case *uint32:
		if len(value) < 4 {
			return errShort
		}
		*target = binary.BigEndian.Uint32(value)
	}
	return nil
}
