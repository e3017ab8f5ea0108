// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Origins of an error, include/uapi/linux/errqueue.h.
const (
	originICMP  = 2
	originICMP6 = 3
)

const (
	icmpUnreachable  = 3
	icmpPort         = 3
	icmp6Unreachable = 1
	icmp6Port        = 4
)

// Codes of "destination unreachable": RFC 792, 1122, 1812 and RFC 4443.
var (
	icmpCodes = []string{
		"network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed",
		"source route failed", "destination network unknown", "destination host unknown", "source host isolated",
		"network administratively prohibited", "host administratively prohibited", "network unreachable for type of service",
		"host unreachable for type of service", "communication administratively prohibited", "host precedence violation",
		"precedence cutoff in effect",
	}
	icmp6Codes = []string{
		"no route to destination", "communication administratively prohibited", "beyond scope of source address",
		"address unreachable", "port unreachable", "source address failed policy", "reject route to destination",
	}
)

// What the kernel of this node says when it does not even send the packet.
var localErrors = map[unix.Errno]string{
	unix.ENETUNREACH:  "no route from this namespace, or an unreachable one",
	unix.EHOSTUNREACH: "the route is unreachable, or the next hop does not answer",
	unix.EACCES:       "a prohibit route, or a rule or program that forbids it",
	unix.EPERM:        "a rule or program of this namespace dropped the packet, or forbids the connection",
	unix.EINVAL:       "a blackhole route, or an address that can't be dialled",
	unix.ENETDOWN:     "the device is down",
	unix.EMSGSIZE:     "the packet does not fit the path's MTU",
}

// classify turns how an exchange ended into a result and words.
func (s *socket) classify(err error) (Result, string) {
	if err == nil {
		return Connected, ""
	}
	if errors.Is(err, errNoAnswer) || errors.Is(err, unix.ETIMEDOUT) {
		return Timeout, fmt.Sprintf("no answer within %d ms", s.Timeout.Milliseconds())
	}
	if report, ok := s.queued(); ok && (report.origin == originICMP || report.origin == originICMP6) {
		return report.result()
	}
	var code unix.Errno
	if !errors.As(err, &code) {
		return Error, err.Error()
	}
	switch {
	case code == unix.ECONNREFUSED && s.Protocol == unix.IPPROTO_TCP:
		return Refused, "TCP reset"
	case code == unix.ECONNREFUSED:
		return Refused, "port unreachable"
	case code == unix.ECONNRESET:
		return Refused, "TCP reset after the connection was made"
	}
	if words, ok := localErrors[code]; ok {
		return Unreachable, fmt.Sprintf("%s: %s", unix.ErrnoName(code), words)
	}
	return Error, fmt.Sprintf("%s: %s", unix.ErrnoName(code), code.Error())
}

func (e extended) result() (Result, string) {
	version, codes := "ICMP", icmpCodes
	unreachable, port := e.kind == icmpUnreachable, e.code == icmpPort
	if e.origin == originICMP6 {
		version, codes = "ICMPv6", icmp6Codes
		unreachable, port = e.kind == icmp6Unreachable, e.code == icmp6Port
	}
	what := fmt.Sprintf("type %d code %d", e.kind, e.code)
	if unreachable && int(e.code) < len(codes) {
		what = codes[e.code]
	}
	detail := fmt.Sprintf("%s %s", version, what)
	if e.offender.IsValid() && !e.offender.IsUnspecified() {
		detail += " from " + e.offender.String()
	}
	if unreachable && port {
		return Refused, detail
	}
	return Unreachable, detail
}
