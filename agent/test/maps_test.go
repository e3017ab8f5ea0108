// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"plumbline.dev/agent/internal/facts"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/nstest"
)

// pinned makes a map of services as Cilium pins it, with entries whose ports count from 0, on a bpffs the agent sees.
func pinned(t *testing.T, entries int) (*ebpf.Map, string) {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("bpf", folder, "bpf", 0, ""); err != nil {
		t.Skip("skipped: no bpffs can be mounted: ", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	const name = "cilium_lb4_services_v2"
	table, err := ebpf.NewMap(&ebpf.MapSpec{Name: name[:15], Type: ebpf.Hash, KeySize: 12, ValueSize: 12, MaxEntries: uint32(entries) * 2})
	if err != nil {
		t.Skip("skipped: the kernel refuses the map: ", err)
	}
	t.Cleanup(func() { table.Close() })
	keys, values := make([][12]byte, entries), make([][12]byte, entries)
	for i := range keys {
		keys[i] = [12]byte{10, 96, byte(i >> 16), 1, byte(i >> 8), byte(i)}
	}
	if _, err := table.BatchUpdate(keys, values, nil); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	if err := table.Pin(path); err != nil {
		t.Fatal(err)
	}
	return table, path
}

func byPath(path string) *pb.MapReference {
	return &pb.MapReference{Map: &pb.MapReference_PinnedPath{PinnedPath: path}}
}

type dumped struct {
	info    *pb.MapInfo
	entries []byte
	end     *pb.MapEnd
}

func dump(ctx context.Context, agent pb.AgentClient, request *pb.DumpMapRequest) (*dumped, error) {
	stream, err := agent.DumpMap(ctx, request)
	if err != nil {
		return nil, err
	}
	got := &dumped{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		switch content := chunk.GetContent().(type) {
		case *pb.MapChunk_Map:
			got.info = content.Map
		case *pb.MapChunk_Entries:
			got.entries = append(got.entries, content.Entries.GetEntries()...)
		case *pb.MapChunk_Done:
			got.end = content.Done
		}
	}
}

func TestMapsAreDumpedFilteredAndInPages(t *testing.T) {
	const entries = 100_000
	_, path := pinned(t, entries)
	agent := start(t, nstest.New(t)).dial(t)
	whole, err := dump(t.Context(), agent, &pb.DumpMapRequest{Map: byPath(path)})
	if err != nil || whole.end.GetCount() != entries || len(whole.entries) != 24*entries {
		t.Fatal(err, whole.end, len(whole.entries))
	}
	info := whole.info
	if info.GetPinnedPath() != path || info.GetName() != "cilium_lb4_serv" || info.GetType() != "hash" || info.GetEntrySize() != 24 || info.GetValuesPerEntry() != 1 {
		t.Error(info)
	}
	byID := &pb.MapReference{Map: &pb.MapReference_Id{Id: info.GetId()}}
	filter := &pb.ByteFilter{Part: pb.ByteFilter_PART_KEY, Offset: 4, Value: []byte{0, 80}}
	page, err := dump(t.Context(), agent, &pb.DumpMapRequest{Map: byID, Filters: []*pb.ByteFilter{filter}, Limit: 1})
	if err != nil || page.end.GetCount() != 1 || page.end.GetResumeToken() == nil || page.info.GetPinnedPath() != path {
		t.Fatal(err, page)
	}
	rest, err := dump(t.Context(), agent, &pb.DumpMapRequest{Map: byID, Filters: []*pb.ByteFilter{filter}, ResumeToken: page.end.GetResumeToken()})
	if err != nil || rest.end.GetCount() != 1 || slices.Equal(rest.entries, page.entries) {
		t.Fatal("100,000 ports have two that are 80: ", err, rest.end)
	}
}

func TestWrongRequestsForMapsAreToldApart(t *testing.T) {
	_, path := pinned(t, 10)
	agent := start(t, nstest.New(t)).dial(t)
	queue, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Queue, ValueSize: 4, MaxEntries: 4})
	if err != nil {
		t.Skip("skipped: the kernel refuses the map: ", err)
	}
	defer queue.Close()
	info, _ := queue.Info()
	id, _ := info.ID()
	queued := &pb.MapReference{Map: &pb.MapReference_Id{Id: uint32(id)}}
	outside := []*pb.ByteFilter{{Part: pb.ByteFilter_PART_KEY, Offset: 12, Value: []byte{1}}}
	for what, expected := range map[*pb.DumpMapRequest]codes.Code{
		{}:                                    codes.InvalidArgument,
		{Map: byPath("relative")}:             codes.InvalidArgument,
		{Map: byPath(path + "-not")}:          codes.NotFound,
		{Map: byPath("/proc/self/status")}:    codes.NotFound,
		{Map: queued}:                         codes.FailedPrecondition,
		{Map: byPath(path), Filters: outside}: codes.InvalidArgument,
		{Map: byPath(path), ResumeToken: []byte{1}}:                        codes.InvalidArgument,
		{Map: byPath(path), Filters: []*pb.ByteFilter{{Value: []byte{1}}}}: codes.InvalidArgument,
	} {
		if _, err := dump(t.Context(), agent, what); status.Code(err) != expected {
			t.Errorf("%v: %v", what, err)
		}
	}
}

func TestAClientThatStopsReadingHoldsTheDumpAndNotTheAgent(t *testing.T) {
	_, path := pinned(t, 400_000)
	process := start(t, nstest.New(t))
	agent := process.dial(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := agent.DumpMap(ctx, &pb.DumpMapRequest{Map: byPath(path)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	info, err := agent.GetNodeInfo(t.Context(), &pb.GetNodeInfoRequest{})
	if err != nil || info.GetOverhead().GetResidentBytes() > 200<<20 {
		t.Errorf("%v: %d bytes resident", err, info.GetOverhead().GetResidentBytes())
	}
	cancel()
	for err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}

func TestAWatchFollowsAMapToItsEnd(t *testing.T) {
	table, path := pinned(t, 10)
	agent := start(t, nstest.New(t)).dial(t)
	stream, err := agent.WatchMap(t.Context(), &pb.WatchMapRequest{Map: byPath(path), IntervalMilliseconds: 100})
	if err != nil {
		t.Fatal(err)
	}
	next := func() *pb.MapChange {
		change, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return change
	}
	if next().GetMap().GetEntrySize() != 24 || len(next().GetDifference().GetAdded()) != 240 {
		t.Fatal("the beginning is not all entries")
	}
	key := [12]byte{10, 96, 0, 1, 0, 3}
	if err := table.Put(key, [12]byte{42}); err != nil {
		t.Fatal(err)
	}
	if changed := next().GetDifference().GetChanged(); len(changed) != 24 || changed[5] != 3 || changed[12] != 42 {
		t.Errorf("%x", changed)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if next().GetEnded().GetReason() == "" {
		t.Error("the end has no reason")
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	for _, interval := range []uint32{1, 90_000} {
		stream, err := agent.WatchMap(t.Context(), &pb.WatchMapRequest{Map: byPath(path), IntervalMilliseconds: interval})
		if err == nil {
			_, err = stream.Recv()
		}
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%d ms: %v", interval, err)
		}
	}
}

func TestASnapshotHoldsTheContentsOfTheDatapathsMaps(t *testing.T) {
	_, path := pinned(t, 1000)
	agent := start(t, nstest.New(t)).dial(t)
	got, err := receive(t.Context(), agent, &pb.SnapshotRequest{Parts: []string{"maps"}})
	if err != nil {
		t.Fatal(err)
	}
	var index []facts.MapDump
	if err := json.Unmarshal([]byte(got.files["bpf/maps/index.json"]), &index); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(index, func(of facts.MapDump) bool { return of.Path == path })
	if at < 0 {
		t.Fatalf("%+v", index)
	}
	if of := index[at]; of.Count != 1000 || of.Truncated || of.KeySize != 12 || len(got.files[of.File]) != 24_000 {
		t.Errorf("%+v with %d bytes", of, len(got.files[of.File]))
	}
	if got.files["bpf/cilium.json"] == "" && got.problems["bpf/cilium.json"] == "" {
		t.Error("nothing is said of Cilium")
	}
}
