// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// maskedSettings are kernel settings of the whole machine that a kubelet (or a network agent) changes to its liking.
// A node gets copies of its own: the machine must not be different after the lab.
var maskedSettings = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "kernel/unprivileged_bpf_disabled", "kernel/timer_migration",
}

// NodeInit turns the namespaces it is started in into a node, and then becomes the given program. It runs in new mount
// and UTS namespaces whose mounts do not propagate to the machine, and in the node's network namespace.
func NodeInit(name string, programs Binaries, command []string) error {
	n := node{name: name}
	for _, step := range []func() error{
		n.mountLogsAndState,
		func() error { return n.mountRun(programs) },
		n.mountSys,
		n.maskSettings,
		// Shared inside of the node, so that volumes with mount propagation work as on a real one.
		func() error { return mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED) },
		func() error { return syscall.Sethostname([]byte(name)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return syscall.Exec(program, command, os.Environ())
}

// mountLogsAndState gives the node its own /var/log and /var/lib: kubelet, runtime and pods then use the places they
// use everywhere.
func (n node) mountLogsAndState() error {
	for _, dir := range []string{"log", "lib"} {
		if err := mount(filepath.Join(n.disk(), dir), "/var/"+dir, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	return nil
}

// mountRun gives the node an empty /run: runtime sockets, named network namespaces and whatever pods put there through
// hostPath volumes are its own. The lab's configuration and the programs of Kubernetes and Cilium stay visible in it.
func (n node) mountRun(programs Binaries) error {
	stage := filepath.Join(n.dir(), "stage")
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return err
	}
	if err := mount("tmpfs", stage, "tmpfs", 0); err != nil {
		return err
	}
	for _, dir := range []string{"lock", "netns", "containerd", "plumbline-lab"} {
		if err := os.MkdirAll(filepath.Join(stage, dir), 0o755); err != nil {
			return err
		}
	}
	if err := mount(RunDir, filepath.Join(stage, "plumbline-lab"), "", syscall.MS_BIND); err != nil {
		return err
	}
	binary := filepath.Join(stage, "kubelab")
	if err := os.WriteFile(binary, nil, 0o755); err != nil {
		return err
	}
	if err := mount(programs.Kubelab, binary, "", syscall.MS_BIND); err != nil {
		return err
	}
	if programs.Cilium != "" {
		folder := filepath.Join(stage, filepath.Base(ciliumBin))
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		if err := mount(programs.Cilium, folder, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	return mount(stage, "/run", "", syscall.MS_MOVE)
}

// mountSys gives the node a sysfs that shows the devices of its network namespace, its own BPF file system, and the
// machine's control groups. It is prepared aside and moved into place, because unmounting the old one would reach
// into shared mounts.
func (n node) mountSys() error {
	stage := "/run/sys"
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return err
	}
	if err := mount("sysfs", stage, "sysfs", 0); err != nil {
		return err
	}
	if err := mount("/sys/fs/cgroup", stage+"/fs/cgroup", "", syscall.MS_BIND|syscall.MS_REC); err != nil {
		return err
	}
	if err := mount("bpf", stage+"/fs/bpf", "bpf", 0); err != nil {
		return err
	}
	// Not every kernel has it, and only tracing needs it.
	_ = mount("tracefs", stage+"/kernel/tracing", "tracefs", 0)
	if err := mount(stage, "/sys", "", syscall.MS_MOVE); err != nil {
		return err
	}
	return os.Remove(stage)
}

func (n node) maskSettings() error {
	for _, setting := range maskedSettings {
		original := "/proc/sys/" + setting
		value, err := os.ReadFile(original)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		own := filepath.Join(n.dir(), "sysctl."+strings.ReplaceAll(setting, "/", "."))
		if err := os.WriteFile(own, value, 0o644); err != nil {
			return err
		}
		if err := mount(own, original, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind string, flags uintptr) error {
	if err := syscall.Mount(source, target, kind, flags, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}
