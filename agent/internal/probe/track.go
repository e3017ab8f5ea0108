// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"context"
	"net/netip"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/netns"
	"plumbline.dev/agent/internal/scope"
)

// tracker finds the conntrack entries of attempts.
type tracker struct {
	request *Request
	// Namespaces whose whole table was searched already: that is costly, and done once for all attempts.
	searched map[string]bool
}

func newTracker(request *Request) *tracker {
	return &tracker{request: request, searched: map[string]bool{}}
}

// find looks in the namespace of the socket, and then in the node's own for what left the first.
func (t *tracker) find(ctx context.Context, local netip.AddrPort) []Tracked {
	tuple := t.tuple(local)
	if t.request.From.ID == scope.HostID {
		return t.lookup(ctx, scope.HostID, t.request.Host.Handle, tuple)
	}
	found := t.lookup(ctx, "pod", t.request.From.Handle, tuple)
	if len(found) > 0 {
		// As the packet left the namespace, after its own translation.
		tuple = outgoing(&found[0].Entry)
	}
	return append(found, t.lookup(ctx, scope.HostID, t.request.Host.Handle, tuple)...)
}

// tuple is what the first packet carried when it left the socket.
func (t *tracker) tuple(local netip.AddrPort) conntrack.Tuple {
	tuple := conntrack.Tuple{Protocol: t.request.Protocol, Src: local.Addr(), Dst: t.request.Destination.Addr().WithZone("")}
	switch t.request.Protocol {
	case unix.IPPROTO_ICMP:
		tuple.ICMPType, tuple.ICMPID = 8, local.Port()
	case unix.IPPROTO_ICMPV6:
		tuple.ICMPType, tuple.ICMPID = 128, local.Port()
	default:
		tuple.SrcPort, tuple.DstPort = local.Port(), t.request.Destination.Port()
	}
	return tuple
}

// outgoing is the tuple of the original direction after translation: the mirror of what replies carry.
func outgoing(entry *conntrack.Entry) conntrack.Tuple {
	tuple := entry.Original
	tuple.Src, tuple.Dst = entry.Reply.Dst, entry.Reply.Src
	tuple.SrcPort, tuple.DstPort = entry.Reply.DstPort, entry.Reply.SrcPort
	tuple.ICMPID = entry.Reply.ICMPID
	return tuple
}

// lookup asks for the tuple. If there is none, something may have changed the destination before netfilter saw the
// packet, as a program at connect() does, or the entry is in another zone: then the source tells which entry it is.
func (t *tracker) lookup(ctx context.Context, name string, namespace *netns.Handle, tuple conntrack.Tuple) []Tracked {
	if !tuple.Src.IsValid() {
		return nil
	}
	var found []Tracked
	// Without connection tracking there is nothing to report, which is no failure of the attempt.
	_ = namespace.Do(func() error {
		entry, err := conntrack.Get(ctx, tuple)
		if err == nil {
			found = append(found, Tracked{name, entry})
			return nil
		}
		if t.searched[name] {
			return err
		}
		t.searched[name] = true
		return conntrack.Dump(ctx, func(entry *conntrack.Entry) {
			if sameSource(&entry.Original, &tuple) {
				found = append(found, Tracked{name, *entry})
			}
		})
	})
	return found
}

func sameSource(a, b *conntrack.Tuple) bool {
	return a.Protocol == b.Protocol && a.Src == b.Src && a.SrcPort == b.SrcPort && a.ICMPID == b.ICMPID && a.ICMPType == b.ICMPType
}
