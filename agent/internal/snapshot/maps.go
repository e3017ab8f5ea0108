// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"plumbline.dev/agent/internal/bpfmap"
	"plumbline.dev/agent/internal/cilium"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/objects"
)

// Bounds of the contents of one map in a snapshot.
const (
	// Of maps that make up the datapath: enough for the largest clusters.
	maxDatapathEntries = 1_000_000
	// Of maps that grow with traffic.
	maxTrafficEntries = 20_000
	maxMapBytes       = 64 << 20
)

// datapathMaps are the beginnings of the pinned names of maps that define what Cilium's datapath does.
var datapathMaps = []string{
	"cilium_lb4_services", "cilium_lb6_services", "cilium_lb4_backends", "cilium_lb6_backends", "cilium_lb4_reverse_nat",
	"cilium_lb6_reverse_nat", "cilium_lb4_source_range", "cilium_lb6_source_range", "cilium_lb_affinity_match", "cilium_skip_lb",
	"cilium_ipcache", "cilium_lxc", "cilium_policy_", "cilium_node_map", "cilium_egress_gw_policy", "cilium_runtime_config",
	"cilium_tunnel_map", "cilium_ipmasq_", "cilium_vtep_map",
}

// trafficMaps are those that hold what the traffic made of it.
var trafficMaps = []string{
	"cilium_ct4_", "cilium_ct6_", "cilium_ct_any", "cilium_snat_", "cilium_lb4_affinity", "cilium_lb6_affinity", "cilium_metrics",
	"cilium_policystats",
}

// room is how many entries of a map a snapshot takes; 0 for none.
func room(name string) uint64 {
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	switch {
	case slices.ContainsFunc(datapathMaps, begins):
		return maxDatapathEntries
	case slices.ContainsFunc(trafficMaps, begins):
		return maxTrafficEntries
	}
	return 0
}

// maps adds the contents of the maps that Plumbline can decode, and an index of them. Maps are found by their pins in the
// file systems the agent sees, which are its node's, and not by id: one kernel may host several nodes.
func (r *run) maps(ctx context.Context) error {
	if err := r.read(ctx, "bpf/cilium.json", func() (any, error) { return cilium.Look(r.Scope) }); err != nil {
		return err
	}
	pins, err := objects.Pins(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil { // which bpf/pins.json's problem says in full; what could be listed is used
		if err := r.problem("bpf/maps/index.json", err); err != nil {
			return err
		}
	}
	index := []facts.MapDump{}
	taken := map[string]bool{}
	for _, pin := range pins {
		name := path.Base(pin.Path)
		if pin.Kind != "map" || room(name) == 0 || taken[name] {
			continue
		}
		taken[name] = true
		dumped, err := r.dump(ctx, pin.Path, name)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errSink):
			return err
		case err != nil:
			if err := r.problem("bpf/maps/"+name+".bin", err); err != nil {
				return err
			}
		default:
			index = append(index, dumped)
		}
	}
	return r.file("bpf/maps/index.json", index)
}

// errSink marks an error of the snapshot's receiver.
var errSink = errors.New("snapshot's receiver")

func (r *run) dump(ctx context.Context, pin, name string) (facts.MapDump, error) {
	opened, err := bpfmap.Open(bpfmap.Reference{Path: pin})
	if err != nil {
		return facts.MapDump{}, err
	}
	defer opened.Close()
	limit := min(room(name), uint64(max(1, maxMapBytes/opened.EntrySize())))
	var content []byte
	end, err := opened.Dump(ctx, bpfmap.Request{Limit: limit}, func(entries []byte, _ uint32, _ uint64) error {
		content = append(content, entries...)
		return nil
	})
	if err != nil {
		return facts.MapDump{}, err
	}
	file := "bpf/maps/" + name + ".bin"
	if err := r.raw(file, content); err != nil {
		return facts.MapDump{}, fmt.Errorf("%w: %w", errSink, err)
	}
	return facts.MapDump{
		Name: name, File: file, Path: pin, ID: opened.ID, Type: opened.Type, KeySize: opened.KeySize, ValueSize: opened.ValueSize,
		ValuesPerEntry: opened.ValuesPerEntry, MaxEntries: opened.MaxEntries, Flags: opened.Flags, Count: end.Count,
		Truncated: end.Resume != nil, Incomplete: end.Incomplete,
	}, nil
}
