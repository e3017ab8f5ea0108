// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Owned is a running process that belongs to the lab, with the reason why we know.
type Owned struct {
	Pid    int
	Name   string
	Reason string
}

// Scan finds every process of the lab: started by it (marker in the environment), in one of its control groups, or in
// one of its network namespaces. prefix is what the names of groups and namespaces begin with. The caller itself and
// its ancestors never count: someone may stand in a node's namespace and run `lab down`.
func Scan(prefix string) ([]Owned, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	namespaces := namespaceInodes(prefix)
	ours := ancestors(os.Getpid())
	var found []Owned
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || ours[pid] || !Alive(pid) {
			continue
		}
		if reason := ownership(pid, prefix, namespaces); reason != "" {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			found = append(found, Owned{pid, strings.TrimSpace(string(name)), reason})
		}
	}
	return found, nil
}

// ownership says why a process is the lab's, or "" when it is not known to be.
func ownership(pid int, prefix string, namespaces map[uint64]string) string {
	if Marked(pid) {
		return "started by the lab"
	}
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for _, line := range strings.Split(string(groups), "\n") {
		if parts := strings.SplitN(line, ":", 3); len(parts) == 3 && strings.HasPrefix(parts[2], "/"+prefix+"-") {
			return "in control group " + parts[2]
		}
	}
	var info syscall.Stat_t
	if syscall.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &info) == nil {
		if name, ok := namespaces[info.Ino]; ok {
			return "in network namespace " + name
		}
	}
	return ""
}

func namespaceInodes(prefix string) map[uint64]string {
	inodes := map[uint64]string{}
	for _, name := range Namespaces(prefix) {
		var info syscall.Stat_t
		if syscall.Stat(NamespacePath(name), &info) == nil {
			inodes[info.Ino] = name
		}
	}
	return inodes
}

func ancestors(pid int) map[int]bool {
	list := map[int]bool{}
	for pid > 1 && !list[pid] {
		list[pid] = true
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return list
}

// KillAll ends every process of the lab. Its state is thrown away with it, so nothing is asked to stop politely; the
// scan repeats, because a runtime may start one more process while its others die.
func KillAll(prefix string, limit time.Duration) error {
	var left []Owned
	err := Wait("ending the lab's processes", limit, func() (bool, error) {
		found, err := Scan(prefix)
		if err != nil {
			return false, err
		}
		left = found
		for _, process := range found {
			_ = syscall.Kill(process.Pid, syscall.SIGKILL)
		}
		return len(found) == 0, nil
	})
	if err != nil && len(left) > 0 {
		return fmt.Errorf("%w; still running: %v", err, left)
	}
	return err
}

// Namespaces lists the named network namespaces of the lab.
func Namespaces(prefix string) []string {
	paths, _ := filepath.Glob("/run/netns/" + prefix + "-*")
	names := make([]string, 0, len(paths))
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

// NamespacePath is where a named network namespace is mounted.
func NamespacePath(name string) string { return "/run/netns/" + name }
