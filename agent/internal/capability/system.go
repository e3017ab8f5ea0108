// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/mounts"
)

// lockdown is available when the kernel lets itself be read and changed in full.
func lockdown(proc string) (string, error) {
	content, err := os.ReadFile("/sys/kernel/security/lockdown")
	if errors.Is(err, fs.ErrNotExist) {
		content, err = os.ReadFile(filepath.Join(proc, "1/root/sys/kernel/security/lockdown"))
	}
	if err != nil {
		return "", errors.New("unknown: the lockdown state is not visible (no securityfs)")
	}
	_, rest, _ := strings.Cut(string(content), "[")
	mode, _, _ := strings.Cut(rest, "]")
	if mode != "none" {
		return "", fmt.Errorf("lockdown=%s", mode)
	}
	return "lockdown=none", nil
}

func unifiedCgroups() (string, error) {
	mount, err := mounts.Find("cgroup2")
	if err != nil {
		return "", err
	}
	if controllers, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers")); err == nil && len(strings.TrimSpace(string(controllers))) > 0 {
		return "unified hierarchy at " + mount, nil
	}
	return "hybrid: controllers are in version 1, the unified hierarchy is at " + mount, nil
}

func bpfFileSystem() (string, error) {
	mount, err := mounts.Find("bpf")
	if err != nil {
		return "", err
	}
	return "mounted at " + mount, nil
}

func hubbleSocket(proc string) (string, error) {
	for _, folder := range []string{"var/run/cilium", "run/cilium"} {
		socket := filepath.Join(proc, "1/root", folder, "hubble.sock")
		if info, err := os.Stat(socket); err == nil && info.Mode()&fs.ModeSocket != 0 {
			return "found /" + folder + "/hubble.sock", nil
		}
	}
	return "", errors.New("no Hubble socket on this node")
}

func conntrackTable(ctx context.Context) (string, error) {
	count := 0
	if err := conntrack.Dump(ctx, func(*conntrack.Entry) { count++ }); err != nil {
		return "", err
	}
	return "a table was read", nil
}

func rawSocket(context.Context) (string, error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return "", fmt.Errorf("open a raw socket: %w", err)
	}
	return "a raw socket was opened", unix.Close(socket)
}

// raiseLoopback makes the new namespace able to send packets to itself.
func raiseLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | uint16(net.FlagLoopback))
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}
