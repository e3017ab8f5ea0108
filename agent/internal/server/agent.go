// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"net/netip"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"plumbline.dev/agent/internal/bpf"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/facts"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/node"
	"plumbline.dev/agent/internal/snapshot"
	"plumbline.dev/agent/internal/usage"
	"plumbline.dev/agent/internal/version"
)

// Agent implements plumbline.v1.Agent.
type Agent struct {
	pb.UnimplementedAgentServer
	node      *node.Description
	collector *snapshot.Collector
	// Snapshots wait for each other: one is already as much work as the node should have with it.
	turn chan struct{}
}

// NewAgent puts the parts together.
func NewAgent(description *node.Description, collector *snapshot.Collector) *Agent {
	return &Agent{node: description, collector: collector, turn: make(chan struct{}, 1)}
}

// GetNodeInfo implements the contract.
func (a *Agent) GetNodeInfo(ctx context.Context, _ *pb.GetNodeInfoRequest) (*pb.NodeInfo, error) {
	described := a.node.Node(ctx)
	info := &pb.NodeInfo{
		NodeName: described.Node, AgentVersion: described.AgentVersion, ProtocolVersion: version.Protocol,
		KernelRelease: described.KernelRelease, Architecture: described.Architecture, BootId: described.BootID,
		Scope: &pb.Scope{CgroupRoot: a.collector.Scope.CgroupRoot},
		Overhead: &pb.Overhead{
			CpuNanoseconds: uint64(usage.CPU().Nanoseconds()), ResidentBytes: usage.ResidentBytes(),
		},
	}
	for _, run := range bpf.Runs() {
		info.Overhead.Programs = append(info.Overhead.Programs, &pb.ProgramRun{
			Name: run.Name, RunCount: run.Count, RunNanoseconds: uint64(run.Time.Nanoseconds()),
		})
	}
	for _, capability := range described.Capabilities {
		info.Capabilities = append(info.Capabilities, &pb.Capability{Name: capability.Name, Available: capability.Available, Reason: capability.Reason})
	}
	return info, nil
}

// Snapshot implements the contract.
func (a *Agent) Snapshot(request *pb.SnapshotRequest, stream pb.Agent_SnapshotServer) error {
	wanted, err := snapshotRequest(request)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	ctx := stream.Context()
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	sink := newStreamSink(stream)
	if err := a.collector.Collect(ctx, wanted, sink); err != nil {
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}
		return status.Errorf(codes.Internal, "snapshot: %v", err)
	}
	return sink.done()
}

func snapshotRequest(from *pb.SnapshotRequest) (snapshot.Request, error) {
	request := snapshot.Request{Parts: from.GetParts(), MaxConntrack: int(from.GetConntrack().GetMaxEntries())}
	for _, part := range request.Parts {
		if !slices.Contains(snapshot.Parts, part) {
			return request, status.Errorf(codes.InvalidArgument, "unknown part %q; known are %v", part, snapshot.Parts)
		}
	}
	for _, name := range from.GetPods() {
		pod, err := podName(name)
		if err != nil {
			return request, err
		}
		request.Pods = append(request.Pods, pod)
	}
	var err error
	request.Conntrack, err = conntrackFilter(from.GetConntrack())
	return request, err
}

func conntrackFilter(from *pb.ConntrackFilter) (conntrack.Filter, error) {
	var filter conntrack.Filter
	for _, text := range from.GetAddresses() {
		address, err := netip.ParseAddr(text)
		if err != nil {
			return filter, err
		}
		filter.Addresses = append(filter.Addresses, address.Unmap())
	}
	for _, port := range from.GetPorts() {
		if port > 0xffff {
			return filter, status.Errorf(codes.InvalidArgument, "port %d is above 65535", port)
		}
		filter.Ports = append(filter.Ports, uint16(port))
	}
	for _, protocol := range from.GetProtocols() {
		if protocol > 0xff {
			return filter, status.Errorf(codes.InvalidArgument, "protocol %d is above 255", protocol)
		}
		filter.Protocols = append(filter.Protocols, uint8(protocol))
	}
	return filter, nil
}

// podName splits "namespace/name".
func podName(text string) (facts.PodName, error) {
	for i := range text {
		if text[i] == '/' && i > 0 && i < len(text)-1 {
			return facts.PodName{Namespace: text[:i], Name: text[i+1:]}, nil
		}
	}
	return facts.PodName{}, status.Errorf(codes.InvalidArgument, "pod %q is not written as namespace/name", text)
}
