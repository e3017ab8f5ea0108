// SPDX-License-Identifier: Apache-2.0

// Command maporacle fills real BPF maps through Cilium's own Go types and prints, as JSON, the raw bytes the kernel holds
// beside what Cilium means by them. It is the judge of Plumbline's map layouts.
//
//	maporacle [-entries N] [-seed S]
package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"

	"github.com/cilium/ebpf"
)

// entry is one key and value as Cilium's types hold them, and the fields a decoder must find.
type entry struct {
	key, value any
	expect     map[string]any
}

// table is one of Cilium's maps: how the kernel is asked for it, and how an entry is made.
type table struct {
	name   string
	kind   ebpf.MapType
	flags  uint32
	random func(*rand.Rand) entry
}

type row struct {
	Key    string         `json:"key"`
	Value  string         `json:"value"`
	Expect map[string]any `json:"expect"`
}

type result struct {
	Map       string `json:"map"`
	KeySize   uint32 `json:"keySize"`
	ValueSize uint32 `json:"valueSize"`
	Rows      []row  `json:"rows"`
}

func main() {
	log.SetFlags(0)
	count := flag.Int("entries", 50, "entries a map")
	seed := flag.Uint64("seed", 1, "of the random values")
	flag.Parse()

	rng := rand.New(rand.NewPCG(*seed, 0))
	var results []result
	for _, t := range append(tables(), features()...) {
		r, err := fill(t, *count, rng)
		if err != nil {
			log.Fatalf("maporacle: %s: %v", t.name, err)
		}
		results = append(results, r)
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		log.Fatalf("maporacle: %v", err)
	}
}

// fill writes random entries through Cilium's types and reads each back as bytes.
func fill(t table, count int, rng *rand.Rand) (result, error) {
	first := t.random(rng)
	keySize, valueSize := sizeOf(first.key), sizeOf(first.value)
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: t.kind, Flags: t.flags, KeySize: keySize, ValueSize: valueSize, MaxEntries: uint32(count + 1),
	})
	if err != nil {
		return result{}, fmt.Errorf("create: %w", err)
	}
	defer m.Close()

	r := result{Map: t.name, KeySize: keySize, ValueSize: valueSize}
	for range count {
		e := t.random(rng)
		line, err := roundTrip(m, e)
		if err != nil {
			return result{}, err
		}
		r.Rows = append(r.Rows, line)
	}
	return r, nil
}

func roundTrip(m *ebpf.Map, e entry) (row, error) {
	if err := m.Put(e.key, e.value); err != nil {
		return row{}, fmt.Errorf("put %v: %w", e.expect, err)
	}
	key := bytesOf(e.key)
	value := make([]byte, m.ValueSize())
	if err := m.Lookup(key, &value); err != nil {
		return row{}, fmt.Errorf("look up %x: %w", key, err)
	}
	return row{Key: hex.EncodeToString(key), Value: hex.EncodeToString(value), Expect: e.expect}, nil
}
