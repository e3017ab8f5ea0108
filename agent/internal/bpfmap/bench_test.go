// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	benchKey, benchValue = 16, 64
	benchRounds          = 5
)

// BenchmarkDump compares a dump with its floor, batched lookups whose result nobody looks at, and with its peer, `bpftool -j map
// dump`, round by round, on a hash with PLUMBLINE_BENCH_ENTRIES entries of 80 bytes (a million, if not told).
func BenchmarkDump(b *testing.B) {
	count, err := strconv.Atoi(os.Getenv("PLUMBLINE_BENCH_ENTRIES"))
	if err != nil {
		count = 1_000_000
	}
	created := newMap(b, &ebpf.MapSpec{Type: ebpf.Hash, KeySize: benchKey, ValueSize: benchValue, MaxEntries: uint32(count) * 2})
	fillWide(b, created, count)
	reader := open(b, created)
	var ours, filtered, floor, peer []time.Duration
	for b.Loop() {
		ours, filtered, floor, peer = nil, nil, nil, nil
		for round := range benchRounds {
			floor = append(floor, took(b, func() error { return discard(created, count) }))
			ours = append(ours, took(b, func() error { return dumpAll(b, reader, Request{}, count) }))
			one := Request{Filters: Filters{{Value: []byte{1, 0, 0, 0}}}}
			filtered = append(filtered, took(b, func() error { return dumpAll(b, reader, one, 1) }))
			if round == 0 { // it takes some forty times as long
				peer = append(peer, took(b, func() error { return bpftool(b, reader.ID) }))
			}
		}
	}
	of := func(times []time.Duration) float64 {
		slices.Sort(times)
		return float64(times[len(times)/2])
	}
	b.ReportMetric(of(ours)/float64(count), "ns/entry")
	b.ReportMetric(of(ours)/of(floor), "of-raw-batches")
	b.ReportMetric(of(filtered)/of(floor), "filtered-of-raw-batches")
	if len(peer) > 0 && peer[0] > 0 {
		b.ReportMetric(of(peer)/of(ours), "x-bpftool")
	}
}

func fillWide(b *testing.B, into *ebpf.Map, count int) {
	b.Helper()
	const step = 20_000
	for first := 0; first < count; first += step {
		keys, values := make([][benchKey]byte, 0, step), make([][benchValue]byte, 0, step)
		for i := first; i < min(count, first+step); i++ {
			var key [benchKey]byte
			binary.LittleEndian.PutUint32(key[:], uint32(i))
			keys, values = append(keys, key), append(values, [benchValue]byte{byte(i)})
		}
		if _, err := into.BatchUpdate(keys, values, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func took(b *testing.B, work func() error) time.Duration {
	b.Helper()
	started := time.Now()
	if err := work(); err != nil {
		b.Fatal(err)
	}
	return time.Since(started)
}

func dumpAll(b *testing.B, reader *Map, request Request, want int) error {
	end, err := reader.Dump(b.Context(), request, func([]byte, uint32, uint64) error { return nil })
	if err == nil && end.Count != uint64(want) {
		b.Fatalf("%d entries instead of %d", end.Count, want)
	}
	return err
}

func discard(from *ebpf.Map, want int) error {
	keys, values := make([]byte, batchEntries*benchKey), make([]byte, batchEntries*benchValue)
	var position []byte
	read := 0
	for {
		next := make([]byte, benchKey)
		count, err := lookupBatch(from.FD(), position, next, keys, values, batchEntries)
		read += int(count)
		if errors.Is(err, unix.ENOENT) && read == want {
			return nil
		}
		if err != nil {
			return err
		}
		position = next
	}
}

func bpftool(b *testing.B, id uint32) error {
	command := exec.Command("bpftool", "-j", "map", "dump", "id", strconv.Itoa(int(id)))
	command.Stdout = io.Discard
	if errors.Is(command.Err, exec.ErrNotFound) {
		b.Log("skipped: comparison with bpftool needs that tool")
		return nil
	}
	return command.Run()
}
