// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"syscall"
	"time"

	"plumbline.dev/lab/internal/host"
)

// ciliumGrace is how long an agent that was told to stop may take; it is killed then.
const ciliumGrace = 10 * time.Second

// StopCilium ends Cilium's agent on a node, as in an upgrade or a crash. What it programmed goes on working; Hubble and its
// memory are gone.
func StopCilium(name string) error {
	n, _, err := ciliumNode(name)
	if err != nil {
		return err
	}
	pid := host.ReadPid(pidFile(cilium{}.blame(n)))
	if pid == 0 || !host.Alive(pid) || !host.Marked(pid) {
		return fmt.Errorf("no Cilium agent runs on node %s", name)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return err
	}
	gone := func() (bool, error) { return !host.Alive(pid), nil }
	if err := host.Wait("end of Cilium's agent", ciliumGrace, gone); err == nil {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	return host.Wait("end of Cilium's agent", ciliumGrace, gone)
}

// StartCilium starts it again.
func StartCilium(name string) error {
	n, current, err := ciliumNode(name)
	if err != nil {
		return err
	}
	if host.Alive(host.ReadPid(pidFile(cilium{}.blame(n)))) {
		return fmt.Errorf("Cilium's agent runs on node %s already", name)
	}
	l := &lab{Binaries: current.Binaries, progress: func(string) {}, processes: map[string]*host.Process{}}
	return cilium{programs: l.Cilium}.startAgent(l, n)
}

func ciliumNode(name string) (node, state, error) {
	current, err := readState()
	if err != nil {
		return node{}, current, errNotUp
	}
	for _, n := range current.Options.nodes() {
		if n.name == name && n.cilium() {
			return n, current, nil
		}
	}
	return node{}, current, fmt.Errorf("no node %q that runs Cilium", name)
}
