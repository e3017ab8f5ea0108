// SPDX-License-Identifier: Apache-2.0

// Package mounts finds file systems by kind.
package mounts

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// mount is one line of /proc/self/mountinfo.
type mount struct {
	root, point, kind string
}

// Find returns where a kind of file system is mounted. Of several mounts the one that shows the most counts, and then the
// shortest path.
func Find(kind string) (string, error) {
	points, err := All(kind)
	if err != nil {
		return "", err
	}
	if len(points) == 0 {
		return "", fmt.Errorf("no %s file system is mounted", kind)
	}
	return points[0], nil
}

// All lists the mount points of a kind of file system, best first; of mounts that show the same, one.
func All(kind string) ([]string, error) {
	file, err := os.Open("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	list, err := parse(file)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m mount) bool { return m.kind != kind })
	slices.SortStableFunc(list, func(a, b mount) int {
		if len(a.root) != len(b.root) {
			return len(a.root) - len(b.root)
		}
		return len(a.point) - len(b.point)
	})
	var points []string
	for _, mount := range list {
		points = append(points, mount.point)
	}
	return points, nil
}

// parse reads lines like "36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw" (proc_pid_mountinfo(5)).
func parse(from io.Reader) ([]mount, error) {
	var list []mount
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		separator := slices.Index(fields, "-")
		if separator < 6 || len(fields) < separator+2 {
			continue
		}
		list = append(list, mount{root: unescape(fields[3]), point: unescape(fields[4]), kind: fields[separator+1]})
	}
	return list, lines.Err()
}

var escapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescape(text string) string { return escapes.Replace(text) }
