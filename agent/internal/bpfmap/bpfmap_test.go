// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

func newMap(t testing.TB, spec *ebpf.MapSpec) *ebpf.Map {
	t.Helper()
	spec.Name = "plumb_test"
	created, err := ebpf.NewMap(spec)
	if err != nil {
		t.Skip("skipped: the kernel refuses the map: ", err)
	}
	t.Cleanup(func() { created.Close() })
	return created
}

func idOf(t testing.TB, of *ebpf.Map) uint32 {
	t.Helper()
	info, err := of.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	return uint32(id)
}

func open(t testing.TB, of *ebpf.Map) *Map {
	t.Helper()
	opened, err := Open(Reference{ID: idOf(t, of)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(opened.Close)
	return opened
}

// fill adds keys 0 to count-1 (little-endian), each with its double as value.
func fill(t testing.TB, into *ebpf.Map, count int) {
	t.Helper()
	for first := 0; first < count; first += 10_000 {
		keys, values := []uint32{}, []uint64{}
		for i := first; i < min(count, first+10_000); i++ {
			keys, values = append(keys, uint32(i)), append(values, uint64(2*i))
		}
		if _, err := into.BatchUpdate(keys, values, nil); err != nil {
			t.Fatal(err)
		}
	}
}

type collected struct {
	values map[uint32][]byte
	pieces int
	twice  int
}

func collect(t testing.TB, from *Map, request Request, into *collected) End {
	t.Helper()
	end, err := from.Dump(t.Context(), request, into.take(from))
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func (c *collected) take(from *Map) Sink {
	if c.values == nil {
		c.values = map[uint32][]byte{}
	}
	return func(entries []byte, count uint32, _ uint64) error {
		c.pieces++
		if len(entries) != int(count)*from.EntrySize() {
			return fmt.Errorf("%d bytes for %d entries", len(entries), count)
		}
		for ; len(entries) > 0; entries = entries[from.EntrySize():] {
			key := binary.LittleEndian.Uint32(entries)
			if _, known := c.values[key]; known {
				c.twice++
			}
			c.values[key] = bytes.Clone(entries[from.KeySize:from.EntrySize()])
		}
		return nil
	}
}

func (c *collected) check(t *testing.T, count int) {
	t.Helper()
	if len(c.values) != count || c.twice != 0 {
		t.Fatalf("%d entries, %d twice, instead of %d", len(c.values), c.twice, count)
	}
	for key, value := range c.values {
		if binary.LittleEndian.Uint64(value) != uint64(2*key) {
			t.Fatalf("key %d has value %x", key, value)
		}
	}
}

func TestEveryEntryOfLargeHashesIsReadOnce(t *testing.T) {
	const count = 200_000
	for _, kind := range []ebpf.MapType{ebpf.Hash, ebpf.LRUHash} {
		t.Run(kind.String(), func(t *testing.T) {
			created := newMap(t, &ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: 8, MaxEntries: 2 * count})
			fill(t, created, count)
			var got collected
			end := collect(t, open(t, created), Request{}, &got)
			got.check(t, count)
			if end.Count != count || end.Scanned != count || end.Resume != nil || end.Incomplete != "" || got.pieces < 5 {
				t.Errorf("%+v in %d pieces", end, got.pieces)
			}
		})
	}
}

func TestADumpGoesOnWhereItsLimitEndedIt(t *testing.T) {
	for _, kind := range []ebpf.MapType{ebpf.Hash, ebpf.LRUHash, ebpf.Array} {
		t.Run(kind.String(), func(t *testing.T) {
			room := uint32(1000)
			if kind == ebpf.LRUHash { // it evicts before it is full
				room = 8000
			}
			created := newMap(t, &ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: 8, MaxEntries: room})
			fill(t, created, 1000)
			reader := open(t, created)
			var got collected
			pages := 0
			for end := (End{Resume: []byte{}}); end.Resume != nil && pages < 50; pages++ {
				end = collect(t, reader, Request{Limit: 77, Resume: end.Resume}, &got)
				if end.Count > 77 {
					t.Fatal(end)
				}
			}
			got.check(t, 1000)
			if pages != 13 {
				t.Errorf("%d pages", pages)
			}
		})
	}
}

func TestForeignTokensAreRefused(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 100})
	fill(t, created, 100)
	reader := open(t, created)
	end := collect(t, reader, Request{Limit: 10}, &collected{})
	for _, token := range [][]byte{{1}, append(bytes.Clone(end.Resume), 0), append([]byte{end.Resume[0] + 1}, end.Resume[1:]...)} {
		if _, err := reader.Dump(t.Context(), Request{Resume: token}, nil); err == nil || !strings.Contains(err.Error(), "token") {
			t.Errorf("%x: %v", token, err)
		}
	}
}

func TestPerCPUValuesComeOnePerPossibleCPU(t *testing.T) {
	cpus := ebpf.MustPossibleCPU()
	for _, kind := range []ebpf.MapType{ebpf.PerCPUHash, ebpf.LRUCPUHash, ebpf.PerCPUArray} {
		t.Run(kind.String(), func(t *testing.T) {
			created := newMap(t, &ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: 4, MaxEntries: 300})
			for key := range uint32(300) {
				values := make([]uint32, cpus)
				for cpu := range values {
					values[cpu] = key*100 + uint32(cpu)
				}
				if err := created.Put(key, values); err != nil {
					t.Fatal(err)
				}
			}
			reader := open(t, created)
			var got collected
			collect(t, reader, Request{}, &got)
			if len(got.values) != 300 || reader.ValuesPerEntry != uint32(cpus) || reader.EntrySize() != 4+8*cpus {
				t.Fatal(len(got.values), reader.Info)
			}
			for key, value := range got.values {
				for cpu := range cpus {
					if binary.LittleEndian.Uint32(value[8*cpu:]) != key*100+uint32(cpu) {
						t.Fatalf("key %d: %x", key, value)
					}
				}
			}
		})
	}
}

func TestPrefixesAreReadFromATrie(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.LPMTrie, KeySize: 8, ValueSize: 4, MaxEntries: 5000, Flags: unix.BPF_F_NO_PREALLOC})
	for i := range uint32(5000) {
		key := binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 24+i%9), i<<8)
		if err := created.Put(key, i); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[uint32]bool{}
	end, err := open(t, created).Dump(t.Context(), Request{}, func(entries []byte, _ uint32, _ uint64) error {
		for ; len(entries) > 0; entries = entries[12:] {
			seen[binary.LittleEndian.Uint32(entries[8:])] = true
		}
		return nil
	})
	if err != nil || len(seen) != 5000 || end.Scanned != 5000 {
		t.Fatal(len(seen), end, err)
	}
}

func TestATrieThatLosesItsEntriesMeanwhileEnds(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.LPMTrie, KeySize: 8, ValueSize: 4, MaxEntries: 40_000, Flags: unix.BPF_F_NO_PREALLOC})
	key := func(i uint32) []byte {
		return binary.BigEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 32), i)
	}
	for i := range uint32(40_000) {
		if err := created.Put(key(i), i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	churn, calm := context.WithCancel(ctx)
	churned := make(chan struct{})
	defer func() { calm(); <-churned }()
	go func() {
		defer close(churned)
		for i := uint32(0); churn.Err() == nil; i = (i + 1) % 40_000 {
			created.Delete(key(i))
			created.Put(key(i), i)
		}
	}()
	reader := open(t, created)
	for range 3 {
		end, err := reader.Dump(ctx, Request{}, func([]byte, uint32, uint64) error { return nil })
		if err != nil || end.Scanned > 3*40_000 {
			t.Fatal(end, err)
		}
	}
}

func TestProgramArraysGiveIDsOfWhatIsInThem(t *testing.T) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}})
	if err != nil {
		t.Skip("skipped: the kernel refuses the program: ", err)
	}
	defer program.Close()
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 64})
	for _, index := range []uint32{3, 40} {
		if err := created.Put(index, program); err != nil {
			t.Fatal(err)
		}
	}
	info, _ := program.Info()
	id, _ := info.ID()
	var got collected
	reader := open(t, created)
	collect(t, reader, Request{}, &got)
	if len(got.values) != 2 || binary.LittleEndian.Uint32(got.values[40]) != uint32(id) {
		t.Errorf("%v, program %d", got.values, id)
	}
	got = collected{}
	end := collect(t, reader, Request{Limit: 1}, &got)
	collect(t, reader, Request{Resume: end.Resume}, &got)
	if len(got.values) != 2 || got.twice != 0 {
		t.Errorf("in two parts: %v", got.values)
	}
}

func TestMapsWithoutListableContentsSaySo(t *testing.T) {
	for kind, spec := range map[string]*ebpf.MapSpec{
		"queue":            {Type: ebpf.Queue, ValueSize: 4, MaxEntries: 4},
		"ringbuf":          {Type: ebpf.RingBuf, MaxEntries: 4096},
		"perf_event_array": {Type: ebpf.PerfEventArray, KeySize: 4, ValueSize: 4, MaxEntries: 2},
	} {
		_, err := open(t, newMap(t, spec)).Dump(t.Context(), Request{}, nil)
		if !errors.Is(err, ErrUnreadable) || !strings.Contains(err.Error(), kind) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestFiltersKeepWhatMatches(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 70_000})
	fill(t, created, 70_000)
	reader := open(t, created)
	var got collected
	end := collect(t, reader, Request{Filters: Filters{{Value: []byte{0x05}}, {InValue: true, Offset: 1, Mask: []byte{0xf0}, Value: []byte{0x20}}}}, &got)
	want := 0
	for i := range 70_000 {
		if i&0xff == 5 && (2*i>>8)&0xf0 == 0x20 {
			want++
		}
	}
	if len(got.values) != want || want == 0 || end.Scanned != 70_000 || end.Count != uint64(want) {
		t.Errorf("%d instead of %d: %+v", len(got.values), want, end)
	}
	for _, bad := range []Filter{{}, {Offset: 4, Value: []byte{0}}, {Value: []byte{1, 2, 3, 4, 5}}, {Value: []byte{1}, Mask: []byte{1, 2}}, {Offset: 1 << 31, Value: []byte{1}}} {
		if _, err := reader.Dump(t.Context(), Request{Filters: Filters{bad}}, nil); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestAMapThatIsGoneIsNamed(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 50_000})
	fill(t, created, 50_000)
	id, reader := idOf(t, created), open(t, created)
	var got collected
	take, closed := got.take(reader), false
	// Whoever made it lets go of it in the middle of the dump.
	if _, err := reader.Dump(t.Context(), Request{}, func(entries []byte, count uint32, scanned uint64) error {
		if !closed {
			created.Close()
			closed = true
		}
		return take(entries, count, scanned)
	}); err != nil {
		t.Fatal(err)
	}
	got.check(t, 50_000)
	reader.Close()
	var err error
	for range 100 { // the kernel frees it a moment later
		var again *Map
		if again, err = Open(Reference{ID: id}); err != nil {
			break
		}
		again.Close()
		time.Sleep(20 * time.Millisecond)
	}
	if !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := Open(Reference{Path: "/sys/fs/bpf/plumbline-no-such"}); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	if _, err := Open(Reference{Path: "../etc"}); err == nil {
		t.Error("a relative path was taken")
	}
}

func TestADumpEndsWithItsContextAndItsSink(t *testing.T) {
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 300_000})
	fill(t, created, 300_000)
	reader := open(t, created)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := reader.Dump(ctx, Request{}, func([]byte, uint32, uint64) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	full := errors.New("full")
	if _, err := reader.Dump(t.Context(), Request{}, func([]byte, uint32, uint64) error { return full }); !errors.Is(err, full) {
		t.Error(err)
	}
}

func TestTypesAreHandedOver(t *testing.T) {
	integer := &btf.Int{Name: "unsigned int", Size: 4}
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 1, Key: integer, Value: integer})
	reader := open(t, created)
	types, err := reader.Types()
	if err != nil || reader.BTF == 0 || reader.BTFKeyType == 0 || len(types) < 24 || binary.LittleEndian.Uint16(types) != 0xeb9f {
		t.Error(reader.Info, len(types), err)
	}
}

func TestAWatchShowsDifferencesAndEndsWithItsMap(t *testing.T) {
	folder := t.TempDir()
	if err := unix.Mount("bpf", folder, "bpf", 0, ""); err != nil {
		t.Skip("skipped: no bpffs can be mounted: ", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	created := newMap(t, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 8, MaxEntries: 100})
	fill(t, created, 10)
	path := filepath.Join(folder, "watched")
	if err := created.Pin(path); err != nil {
		t.Fatal(err)
	}
	var seen []Difference
	reason, err := Watch(t.Context(), Reference{Path: path}, idOf(t, created), nil, MinInterval, func(d *Difference) error {
		seen = append(seen, *d)
		switch len(seen) {
		case 1:
			created.Put(uint32(3), uint64(999))
			created.Delete(uint32(4))
			created.Put(uint32(50), uint64(1))
		case 2:
			return created.Unpin()
		}
		return nil
	})
	if err != nil || !strings.Contains(reason, "no such map") || len(seen) != 2 {
		t.Fatal(reason, err, seen)
	}
	if len(seen[0].Added) != 120 || len(seen[1].Added) != 12 || len(seen[1].Changed) != 12 || len(seen[1].Removed) != 12 || seen[1].Entries != 10 ||
		seen[1].Removed[0] != 4 || seen[1].Changed[0] != 3 || binary.LittleEndian.Uint64(seen[1].Changed[4:]) != 999 {
		t.Errorf("%+v", seen)
	}
}

func FuzzFilters(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{5, 6}, true, uint32(0), []byte{0xff}, []byte{5})
	f.Add([]byte{}, []byte{}, false, uint32(1<<31), []byte{}, []byte{1})
	f.Fuzz(func(t *testing.T, key, value []byte, inValue bool, offset uint32, mask, want []byte) {
		filters := Filters{{InValue: inValue, Offset: offset, Mask: mask, Value: want}}
		if filters.Check(len(key), len(value)) != nil {
			return
		}
		part := key
		if inValue {
			part = value
		}
		got := bytes.Clone(part[offset : int(offset)+len(want)])
		for i := range mask {
			got[i] &= mask[i]
		}
		if filters.Match(key, value) != bytes.Equal(got, want) {
			t.Errorf("%x %x %+v", key, value, filters)
		}
	})
}
