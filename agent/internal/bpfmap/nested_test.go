// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
)

// Cilium keeps a Maglev table for each service: a map within a map. The outer one's values are ids, by which the inner ones are read.
func TestTheEntriesOfAMapOfMapsNameMapsThatCanBeDumped(t *testing.T) {
	inner := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1}
	for _, kind := range []ebpf.MapType{ebpf.HashOfMaps, ebpf.ArrayOfMaps} {
		t.Run(kind.String(), func(t *testing.T) {
			outer := newMap(t, &ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: 4, MaxEntries: 3, InnerMap: inner})
			tables := map[uint32]uint32{}
			for service := range uint32(3) {
				table := newMap(t, inner.Copy())
				if err := table.Put(uint32(0), [4]uint32{service, service, 7, 7}); err != nil {
					t.Fatal(err)
				}
				if err := outer.Put(service, uint32(table.FD())); err != nil {
					t.Fatal(err)
				}
				tables[service] = idOf(t, table)
			}
			var services collected
			if end := collect(t, open(t, outer), Request{}, &services); end.Incomplete != "" {
				t.Fatal(end.Incomplete)
			}
			if len(services.values) != len(tables) {
				t.Fatalf("%d entries, not %d", len(services.values), len(tables))
			}
			for service, value := range services.values {
				id := binary.LittleEndian.Uint32(value)
				if id != tables[service] {
					t.Fatalf("service %d has map %d, not %d", service, id, tables[service])
				}
				table, err := Open(Reference{ID: id})
				if err != nil {
					t.Fatal(err)
				}
				defer table.Close()
				var backends collected
				collect(t, table, Request{}, &backends)
				if first := binary.LittleEndian.Uint32(backends.values[0]); first != service {
					t.Errorf("the table of service %d begins with backend %d", service, first)
				}
			}
		})
	}
}
