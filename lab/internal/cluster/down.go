// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"plumbline.dev/lab/internal/host"
)

// Down removes everything that is the lab's from the machine, whatever state it is in. Nothing in a lab is worth
// keeping, so processes are killed, and everything in their mount namespaces goes with them.
func Down() error {
	problems := []error{host.LeaveCgroups(Prefix), host.KillAll(Prefix, 20*time.Second)}
	// Removing the cable first makes it happen now: with its namespace it would disappear some time later.
	if _, err := net.InterfaceByName(hostLink); err == nil {
		problems = append(problems, ip("", "link del "+hostLink))
	}
	for _, name := range host.Namespaces(Prefix) {
		problems = append(problems, ip("", "netns del "+name))
	}
	problems = append(problems, host.RemoveCgroups(Prefix, 10*time.Second))
	for _, dir := range []string{RunDir, DiskDir} {
		if mounts := mountsBelow(dir); len(mounts) > 0 {
			problems = append(problems, fmt.Errorf("still mounted: %s", strings.Join(mounts, " ")))
			continue // deleting through a mount could reach what is not ours
		}
		problems = append(problems, os.RemoveAll(dir))
	}
	return errors.Join(append(problems, waitForKernel())...)
}

// Leftovers lists everything of the lab that is on the machine. After Down it is empty.
func Leftovers() ([]string, error) {
	var found []string
	processes, err := host.Scan(Prefix)
	if err != nil {
		return nil, err
	}
	for _, process := range processes {
		found = append(found, fmt.Sprintf("process %d (%s): %s", process.Pid, process.Name, process.Reason))
	}
	for _, name := range host.Namespaces(Prefix) {
		found = append(found, "network namespace "+name)
	}
	for _, group := range host.Cgroups(Prefix) {
		found = append(found, "control group "+group)
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, link := range interfaces {
		if strings.HasPrefix(link.Name, Prefix) {
			found = append(found, "interface "+link.Name)
		}
	}
	for _, dir := range []string{RunDir, DiskDir} {
		for _, target := range mountsBelow(dir) {
			found = append(found, "mount "+target)
		}
		if _, err := os.Lstat(dir); err == nil {
			found = append(found, "folder "+dir)
		}
	}
	routes, err := leftRoutes()
	if err != nil {
		return nil, err
	}
	programs, err := ciliumLeft()
	return slices.Concat(found, routes, programs), err
}

// leftRoutes lists routes of the machine's own namespace into the lab's networks.
func leftRoutes() ([]string, error) {
	var found []string
	for _, family := range []string{"-4", "-6"} {
		output, err := host.Run("ip", family, "route", "show", "table", "all")
		if err != nil {
			return nil, err
		}
		for _, line := range strings.Split(output, "\n") {
			for _, network := range []string{"10.200.0.", "10.244.", lbNet, "fd00:10:"} {
				if strings.Contains(line, network) {
					found = append(found, "route "+strings.TrimSpace(line))
					break
				}
			}
		}
	}
	return found, nil
}

// mountsBelow lists mount points at or below a folder, as this process sees them.
func mountsBelow(dir string) []string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, line := range strings.Split(string(table), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && (fields[4] == dir || strings.HasPrefix(fields[4], dir+"/")) {
			found = append(found, fields[4])
		}
	}
	return found
}
