// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
)

// registry holds the programs that the agent has in the kernel now.
var registry struct {
	sync.Mutex
	programs map[ebpf.ProgramID]*ebpf.Program
}

// register notes a program until the returned function is called.
func register(program *ebpf.Program) (forget func()) {
	info, err := program.Info()
	if err != nil {
		return func() {}
	}
	id, ok := info.ID()
	if !ok {
		return func() {}
	}
	registry.Lock()
	defer registry.Unlock()
	if registry.programs == nil {
		registry.programs = map[ebpf.ProgramID]*ebpf.Program{}
	}
	registry.programs[id] = program
	return func() {
		registry.Lock()
		defer registry.Unlock()
		delete(registry.programs, id)
	}
}

// Own tells if the agent loaded the program.
func Own(id uint32) bool {
	registry.Lock()
	defer registry.Unlock()
	_, ok := registry.programs[ebpf.ProgramID(id)]
	return ok
}

// Run is what one of the agent's programs has cost so far. It is counted only while kernel.bpf_stats_enabled is set.
type Run struct {
	Name  string
	Count uint64
	Time  time.Duration
}

// Runs lists the agent's programs by name.
func Runs() []Run {
	registry.Lock()
	defer registry.Unlock()
	var runs []Run
	for _, program := range registry.programs {
		info, err := program.Info()
		if err != nil {
			continue
		}
		stats, err := program.Stats()
		if err != nil {
			continue
		}
		runs = append(runs, Run{Name: info.Name, Count: stats.RunCount, Time: stats.Runtime})
	}
	slices.SortFunc(runs, func(a, b Run) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return runs
}
