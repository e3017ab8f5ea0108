// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const cgroupRoot = "/sys/fs/cgroup"

// hierarchies lists the mounted control group hierarchies: one folder per controller and named hierarchy on a machine
// with cgroup v1, one for everything with cgroup v2.
func hierarchies() []string {
	if exists(cgroupRoot + "/cgroup.controllers") {
		return []string{cgroupRoot}
	}
	entries, _ := os.ReadDir(cgroupRoot)
	var list []string
	for _, entry := range entries {
		if entry.IsDir() { // links like cpu,cpuacct name a hierarchy a second time
			list = append(list, filepath.Join(cgroupRoot, entry.Name()))
		}
	}
	return list
}

// Cgroup2 is where the cgroup v2 hierarchy is: the root, or beside the v1 controllers on a hybrid machine.
func Cgroup2() (string, error) {
	for _, dir := range []string{cgroupRoot, cgroupRoot + "/unified"} {
		if exists(dir + "/cgroup.controllers") {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no cgroup v2 hierarchy below %s", cgroupRoot)
}

// MakeCgroup makes a group of this name in every hierarchy. Where there is only cgroup v2, groups below it may have
// every controller, as a kubelet needs; a hybrid machine has the controllers in their v1 hierarchies.
func MakeCgroup(name string) error {
	for _, dir := range hierarchies() {
		group := filepath.Join(dir, name)
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
		switch {
		case dir == cgroupRoot:
			delegate(dir)
			delegate(group)
		case exists(dir + "/cpuset.cpus"):
			// A new v1 cpuset is empty, and no process can be in an empty one.
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if err := copyValue(filepath.Join(dir, file), filepath.Join(group, file)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// delegate lets groups below dir have every controller that dir has. The kernel refuses controllers one by one, and
// the kubelet says which one it misses, so a refusal is no error here.
func delegate(dir string) {
	controllers, _ := os.ReadFile(dir + "/cgroup.controllers")
	for _, controller := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+controller), 0)
	}
}

func copyValue(from, to string) error {
	value, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, value, 0)
}

// Cgroups lists the lab's top-level groups in every hierarchy.
func Cgroups(prefix string) []string {
	var found []string
	for _, dir := range hierarchies() {
		groups, _ := filepath.Glob(filepath.Join(dir, prefix+"-*"))
		found = append(found, groups...)
	}
	return found
}

// LeaveCgroups moves the caller and its ancestors out of the lab's groups: someone may stand on a node and bring the lab
// down, and a group with processes can't be removed.
func LeaveCgroups(prefix string) error {
	if len(Cgroups(prefix)) == 0 {
		return nil
	}
	root, err := Cgroup2()
	if err != nil {
		return err
	}
	for pid := range ancestors(os.Getpid()) {
		groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		if !strings.Contains(string(groups), "\n0::/"+prefix+"-") && !strings.HasPrefix(string(groups), "0::/"+prefix+"-") {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0); err != nil {
			return err
		}
	}
	return nil
}

// RemoveCgroups removes the lab's groups with everything below. A group stays busy for a moment after its last process
// has died, so this tries for a while.
func RemoveCgroups(prefix string, limit time.Duration) error {
	var last error
	err := Wait("removing control groups", limit, func() (bool, error) {
		groups := Cgroups(prefix)
		for _, group := range groups {
			if err := removeTree(group); err != nil {
				last = err
			}
		}
		return len(Cgroups(prefix)) == 0, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// removeTree removes a group from the leaves up. Only folders can be removed; the files in them are the kernel's.
func removeTree(group string) error {
	var dirs []string
	err := filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // vanished meanwhile
		}
		if entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		if removal := os.Remove(dirs[i]); removal != nil && !os.IsNotExist(removal) {
			err = removal
		}
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
