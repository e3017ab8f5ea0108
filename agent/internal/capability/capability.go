// SPDX-License-Identifier: Apache-2.0

// Package capability finds out what the agent can do on this machine by doing it: programs are loaded, rules added and
// packets dropped, in a network namespace made for it, so that nothing of the node is touched.
package capability

import (
	"context"
	"fmt"

	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/netns"
)

// Tools the agent runs, as found in PATH.
var Tools = []string{
	"iptables-legacy-save", "ip6tables-legacy-save", "iptables-nft-save", "ip6tables-nft-save", "nft", "ipset",
}

// probe tries one capability. It returns what was found, or why the thing is not available.
type probe struct {
	name string
	try  func(ctx context.Context) (found string, err error)
}

func (p probe) run(ctx context.Context) (result facts.Capability) {
	result.Name = p.name
	defer func() {
		if reason := recover(); reason != nil {
			result.Available, result.Reason = false, fmt.Sprintf("internal error: %v", reason)
		}
	}()
	found, err := p.try(ctx)
	if err != nil {
		result.Reason = err.Error()
		return result
	}
	result.Available, result.Reason = true, found
	return result
}

func runAll(ctx context.Context, probes []probe) []facts.Capability {
	result := make([]facts.Capability, 0, len(probes))
	for _, probe := range probes {
		result = append(result, probe.run(ctx))
	}
	return result
}

// Probe tries everything. proc is where the machine's process file system is mounted.
func Probe(ctx context.Context, proc string) []facts.Capability {
	result := runAll(ctx, []probe{
		{"kernel.btf", kernelTypes},
		{"kernel.unlocked", func(context.Context) (string, error) { return lockdown(proc) }},
		{"cgroup.v2", func(context.Context) (string, error) { return unifiedCgroups() }},
		{"bpf.bpffs", func(context.Context) (string, error) { return bpfFileSystem() }},
		{"bpf.ringbuf", ringBuffer},
		{"hubble.socket", func(context.Context) (string, error) { return hubbleSocket(proc) }},
	})
	inside := []probe{
		{"bpf.tp_btf", countDrop},
		{"netfilter.iptables-legacy", runs("iptables-legacy-save", "-t", "filter")},
		{"netfilter.iptables-nft", runs("iptables-nft-save")},
		{"netfilter.nft", runs("nft", "list", "ruleset")},
		{"netfilter.ipset", runs("ipset", "list", "-n")},
		{"netfilter.trace", nftTrace},
		{"netfilter.conntrack", conntrackTable},
		{"probe.raw", rawSocket},
	}
	for _, program := range programs {
		inside = append(inside, probe{program.name, program.try})
	}
	entered := facts.Capability{Name: "netns.enter", Available: true, Reason: "a namespace was made and entered"}
	err := netns.DoInNew(func() error {
		if err := raiseLoopback(); err != nil {
			return fmt.Errorf("raise loopback: %w", err)
		}
		result = append(result, runAll(ctx, inside)...)
		return nil
	})
	if err != nil {
		entered.Available, entered.Reason = false, err.Error()
		for _, probe := range inside {
			result = append(result, facts.Capability{Name: probe.name, Reason: "not tried: " + err.Error()})
		}
	}
	return append(result, entered)
}
