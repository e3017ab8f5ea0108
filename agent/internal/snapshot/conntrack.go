// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/facts"
)

func (r *run) conntrack(ctx context.Context, folder string) error {
	if _, _, err := conntrack.Usage(); errors.Is(err, fs.ErrNotExist) {
		return nil // nothing tracks connections here
	}
	return r.read(ctx, folder+"/conntrack.json", func() (any, error) {
		limit := r.MaxConntrack
		if limit == 0 {
			limit = DefaultConntrackEntries
		}
		result := facts.Conntrack{Entries: []facts.ConntrackEntry{}}
		var err error
		if result.Count, result.Max, err = conntrack.Usage(); err != nil {
			return nil, err
		}
		err = conntrack.Dump(ctx, func(entry *conntrack.Entry) {
			switch {
			case !r.Conntrack.Match(entry):
			case len(result.Entries) >= limit:
				result.Omitted++
			default:
				result.Entries = append(result.Entries, connection(entry))
			}
		})
		return result, err
	})
}

func connection(entry *conntrack.Entry) facts.ConntrackEntry {
	return facts.ConntrackEntry{
		Protocol: int(entry.Original.Protocol), Original: tuple(&entry.Original), Reply: tuple(&entry.Reply),
		Status: entry.Status, Mark: entry.Mark, Zone: int(entry.Zone), TCPState: entry.TCPStateName(), Timeout: entry.Timeout,
	}
}

func tuple(of *conntrack.Tuple) facts.Tuple {
	result := facts.Tuple{Src: of.Src.String(), Dst: of.Dst.String()}
	switch of.Protocol {
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		kind, code, id := of.ICMPType, of.ICMPCode, of.ICMPID
		result.ICMPType, result.ICMPCode, result.ICMPID = &kind, &code, &id
	case unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_UDPLITE, unix.IPPROTO_SCTP, unix.IPPROTO_DCCP:
		source, destination := of.SrcPort, of.DstPort
		result.Sport, result.Dport = &source, &destination
	}
	return result
}
