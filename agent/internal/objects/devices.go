// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/network"
)

// readDevices asks the devices of the calling thread's namespace.
func (c *collection) readDevices(namespace string) error {
	devices, err := network.Links()
	if err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	filtered, err := filteredDevices()
	if err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	for _, device := range devices {
		place := facts.Attachment{Netns: namespace, Ifindex: device.Ifindex}
		if err := c.readProgramLists(device, place); err != nil {
			return fmt.Errorf("namespace %s: %s: %w", namespace, device.Ifname, err)
		}
		c.readXDP(device, place)
		for _, direction := range filtered[device.Ifindex] {
			if err := c.readFilters(direction, place); err != nil {
				return fmt.Errorf("namespace %s: %s: %w", namespace, device.Ifname, err)
			}
		}
	}
	return nil
}

// readProgramLists asks for what the kernel runs in a known order: tcx on every device, netkit on its own kind.
func (c *collection) readProgramLists(device network.Link, place facts.Attachment) error {
	kinds := []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress}
	if device.Kind == "netkit" {
		kinds = append(kinds, ebpf.AttachNetkitPrimary, ebpf.AttachNetkitPeer)
	}
	for _, kind := range kinds {
		result, err := link.QueryPrograms(link.QueryOptions{Target: device.Ifindex, Attach: kind})
		if unsupported(err) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EACCES) {
			continue // an older kernel, a device that has gone, the peer of a netkit pair
		}
		if err != nil {
			return err
		}
		for position, program := range result.Programs {
			place.Attach, place.Position = attachName(kind), &position
			c.place(program, place)
		}
	}
	return nil
}

// readXDP tells a program attached by link, whose namespace was unknown until now, from one attached by netlink.
func (c *collection) readXDP(device network.Link, place facts.Attachment) {
	for mode, program := range device.XDP {
		place.Attach, place.ProgramID = mode, program
		known := false
		for _, fact := range c.links {
			if fact.Attach == "xdp" && fact.Ifindex == device.Ifindex && fact.ProgramID == program && fact.Netns == "" {
				fact.Attach, fact.Netns, known = mode, place.Netns, true
				break
			}
		}
		if !known {
			c.others = append(c.others, place)
		}
	}
}

// direction is a place of a device where classic tc filters are.
type direction struct {
	parent uint32
	name   string
}

// filteredDevices finds those with a clsact or ingress queueing discipline: nothing else can have such filters.
func filteredDevices() (map[int][]direction, error) {
	list, err := netlink.QdiscList(nil)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("queueing disciplines: %w", err)
	}
	result := map[int][]direction{}
	for _, qdisc := range list {
		index := qdisc.Attrs().LinkIndex
		switch qdisc.Type() {
		case "clsact":
			result[index] = []direction{{netlink.HANDLE_MIN_INGRESS, "tc_ingress"}, {netlink.HANDLE_MIN_EGRESS, "tc_egress"}}
		case "ingress":
			result[index] = []direction{{netlink.HANDLE_MIN_INGRESS, "tc_ingress"}}
		}
	}
	return result, nil
}

// readFilters lists the classic filters of one direction in the order in which they run: by priority.
func (c *collection) readFilters(at direction, place facts.Attachment) error {
	device := &netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Index: place.Ifindex}}
	list, err := netlink.FilterList(device, at.parent)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("%s filters: %w", at.name, err)
	}
	slices.SortStableFunc(list, func(a, b netlink.Filter) int { return int(a.Attrs().Priority) - int(b.Attrs().Priority) })
	position := 0
	for _, filter := range list {
		program, ok := filter.(*netlink.BpfFilter)
		if !ok || program.Id == 0 {
			continue
		}
		fact := place
		fact.Attach, fact.ProgramID, fact.Target = at.name, uint32(program.Id), program.Name
		fact.Position = new(int)
		*fact.Position = position
		position++
		c.others = append(c.others, fact)
	}
	return nil
}
