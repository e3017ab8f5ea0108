// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Named finds the processes in scope whose command has one of the names, and returns their folders in Proc by name.
func (s Scope) Named(names ...string) (map[string][]string, error) {
	found := map[string][]string{}
	_, err := inHostCgroupNamespace(s.Proc, func() error {
		entries, err := os.ReadDir(s.Proc)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if _, err := strconv.ParseUint(entry.Name(), 10, 32); err != nil {
				continue
			}
			folder := filepath.Join(s.Proc, entry.Name())
			if name := command(folder); slices.Contains(names, name) && !ended(folder) && s.has(folder) {
				found[name] = append(found[name], folder)
			}
		}
		return nil
	})
	return found, err
}

// command is what the kernel calls a process: at most 15 characters.
func command(folder string) string {
	content, err := os.ReadFile(folder + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(content), "\n")
}

// ended tells whether a process only waits for its parent to take note of its end (proc_pid_stat(5)).
func ended(folder string) bool {
	content, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return true
	}
	// The command may hold anything, parentheses too.
	state := strings.TrimSpace(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	return strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// has tells whether a process is below the scope's cgroup, in any hierarchy.
func (s Scope) has(folder string) bool {
	content, err := os.ReadFile(folder + "/cgroup")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) == 3 && below(parts[2], s.CgroupRoot) {
			return true
		}
	}
	return false
}
