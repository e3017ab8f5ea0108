// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// socket is one attempt's socket. It never blocks: waiting is done by poll, so that it can end at any time.
type socket struct {
	*Request
	fd     int
	remote unix.Sockaddr
	// id is the echo identifier of ICMP.
	id uint16
}

var errNoAnswer = errors.New("no answer")

func (r *Request) isICMP() bool {
	return r.Protocol == unix.IPPROTO_ICMP || r.Protocol == unix.IPPROTO_ICMPV6
}

// open makes the socket inside the namespace. ICMP needs a raw one: those for unprivileged users are limited to some
// groups, by a setting of each namespace.
func (r *Request) open() (*socket, error) {
	s := &socket{Request: r, fd: -1, id: uint16(rand.Uint32())}
	err := r.From.Handle.Do(func() error {
		var err error
		if s.remote, err = sockaddr(r.Destination, r.isICMP()); err != nil {
			return err
		}
		kind, protocol := unix.SOCK_STREAM, 0
		switch {
		case r.isICMP():
			kind, protocol = unix.SOCK_RAW, int(r.Protocol)
		case r.Protocol == unix.IPPROTO_UDP:
			kind = unix.SOCK_DGRAM
		}
		family := unix.AF_INET
		if r.Destination.Addr().Is6() {
			family = unix.AF_INET6
		}
		if s.fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol); err != nil {
			return fmt.Errorf("open socket: %w", err)
		}
		return s.prepare()
	})
	if err != nil && s.fd >= 0 {
		unix.Close(s.fd)
	}
	return s, err
}

// prepare asks for ICMP errors with all they say, and takes the source port.
func (s *socket) prepare() error {
	level, option := unix.SOL_IP, unix.IP_RECVERR
	var any unix.Sockaddr = &unix.SockaddrInet4{Port: int(s.SourcePort)}
	if s.Destination.Addr().Is6() {
		level, option = unix.SOL_IPV6, unix.IPV6_RECVERR
		any = &unix.SockaddrInet6{Port: int(s.SourcePort)}
	}
	if err := unix.SetsockoptInt(s.fd, level, option, 1); err != nil {
		return fmt.Errorf("ask for errors: %w", err)
	}
	if s.SourcePort == 0 || s.isICMP() {
		return nil
	}
	// A port that an earlier attempt used is still remembered by TCP for a minute.
	if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(s.fd, any); err != nil {
		return fmt.Errorf("take source port %d: %w", s.SourcePort, err)
	}
	return nil
}

func (s *socket) close() { unix.Close(s.fd) }

// sockaddr must be called inside the namespace, which alone knows the index of an address's device.
func sockaddr(address netip.AddrPort, withoutPort bool) (unix.Sockaddr, error) {
	port := int(address.Port())
	if withoutPort {
		port = 0
	}
	if address.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: address.Addr().As4(), Port: port}, nil
	}
	result := &unix.SockaddrInet6{Addr: address.Addr().As16(), Port: port}
	if zone := address.Addr().Zone(); zone != "" {
		device, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("device %q: %w", zone, err)
		}
		result.ZoneId = uint32(device.Index)
	}
	return result, nil
}

// local is the socket's own address, the echo identifier in place of ICMP's port.
func (s *socket) local() netip.AddrPort {
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return netip.AddrPort{}
	}
	address := addrPort(name)
	if s.isICMP() {
		return netip.AddrPortFrom(address.Addr(), s.id)
	}
	return address
}

func addrPort(name unix.Sockaddr) netip.AddrPort {
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port))
	}
	return netip.AddrPort{}
}

// exchange connects, sends and waits for an answer.
func (s *socket) exchange(ctx context.Context, number uint16) ([]byte, error) {
	err := unix.Connect(s.fd, s.remote)
	if errors.Is(err, unix.EINPROGRESS) {
		err = s.wait(ctx, unix.POLLOUT)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case s.isICMP():
		return s.echo(ctx, number)
	case s.Protocol == unix.IPPROTO_UDP:
		if err := unix.Send(s.fd, s.Payload, 0); err != nil {
			return nil, err
		}
		return s.receive(ctx)
	case len(s.Payload) == 0:
		return nil, nil // the handshake is the answer
	}
	if err := unix.Send(s.fd, s.Payload, unix.MSG_NOSIGNAL); err != nil {
		return nil, err
	}
	reply, err := s.receive(ctx)
	if errors.Is(err, errNoAnswer) {
		err = nil // the connection was made all the same
	}
	return reply, err
}

func (s *socket) receive(ctx context.Context) ([]byte, error) {
	buffer := make([]byte, maxReply)
	for {
		if err := s.wait(ctx, unix.POLLIN); err != nil {
			return nil, err
		}
		length, _, err := unix.Recvfrom(s.fd, buffer, 0)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buffer[:length], nil
	}
}

// echo sends an echo request and waits for its reply. A raw socket also sees others.
func (s *socket) echo(ctx context.Context, number uint16) ([]byte, error) {
	var request, answer icmp.Type = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply
	if s.Protocol == unix.IPPROTO_ICMPV6 {
		request, answer = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	message := icmp.Message{Type: request, Body: &icmp.Echo{ID: int(s.id), Seq: int(number), Data: s.Payload}}
	// Of ICMPv6 the kernel computes the checksum, which covers addresses.
	packet, err := message.Marshal(nil)
	if err != nil {
		return nil, fmt.Errorf("build echo request: %w", err)
	}
	if err := unix.Send(s.fd, packet, 0); err != nil {
		return nil, err
	}
	for {
		received, err := s.receive(ctx)
		if err != nil {
			return nil, err
		}
		reply, err := icmp.ParseMessage(int(s.Protocol), s.body(received))
		if err != nil || reply.Type != answer {
			continue
		}
		if echo, ok := reply.Body.(*icmp.Echo); ok && echo.ID == int(s.id) && echo.Seq == int(number) {
			return echo.Data, nil
		}
	}
}

// body skips the IP header, which raw IPv4 sockets deliver.
func (s *socket) body(packet []byte) []byte {
	if s.Protocol != unix.IPPROTO_ICMP || len(packet) == 0 {
		return packet
	}
	return packet[min(int(packet[0]&0x0f)*4, len(packet)):]
}

// wait returns when the socket is ready, has failed, or time is up.
func (s *socket) wait(ctx context.Context, events int16) error {
	const slice = 50 * time.Millisecond // how late the end of the context may be noticed
	for ctx.Err() == nil {
		poll := []unix.PollFd{{Fd: int32(s.fd), Events: events}}
		if deadline, ok := ctx.Deadline(); ok {
			left := min(slice, max(time.Until(deadline), time.Millisecond))
			if _, err := unix.Poll(poll, int(left.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) {
				return err
			}
		}
		if poll[0].Revents == 0 {
			continue
		}
		code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return err
		}
		if code != 0 {
			return unix.Errno(code)
		}
		if poll[0].Revents&events != 0 {
			return nil
		}
		if poll[0].Revents&unix.POLLERR != 0 {
			return errFromQueue // an error without effect on the socket, which only the queue knows
		}
	}
	return errNoAnswer
}

var errFromQueue = errors.New("the network reported an error")

// extended is struct sock_extended_err, with the address of who sent the error.
type extended struct {
	errno              unix.Errno
	origin, kind, code uint8
	offender           netip.Addr
}

// queued reads the error queue. It must be asked before the socket is closed.
func (s *socket) queued() (extended, bool) {
	control := make([]byte, 512)
	_, length, _, _, err := unix.Recvmsg(s.fd, make([]byte, 1), control, unix.MSG_ERRQUEUE)
	if err != nil {
		return extended{}, false
	}
	messages, err := unix.ParseSocketControlMessage(control[:length])
	if err != nil {
		return extended{}, false
	}
	for _, message := range messages {
		isError := message.Header.Level == unix.SOL_IP && message.Header.Type == unix.IP_RECVERR ||
			message.Header.Level == unix.SOL_IPV6 && message.Header.Type == unix.IPV6_RECVERR
		if data := message.Data; isError && len(data) >= 16 {
			return extended{
				errno: unix.Errno(binary.NativeEndian.Uint32(data)), origin: data[4], kind: data[5], code: data[6], offender: offender(data[16:]),
			}, true
		}
	}
	return extended{}, false
}

// offender reads struct sockaddr_in or sockaddr_in6.
func offender(data []byte) netip.Addr {
	if len(data) < 2 {
		return netip.Addr{}
	}
	switch family := binary.NativeEndian.Uint16(data); {
	case family == unix.AF_INET && len(data) >= 8:
		return netip.AddrFrom4([4]byte(data[4:8]))
	case family == unix.AF_INET6 && len(data) >= 24:
		return netip.AddrFrom16([16]byte(data[8:24]))
	}
	return netip.Addr{}
}
