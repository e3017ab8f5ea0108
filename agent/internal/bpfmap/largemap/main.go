// SPDX-License-Identifier: Apache-2.0

// Command largemap makes a hash map for tests of large dumps, and holds it until its input ends. It prints the map's id. Keys are
// 8 bytes, values 72, whose first 8 are the key's number times three. With -churn, as many further keys come and go all the time.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
)

const keySize, valueSize, batch = 8, 72, 4096

func main() {
	count := flag.Int("entries", 1_000_000, "`number` of entries that stay")
	churn := flag.Int("churn", 0, "`number` of further keys that come and go")
	flag.Parse()
	if err := run(*count, *churn); err != nil {
		fmt.Fprintln(os.Stderr, "largemap:", err)
		os.Exit(1)
	}
}

func run(count, churn int) error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	table, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "pl_large", Type: ebpf.Hash, KeySize: keySize, ValueSize: valueSize, MaxEntries: uint32(count + churn + batch),
	})
	if err != nil {
		return err
	}
	defer table.Close()
	if err := fill(table, 0, count); err != nil {
		return err
	}
	info, err := table.Info()
	if err != nil {
		return err
	}
	id, _ := info.ID()
	fmt.Println(id)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	for churn > 0 {
		select {
		case err := <-ended:
			return err
		default:
		}
		if err := fill(table, count, count+churn); err != nil {
			return err
		}
		keys := make([]byte, keySize)
		for number := count; number < count+churn; number++ {
			binary.LittleEndian.PutUint64(keys, uint64(number))
			if err := table.Delete(keys); err != nil {
				return err
			}
		}
	}
	return <-ended
}

// fill adds entries of the numbers from first up to last.
func fill(table *ebpf.Map, first, last int) error {
	for start := first; start < last; start += batch {
		end := min(last, start+batch)
		keys, values := make([][keySize]byte, end-start), make([][valueSize]byte, end-start)
		for i := range keys {
			number := uint64(start + i)
			binary.LittleEndian.PutUint64(keys[i][:], number)
			binary.LittleEndian.PutUint64(values[i][:], 3*number)
		}
		if _, err := table.BatchUpdate(keys, values, nil); err != nil {
			return err
		}
	}
	return nil
}
