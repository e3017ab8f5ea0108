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

// initialCgroupNamespace is what the machine's own control group namespace is called on every kernel
// (PROC_CGROUP_INIT_INO, include/linux/proc_ns.h).
const initialCgroupNamespace = "cgroup:[4026531835]"

// inHostCgroupNamespace runs work on a thread that sees cgroup paths from the machine's root. A container usually has a
// cgroup namespace of its own, in which all others appear as "/../…". Where the machine's can't be entered, work runs all
// the same, and the first error says so.
func inHostCgroupNamespace(proc string, work func() error) (entered, worked error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var leave func() error
		leave, entered = enterCgroupNamespace(proc)
		worked = work()
		if leave() == nil {
			runtime.UnlockOSThread()
		}
	}()
	<-done
	return entered, worked
}

// enterCgroupNamespace always returns a way back.
func enterCgroupNamespace(proc string) (leave func() error, err error) {
	stay := func() error { return nil }
	const own = "/proc/thread-self/ns/cgroup"
	if name, err := os.Readlink(own); err != nil || name == initialCgroupNamespace {
		return stay, err
	}
	back, err := os.Open(own)
	if err != nil {
		return stay, err
	}
	host, err := hostCgroupNamespace(proc)
	if err == nil {
		defer host.Close()
		// Moving between cgroup namespaces is per thread, like between network namespaces.
		err = unix.Setns(int(host.Fd()), unix.CLONE_NEWCGROUP)
	}
	if err != nil {
		back.Close()
		return stay, fmt.Errorf("control groups are seen from inside the agent's own, so that pods may be missing: %w", err)
	}
	return func() error {
		defer back.Close()
		return unix.Setns(int(back.Fd()), unix.CLONE_NEWCGROUP)
	}, nil
}

// hostCgroupNamespace is that of the first process, or, if that one may not be looked at, of any with the machine's own.
func hostCgroupNamespace(proc string) (*os.File, error) {
	host, first := os.Open(filepath.Join(proc, "1/ns/cgroup"))
	if first == nil {
		return host, nil
	}
	candidates, err := filepath.Glob(filepath.Join(proc, "[0-9]*/ns/cgroup"))
	if err != nil {
		return nil, err
	}
	for _, candidate := range candidates {
		if name, err := os.Readlink(candidate); err == nil && name == initialCgroupNamespace {
			if host, err := os.Open(candidate); err == nil {
				return host, nil
			}
		}
	}
	return nil, first
}
