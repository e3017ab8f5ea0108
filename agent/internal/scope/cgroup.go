// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// podFolder matches the cgroup folder of a pod: "pod<UID>" (cgroupfs driver) or "kubepods[-qos]-pod<UID>.slice" (systemd
// driver, which writes "_" for "-"). kubelet: pkg/kubelet/cm/pod_container_manager_linux.go.
var podFolder = regexp.MustCompile(`^(?:pod|kubepods(?:-burstable|-besteffort)?-pod)([0-9a-f]{8}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{4}[-_]?[0-9a-f]{12})(?:\.slice)?$`)

// placement is what a cgroup path says about a process.
type placement struct {
	path string // the whole path, as the cgroup namespace shows it
	root string // the part above kubelet's own tree; "" on a normal node
	pod  string // UID, "" outside pods
}

// place reads the content of a /proc/<pid>/cgroup file. Of several hierarchies the one that names a pod counts, the
// unified one first: on a hybrid machine not every hierarchy need follow kubelet's tree.
func place(content string) placement {
	var first, found placement
	for _, line := range strings.Split(strings.TrimRight(content, "\n"), "\n") {
		number, rest, ok := strings.Cut(line, ":")
		_, path, ok2 := strings.Cut(rest, ":")
		if !ok || !ok2 {
			continue
		}
		current := placement{path: path}
		current.root, current.pod = podOf(path)
		if number == "0" || first.path == "" {
			first = current
		}
		if current.pod != "" && (found.pod == "" || number == "0") {
			found = current
		}
	}
	if found.pod != "" {
		return found
	}
	return first
}

// podOf splits "/n1/kubepods/burstable/pod<UID>/<container>" into "/n1" and the UID.
func podOf(path string) (root, uid string) {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if part == "kubepods" || part == "kubepods.slice" {
			root = strings.Join(parts[:i], "/")
			for _, below := range parts[i+1:] {
				if match := podFolder.FindStringSubmatch(below); match != nil {
					return root, dashed(match[1])
				}
			}
			return root, ""
		}
	}
	return "", ""
}

// dashed writes a UID as the API does. Static pods have 32 hexadecimal digits without separators, which stay as they are.
func dashed(uid string) string { return strings.ReplaceAll(uid, "_", "-") }

// below tells if a cgroup path lies in the scope's subtree.
func below(path, root string) bool {
	return root == "" || root == "/" || path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

// inHostCgroupNamespace runs work on a thread that sees cgroup paths from the machine's root. A container usually has a
// cgroup namespace of its own, in which all others appear as "/../…".
func inHostCgroupNamespace(proc string, work func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		leave, err := enterCgroupNamespace(proc)
		if err != nil {
			leave = func() error { return nil } // the view stays the container's; the caller finds no pods and says so
		}
		result <- work()
		if leave() == nil {
			runtime.UnlockOSThread()
		}
	}()
	return <-result
}

func enterCgroupNamespace(proc string) (leave func() error, err error) {
	host, err := os.Open(filepath.Join(proc, "1/ns/cgroup"))
	if err != nil {
		return nil, err
	}
	defer host.Close()
	own, err := os.Open("/proc/thread-self/ns/cgroup")
	if err != nil {
		return nil, err
	}
	// Moving between cgroup namespaces is per thread, like network namespaces.
	if err := unix.Setns(int(host.Fd()), unix.CLONE_NEWCGROUP); err != nil {
		own.Close()
		return nil, fmt.Errorf("enter the machine's cgroup namespace: %w", err)
	}
	return func() error {
		defer own.Close()
		return unix.Setns(int(own.Fd()), unix.CLONE_NEWCGROUP)
	}, nil
}
