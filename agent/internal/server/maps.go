// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"plumbline.dev/agent/internal/bpfmap"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/objects"
)

// DumpMap implements the contract. Sending blocks while the client's window is full, and with it the reading.
func (a *Agent) DumpMap(request *pb.DumpMapRequest, stream pb.Agent_DumpMapServer) error {
	filters, err := mapFilters(request.GetFilters())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	reference, opened, err := openMap(request.GetMap())
	if err != nil {
		return mapStatus(err)
	}
	defer opened.Close()
	if err := filters.Check(int(opened.KeySize), opened.SlotSize()); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	info, err := mapMessage(stream.Context(), reference, opened)
	if err != nil {
		return mapStatus(err)
	}
	if err := stream.Send(&pb.MapChunk{Content: &pb.MapChunk_Map{Map: info}}); err != nil {
		return err
	}
	wanted := bpfmap.Request{Filters: filters, Limit: request.GetLimit(), Resume: request.GetResumeToken()}
	end, err := opened.Dump(stream.Context(), wanted, func(entries []byte, count uint32, scanned uint64) error {
		message := &pb.MapEntries{Entries: entries, Count: count, Scanned: scanned}
		return stream.Send(&pb.MapChunk{Content: &pb.MapChunk_Entries{Entries: message}})
	})
	if err != nil {
		return mapStatus(err)
	}
	return stream.Send(&pb.MapChunk{Content: &pb.MapChunk_Done{Done: &pb.MapEnd{
		Count: end.Count, Scanned: end.Scanned, ResumeToken: end.Resume, Incomplete: end.Incomplete,
	}}})
}

// WatchMap implements the contract.
func (a *Agent) WatchMap(request *pb.WatchMapRequest, stream pb.Agent_WatchMapServer) error {
	interval := time.Duration(request.GetIntervalMilliseconds()) * time.Millisecond
	if interval == 0 {
		interval = bpfmap.DefaultInterval
	}
	if interval < bpfmap.MinInterval || interval > bpfmap.MaxInterval {
		return status.Errorf(codes.InvalidArgument, "interval of %v is not between %v and %v", interval, bpfmap.MinInterval, bpfmap.MaxInterval)
	}
	filters, err := mapFilters(request.GetFilters())
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	reference, opened, err := openMap(request.GetMap())
	if err != nil {
		return mapStatus(err)
	}
	info, err := mapMessage(stream.Context(), reference, opened)
	slot := opened.SlotSize()
	opened.Close() // only readings hold the map
	if err != nil {
		return mapStatus(err)
	}
	if err := filters.Check(int(info.GetKeySize()), slot); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := stream.Send(&pb.MapChange{Content: &pb.MapChange_Map{Map: info}}); err != nil {
		return err
	}
	emit := func(difference *bpfmap.Difference) error {
		return sendDifference(stream, difference, int(info.GetEntrySize()))
	}
	reason, err := bpfmap.Watch(stream.Context(), reference, info.GetId(), filters, interval, emit)
	if err != nil {
		return mapStatus(err)
	}
	return stream.Send(&pb.MapChange{Content: &pb.MapChange_Ended{Ended: &pb.MapEnded{Reason: reason}}})
}

// sendDifference cuts a difference into messages of whole entries.
func sendDifference(stream pb.Agent_WatchMapServer, difference *bpfmap.Difference, entrySize int) error {
	const pieceSize = 1 << 20
	step := max(1, pieceSize/entrySize) * entrySize
	added, changed, removed := difference.Added, difference.Changed, difference.Removed
	cut := func(from *[]byte) []byte {
		piece := (*from)[:min(step, len(*from))]
		*from = (*from)[len(piece):]
		return piece
	}
	for {
		message := &pb.MapDifference{
			Added: cut(&added), Changed: cut(&changed), Removed: cut(&removed), Entries: difference.Entries,
			UnixNanoseconds: uint64(difference.At.UnixNano()),
		}
		message.More = len(added)+len(changed)+len(removed) > 0
		if err := stream.Send(&pb.MapChange{Content: &pb.MapChange_Difference{Difference: message}}); err != nil || !message.More {
			return err
		}
	}
}

func openMap(from *pb.MapReference) (bpfmap.Reference, *bpfmap.Map, error) {
	reference := bpfmap.Reference{ID: from.GetId(), Path: from.GetPinnedPath()}
	if reference == (bpfmap.Reference{}) {
		return reference, nil, fmt.Errorf("map: neither id nor pinned_path is given: %w", fs.ErrInvalid)
	}
	opened, err := bpfmap.Open(reference)
	return reference, opened, err
}

func mapFilters(from []*pb.ByteFilter) (bpfmap.Filters, error) {
	filters := bpfmap.Filters{}
	for i, filter := range from {
		switch filter.GetPart() {
		case pb.ByteFilter_PART_KEY, pb.ByteFilter_PART_VALUE:
		default:
			return nil, fmt.Errorf("filter %d: part is neither key nor value", i)
		}
		filters = append(filters, bpfmap.Filter{
			InValue: filter.GetPart() == pb.ByteFilter_PART_VALUE, Offset: filter.GetOffset(), Mask: filter.GetMask(), Value: filter.GetValue(),
		})
	}
	return filters, nil
}

func mapMessage(ctx context.Context, reference bpfmap.Reference, of *bpfmap.Map) (*pb.MapInfo, error) {
	types, err := of.Types()
	if err != nil {
		return nil, err
	}
	path := reference.Path
	if path == "" {
		pins, err := objects.Pins(ctx) // what can't be listed has no name; that is no reason not to show the map
		if ctx.Err() != nil {
			return nil, err
		}
		for _, pin := range pins {
			if pin.Kind == "map" && pin.ID == of.ID {
				path = pin.Path
				break
			}
		}
	}
	return &pb.MapInfo{
		Id: of.ID, Type: of.Type, Name: of.Name, KeySize: of.KeySize, ValueSize: of.ValueSize, MaxEntries: of.MaxEntries, Flags: of.Flags,
		PinnedPath: path, BtfId: of.BTF, BtfKeyTypeId: of.BTFKeyType, BtfValueTypeId: of.BTFValueType, Btf: types,
		ValuesPerEntry: of.ValuesPerEntry, EntrySize: uint32(of.EntrySize()),
	}, nil
}

// mapStatus gives an error of a map the code the contract promises.
func mapStatus(err error) error {
	code := codes.Internal
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, bpfmap.ErrGone):
		code = codes.NotFound
	case errors.Is(err, bpfmap.ErrUnreadable):
		code = codes.FailedPrecondition
	case errors.Is(err, bpfmap.ErrTooLarge):
		code = codes.ResourceExhausted
	case errors.Is(err, fs.ErrInvalid), errors.Is(err, bpfmap.ErrToken):
		code = codes.InvalidArgument
	}
	return status.Error(code, err.Error())
}
