// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"plumbline.dev/lab/internal/host"
)

// ciliumLeft lists Cilium's programs and maps that are in the machine's kernel. They go when the last process, mount or
// interface that holds them does, a moment later. A machine that is itself a node with Cilium has its own, which look
// the same, and is not asked; nor is one without bpftool, where no lab with Cilium can have been.
func ciliumLeft() ([]string, error) {
	if _, err := os.Stat("/sys/fs/bpf/cilium"); err == nil {
		return nil, nil
	}
	if _, err := exec.LookPath("bpftool"); err != nil {
		return nil, nil
	}
	var found []string
	for kind, prefixes := range map[string][]string{"prog": {"cil_", "tail_"}, "map": {"cilium_"}} {
		output, err := host.Run("bpftool", "--json", kind, "show")
		if err != nil {
			return nil, err
		}
		var objects []struct {
			ID   int
			Name string
		}
		if err := json.Unmarshal([]byte(output), &objects); err != nil {
			return nil, fmt.Errorf("bpftool %s show: %w", kind, err)
		}
		for _, object := range objects {
			for _, prefix := range prefixes {
				if strings.HasPrefix(object.Name, prefix) {
					found = append(found, fmt.Sprintf("BPF %s %d (%s)", kind, object.ID, object.Name))
				}
			}
		}
	}
	return found, nil
}

// waitForKernel waits until the kernel has let go of Cilium's programs and maps.
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
