// SPDX-License-Identifier: Apache-2.0

// Package probe opens real connections from a network namespace, and reports what the kernel and the network did to them.
//
// The socket is made inside the namespace, so routes, rules and programs of that namespace decide about it. The process is
// the agent, though: what depends on the sender's control group or user id is decided as for the agent.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/scope"
)

// Limits of a request.
const (
	DefaultTimeout = 2 * time.Second
	MaxTimeout     = 10 * time.Second
	MaxPayload     = 512
	MaxCount       = 100
	maxReply       = 512
)

// Request describes the connections to make.
type Request struct {
	// From is where they start; Host is the node's own namespace, looked at too.
	From, Host scope.Namespace
	// Destination's zone names a device of the namespace.
	Destination netip.AddrPort
	// Protocol is TCP, UDP, ICMP or ICMPv6.
	Protocol   uint8
	Timeout    time.Duration
	Payload    []byte
	SourcePort uint16
	Count      int
}

// Check completes the request with defaults and refuses what is out of bounds.
func (r *Request) Check() error {
	if r.Timeout == 0 {
		r.Timeout = DefaultTimeout
	}
	if r.Count == 0 {
		r.Count = 1
	}
	icmp := r.Protocol == unix.IPPROTO_ICMP || r.Protocol == unix.IPPROTO_ICMPV6
	is6 := r.Destination.Addr().Is6()
	switch {
	case r.Timeout > MaxTimeout:
		return fmt.Errorf("timeout %v is above %v", r.Timeout, MaxTimeout)
	case len(r.Payload) > MaxPayload:
		return fmt.Errorf("payload of %d bytes is above %d", len(r.Payload), MaxPayload)
	case r.Count > MaxCount:
		return fmt.Errorf("count %d is above %d", r.Count, MaxCount)
	case !icmp && r.Protocol != unix.IPPROTO_TCP && r.Protocol != unix.IPPROTO_UDP:
		return fmt.Errorf("protocol %d can't be probed; 6 (TCP), 17 (UDP), 1 (ICMP) and 58 (ICMPv6) can", r.Protocol)
	case !icmp && r.Destination.Port() == 0:
		return errors.New("a destination port is needed")
	case r.Protocol == unix.IPPROTO_ICMP && is6, r.Protocol == unix.IPPROTO_ICMPV6 && !is6:
		return fmt.Errorf("protocol %d does not fit address %s", r.Protocol, r.Destination.Addr())
	}
	return nil
}

// Result says how an attempt ended.
type Result int

// Results, as protocol/agent.proto defines them.
const (
	Connected Result = iota + 1
	Refused
	Unreachable
	Timeout
	Error
)

// Attempt is one connection that was tried.
type Attempt struct {
	Result Result
	// Detail explains every result but Connected.
	Detail string
	// Local and Remote are the socket's own view. For ICMP the ports are the echo identifier and 0.
	Local, Remote netip.AddrPort
	Started       time.Time
	Duration      time.Duration
	Reply         []byte
	Conntrack     []Tracked
}

// Tracked is a conntrack entry that an attempt made, in the node's own namespace ("host") or the pod's ("pod").
type Tracked struct {
	Netns string
	Entry conntrack.Entry
}

// Run makes the connections one after the other. The error is the context's.
func (r *Request) Run(ctx context.Context) ([]Attempt, error) {
	tracker := newTracker(r)
	var attempts []Attempt
	for number := range r.Count {
		attempt := r.attempt(ctx, uint16(number+1), tracker)
		if ctx.Err() != nil {
			return attempts, ctx.Err()
		}
		attempts = append(attempts, attempt)
	}
	return attempts, nil
}

func (r *Request) attempt(ctx context.Context, number uint16, tracker *tracker) Attempt {
	attempt := Attempt{Remote: r.Destination, Started: time.Now()}
	ctx, cancel := context.WithDeadline(ctx, attempt.Started.Add(r.Timeout))
	defer cancel()
	socket, err := r.open()
	if err != nil {
		attempt.Result, attempt.Detail = Error, err.Error()
		return attempt
	}
	defer socket.close()
	attempt.Reply, err = socket.exchange(ctx, number)
	attempt.Duration = time.Since(attempt.Started)
	attempt.Result, attempt.Detail = socket.classify(err)
	attempt.Local = socket.local()
	// While the socket is open: closing moves the entry on.
	attempt.Conntrack = tracker.find(context.WithoutCancel(ctx), attempt.Local)
	return attempt
}
