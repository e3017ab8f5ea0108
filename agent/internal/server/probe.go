// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/facts"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/probe"
)

// Probe implements the contract.
func (a *Agent) Probe(ctx context.Context, request *pb.ProbeRequest) (*pb.ProbeResult, error) {
	wanted, err := probeRequest(request)
	if err == nil {
		err = wanted.Check()
	}
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	view, err := a.collector.Scope.Look(ctx, a.collector.Names)
	if err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	defer view.Close()
	wanted.Host, wanted.From = view.Namespaces[0], view.Namespaces[0]
	if pod := request.GetPod(); pod.GetName() != "" {
		if wanted.From, err = view.Find(facts.PodName{Namespace: pod.GetNamespace(), Name: pod.GetName()}); err != nil {
			return nil, status.Error(codes.NotFound, err.Error())
		}
	}
	attempts, err := wanted.Run(ctx)
	if err != nil {
		return nil, status.FromContextError(err).Err()
	}
	result := &pb.ProbeResult{}
	for _, attempt := range attempts {
		result.Attempts = append(result.Attempts, attemptMessage(&attempt))
	}
	return result, nil
}

func probeRequest(from *pb.ProbeRequest) (*probe.Request, error) {
	address, err := netip.ParseAddr(from.GetDestinationAddress())
	switch {
	case err != nil:
		return nil, fmt.Errorf("destination: %w", err)
	case from.GetDestinationPort() > 0xffff:
		return nil, fmt.Errorf("destination port %d is above 65535", from.GetDestinationPort())
	case from.GetSourcePort() > 0xffff:
		return nil, fmt.Errorf("source port %d is above 65535", from.GetSourcePort())
	case from.GetProtocol() > 0xff:
		return nil, fmt.Errorf("protocol %d is above 255", from.GetProtocol())
	}
	return &probe.Request{
		Destination: netip.AddrPortFrom(address.Unmap(), uint16(from.GetDestinationPort())), Protocol: uint8(from.GetProtocol()),
		Timeout: time.Duration(from.GetTimeoutMilliseconds()) * time.Millisecond, Payload: from.GetPayload(),
		SourcePort: uint16(from.GetSourcePort()), Count: int(from.GetCount()),
	}, nil
}

var results = map[probe.Result]pb.ProbeAttempt_Result{
	probe.Connected: pb.ProbeAttempt_RESULT_CONNECTED, probe.Refused: pb.ProbeAttempt_RESULT_REFUSED,
	probe.Unreachable: pb.ProbeAttempt_RESULT_UNREACHABLE, probe.Timeout: pb.ProbeAttempt_RESULT_TIMEOUT,
	probe.Error: pb.ProbeAttempt_RESULT_ERROR,
}

func attemptMessage(attempt *probe.Attempt) *pb.ProbeAttempt {
	message := &pb.ProbeAttempt{
		Result: results[attempt.Result], Detail: attempt.Detail, Local: endpoint(attempt.Local), Remote: endpoint(attempt.Remote),
		DurationNanoseconds: uint64(attempt.Duration.Nanoseconds()), Reply: attempt.Reply,
		StartedUnixNanoseconds: uint64(attempt.Started.UnixNano()),
	}
	for _, tracked := range attempt.Conntrack {
		message.Conntrack = append(message.Conntrack, entryMessage(tracked.Netns, &tracked.Entry))
	}
	return message
}

func entryMessage(netns string, entry *conntrack.Entry) *pb.ConntrackEntry {
	source := func(of conntrack.Tuple) *pb.Endpoint {
		return endpoint(netip.AddrPortFrom(of.Src, of.SrcPort|of.ICMPID))
	}
	destination := func(of conntrack.Tuple) *pb.Endpoint { return endpoint(netip.AddrPortFrom(of.Dst, of.DstPort)) }
	return &pb.ConntrackEntry{
		Netns: netns, Protocol: uint32(entry.Original.Protocol), OriginalSource: source(entry.Original),
		OriginalDestination: destination(entry.Original), ReplySource: source(entry.Reply), ReplyDestination: destination(entry.Reply),
		Status: entry.Status, Mark: entry.Mark, Zone: uint32(entry.Zone), TcpState: entry.TCPStateName(),
	}
}

func endpoint(address netip.AddrPort) *pb.Endpoint {
	if !address.Addr().IsValid() {
		return nil
	}
	return &pb.Endpoint{Address: address.Addr().String(), Port: uint32(address.Port())}
}
