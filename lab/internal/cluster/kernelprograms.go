// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"plumbline.dev/lab/internal/host"
)

// ciliumPrograms and ciliumMaps are what the names of Cilium's own begin with.
var (
	ciliumPrograms = []string{"cil_", "tail_"}
	ciliumMaps     = []string{"cilium_"}
)

// ciliumLeft lists Cilium's programs and maps that are in the machine's kernel. A machine that is itself a node with
// Cilium has its own, which look the same, and is not asked; nor is one without bpftool, where no lab with Cilium can
// have been.
//
// Maps are listed only when no program is left, and arrays of programs never: while such an array is being emptied,
// looking at it makes the kernel take a reference that nobody gives back (prog_array_map_clear in kernel/bpf/arraymap.c
// counts each request, but only one is queued). What then stays is some hundred bytes, empty and out of reach.
func ciliumLeft() ([]string, error) {
	if _, err := os.Stat("/sys/fs/bpf/cilium"); err == nil {
		return nil, nil
	}
	if _, err := exec.LookPath("bpftool"); err != nil {
		return nil, nil
	}
	programs, err := kernelObjects("prog", ciliumPrograms)
	if err != nil || len(programs) > 0 {
		return programs, err
	}
	return kernelObjects("map", ciliumMaps)
}

// kernelObjects lists the kernel's BPF objects of a kind (as bpftool names it) whose names begin with one of prefixes.
func kernelObjects(kind string, prefixes []string) ([]string, error) {
	output, err := host.Run("bpftool", "--json", kind, "show")
	if err != nil {
		return nil, err
	}
	var objects []struct {
		ID   int
		Name string
		Type string
	}
	if err := json.Unmarshal([]byte(output), &objects); err != nil {
		return nil, fmt.Errorf("bpftool %s show: %w", kind, err)
	}
	var found []string
	for _, object := range objects {
		ours := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(object.Name, prefix) })
		if ours && object.Type != "prog_array" {
			found = append(found, fmt.Sprintf("BPF %s %d (%s)", kind, object.ID, object.Name))
		}
	}
	return found, nil
}

// waitForKernel waits until the kernel has let go of Cilium's programs and maps. They go when the last process, mount or
// interface that holds them does, a moment later.
func waitForKernel() error {
	var left []string
	err := host.Wait("Cilium's programs leaving the kernel", 20*time.Second, func() (bool, error) {
		var err error
		left, err = ciliumLeft()
		return len(left) == 0, err
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, short(left))
	}
	return nil
}
