// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// DropCounter counts dropped packets by namespace and reason while it is open. It ends with the process at the latest.
type DropCounter struct {
	objects dropsObjects
	link    link.Link
	forget  func()
	reasons map[uint32]string
}

// Drops is a number of packets that were dropped in one namespace for one reason.
type Drops struct {
	Netns  uint32
	Reason string // without the kernel's prefix, for example "NO_SOCKET"
	Count  uint64
}

// CountDrops loads and attaches the counter. netns is the inode number of the only namespace to count, 0 for all.
func CountDrops(netns uint32) (*DropCounter, error) {
	spec, err := loadDrops()
	if err != nil {
		return nil, fmt.Errorf("read program: %w", err)
	}
	if err := spec.Variables["only_netns"].Set(netns); err != nil {
		return nil, fmt.Errorf("select namespace: %w", err)
	}
	counter := &DropCounter{forget: func() {}}
	if counter.reasons, err = dropReasons(); err != nil {
		return nil, err
	}
	if err := spec.LoadAndAssign(&counter.objects, nil); err != nil {
		return nil, fmt.Errorf("load program: %w", err)
	}
	counter.forget = register(counter.objects.CountDrop)
	counter.link, err = link.AttachTracing(link.TracingOptions{Program: counter.objects.CountDrop})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach to kfree_skb: %w", err), counter.Close())
	}
	return counter, nil
}

// dropReasons reads the running kernel's enum skb_drop_reason: its numbers differ between releases.
func dropReasons() (map[uint32]string, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("kernel types: %w", err)
	}
	var enum *btf.Enum
	if err := kernel.TypeByName("skb_drop_reason", &enum); err != nil {
		return nil, fmt.Errorf("this kernel gives no drop reasons (5.17 does): %w", err)
	}
	const prefix = "SKB_DROP_REASON_"
	names := make(map[uint32]string, len(enum.Values))
	for _, value := range enum.Values {
		if len(value.Name) > len(prefix) && value.Name[:len(prefix)] == prefix {
			names[uint32(value.Value)] = value.Name[len(prefix):]
		}
	}
	return names, nil
}

// Read returns what was counted since the counter was opened, and how many drops found the table full.
func (c *DropCounter) Read() (drops []Drops, uncounted uint64, err error) {
	var key dropsDropKey
	perCPU := make([]uint64, ebpf.MustPossibleCPU())
	entries := c.objects.Drops.Iterate()
	for entries.Next(&key, &perCPU) {
		total := uint64(0)
		for _, count := range perCPU {
			total += count
		}
		drops = append(drops, Drops{Netns: key.Netns, Reason: c.reason(key.Reason), Count: total})
	}
	if err := entries.Err(); err != nil {
		return nil, 0, fmt.Errorf("read drops: %w", err)
	}
	if err := c.objects.Uncounted.Get(&uncounted); err != nil {
		return nil, 0, fmt.Errorf("read lost drops: %w", err)
	}
	return drops, uncounted, nil
}

func (c *DropCounter) reason(number uint32) string {
	if name, ok := c.reasons[number]; ok {
		return name
	}
	return fmt.Sprintf("0x%x", number)
}

// Close detaches and unloads the program.
func (c *DropCounter) Close() error {
	c.forget()
	var err error
	if c.link != nil {
		err = c.link.Close()
	}
	return errors.Join(err, c.objects.Close())
}
