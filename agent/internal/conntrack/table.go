// SPDX-License-Identifier: Apache-2.0

package conntrack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	subsystem  = 1 << 8 // NFNL_SUBSYS_CTNETLINK
	messageNew = 0      // IPCTNL_MSG_CT_NEW
	messageGet = 1      // IPCTNL_MSG_CT_GET

	generalHeader = 4 // struct nfgenmsg
	// The kernel fills up to 32 KiB per message of a dump, and copies several into one buffer.
	receiveBuffer = 1 << 18
)

// ErrNotFound is returned when no connection has the tuple.
var ErrNotFound = errors.New("no such connection")

// Filter keeps entries that match every given field, in either direction. The zero value keeps all.
type Filter struct {
	Addresses []netip.Addr
	Ports     []uint16
	Protocols []uint8
}

// Match tells if the filter keeps an entry.
func (f *Filter) Match(e *Entry) bool {
	if len(f.Protocols) > 0 && !slices.Contains(f.Protocols, e.Original.Protocol) {
		return false
	}
	if len(f.Addresses) > 0 && !slices.ContainsFunc(f.Addresses, func(address netip.Addr) bool {
		return address == e.Original.Src || address == e.Original.Dst || address == e.Reply.Src || address == e.Reply.Dst
	}) {
		return false
	}
	return len(f.Ports) == 0 || slices.ContainsFunc(f.Ports, func(port uint16) bool {
		return port == e.Original.SrcPort || port == e.Original.DstPort || port == e.Reply.SrcPort || port == e.Reply.DstPort
	})
}

// Usage reads how many entries this namespace has, and how many the machine allows. It fails with fs.ErrNotExist where
// connections are not tracked at all.
func Usage() (count, limit int, err error) {
	if count, err = setting("nf_conntrack_count"); err != nil {
		return 0, 0, err
	}
	limit, err = setting("nf_conntrack_max")
	return count, limit, err
}

func setting(name string) (int, error) {
	content, err := os.ReadFile("/proc/sys/net/netfilter/" + name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(content)))
}

// Dump visits all entries. The entry is overwritten by the next one: copy what you keep.
func Dump(ctx context.Context, visit func(*Entry)) error {
	return query(ctx, unix.NLM_F_DUMP, unix.AF_UNSPEC, nil, visit)
}

// Get finds the connection with this tuple in its original or reply direction, in the default zone.
func Get(ctx context.Context, tuple Tuple) (Entry, error) {
	family := uint8(unix.AF_INET)
	if tuple.Src.Is6() {
		family = unix.AF_INET6
	}
	var result Entry
	var found bool
	err := query(ctx, 0, family, tuple.encode(), func(entry *Entry) { result, found = *entry, true })
	if errors.Is(err, unix.ENOENT) || (err == nil && !found) {
		return Entry{}, ErrNotFound
	}
	return result, err
}

func query(ctx context.Context, flags uint16, family uint8, attributes []byte, visit func(*Entry)) error {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return fmt.Errorf("open ctnetlink: %w", err)
	}
	defer unix.Close(socket)
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		return err
	}
	if err := unix.Sendto(socket, request(flags, family, attributes), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask ctnetlink: %w", err)
	}
	buffer := make([]byte, receiveBuffer)
	var entry Entry
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		length, from, err := unix.Recvfrom(socket, buffer, unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("read ctnetlink: %w", err)
		case length > len(buffer):
			return fmt.Errorf("read ctnetlink: message of %d bytes", length)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != 0 {
			continue // not from the kernel
		}
		done, err := messages(buffer[:length], &entry, visit)
		if err != nil || done || flags&unix.NLM_F_DUMP == 0 {
			return err
		}
	}
}

func request(flags uint16, family uint8, attributes []byte) []byte {
	message := make([]byte, unix.NLMSG_HDRLEN+generalHeader, unix.NLMSG_HDRLEN+generalHeader+len(attributes))
	binary.NativeEndian.PutUint32(message, uint32(cap(message)))
	binary.NativeEndian.PutUint16(message[4:], subsystem|messageGet)
	binary.NativeEndian.PutUint16(message[6:], unix.NLM_F_REQUEST|flags)
	message[unix.NLMSG_HDRLEN] = family
	return append(message, attributes...)
}

// messages walks over one datagram. It is done at the end of a dump.
func messages(data []byte, entry *Entry, visit func(*Entry)) (done bool, err error) {
	for len(data) >= unix.NLMSG_HDRLEN {
		length := int(binary.NativeEndian.Uint32(data))
		if length < unix.NLMSG_HDRLEN || length > len(data) {
			return false, fmt.Errorf("%w: length %d in %d bytes", errShort, length, len(data))
		}
		body := data[unix.NLMSG_HDRLEN:length]
		switch binary.NativeEndian.Uint16(data[4:]) {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			return true, failure(body)
		case subsystem | messageNew:
			if len(body) < generalHeader {
				return false, errShort
			}
			if err := entry.decode(body[generalHeader:]); err != nil {
				return false, err
			}
			visit(entry)
		}
		data = data[min((length+3)&^3, len(data)):]
	}
	return false, nil
}

// failure reads the errno that ends a dump or answers a request; 0 means success.
func failure(body []byte) error {
	if len(body) < 4 {
		return errShort
	}
	if code := int32(binary.NativeEndian.Uint32(body)); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// encode writes the tuple as CTA_TUPLE_ORIG.
func (t Tuple) encode() []byte {
	src, dst := uint16(ctaIPv4Src), uint16(ctaIPv4Dst)
	if t.Src.Is6() {
		src, dst = ctaIPv6Src, ctaIPv6Dst
	}
	addresses := append(attribute(src, t.Src.AsSlice()), attribute(dst, t.Dst.AsSlice())...)
	protocol := attribute(ctaProtoNum, []byte{t.Protocol})
	switch t.Protocol {
	case unix.IPPROTO_ICMP:
		protocol = append(protocol, t.encodeICMP(ctaProtoICMPID, ctaProtoICMPType, ctaProtoICMPCode)...)
	case unix.IPPROTO_ICMPV6:
		protocol = append(protocol, t.encodeICMP(ctaProtoICMPv6ID, ctaProtoICMPv6Type, ctaProtoICMPv6Code)...)
	default:
		protocol = append(protocol, attribute(ctaProtoSrcPort, binary.BigEndian.AppendUint16(nil, t.SrcPort))...)
		protocol = append(protocol, attribute(ctaProtoDstPort, binary.BigEndian.AppendUint16(nil, t.DstPort))...)
	}
	return nested(ctaTupleOrig, append(nested(ctaTupleIP, addresses), nested(ctaTupleProto, protocol)...))
}

func (t Tuple) encodeICMP(id, kind, code uint16) []byte {
	result := attribute(id, binary.BigEndian.AppendUint16(nil, t.ICMPID))
	result = append(result, attribute(kind, []byte{t.ICMPType})...)
	return append(result, attribute(code, []byte{t.ICMPCode})...)
}

func nested(kind uint16, value []byte) []byte { return attribute(kind|unix.NLA_F_NESTED, value) }

func attribute(kind uint16, value []byte) []byte {
	length := attributeHeader + len(value)
	result := make([]byte, (length+3)&^3)
	binary.NativeEndian.PutUint16(result, uint16(length))
	binary.NativeEndian.PutUint16(result[2:], kind)
	copy(result[attributeHeader:], value)
	return result
}
