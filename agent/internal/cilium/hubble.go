// SPDX-License-Identifier: Apache-2.0

package cilium

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"plumbline.dev/agent/internal/scope"
)

// ErrNoHubble says that the node has none: Cilium doesn't run there, or Hubble is switched off.
var ErrNoHubble = errors.New("no Hubble on this node")

// hubbleOption is the setting that says where the socket is, and hubbleSockets where it is by default.
const hubbleOption = "hubble-socket-path"

var hubbleSockets = []string{"/run/cilium/hubble.sock", "/var/run/cilium/hubble.sock"}

// A command line or a setting is never longer.
const maxSetting = 64 << 10

// DialHubble connects to the node's Hubble by its unix socket, in the root folder of Cilium's agent.
func DialHubble(of scope.Scope) (*net.UnixConn, error) {
	processes, err := of.Named(agentName)
	if err != nil {
		return nil, err
	}
	if len(processes[agentName]) == 0 {
		return nil, fmt.Errorf("%w: Cilium's agent doesn't run", ErrNoHubble)
	}
	var problems []error
	for _, process := range processes[agentName] {
		connection, err := dialBelow(process+"/root", socketPaths(process))
		if err == nil {
			return connection, nil
		}
		problems = append(problems, err)
	}
	return nil, errors.Join(problems...)
}

// dialBelow tries sockets by their paths as a process sees them. A container's links, such as /var/run to /run, are
// followed within its root folder, which connect(2) can't do by itself.
func dialBelow(folder string, paths []string) (*net.UnixConn, error) {
	root, err := unix.Open(folder, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	defer unix.Close(root)
	for _, path := range paths {
		socket, err := unix.Openat2(root, path, &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		defer unix.Close(socket)
		connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d", socket), Net: "unix"})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, errors.Unwrap(err))
		}
		return connection, nil
	}
	return nil, fmt.Errorf("%w: Cilium's agent has no socket at %s", ErrNoHubble, strings.Join(paths, ", "))
}

// socketPaths are where a running agent may have the socket: where it was told to, by its command line or by a file in its
// folder of settings, else the defaults.
func socketPaths(process string) []string {
	arguments := flagsOf(process)
	if path := arguments[hubbleOption]; path != "" {
		return []string{path}
	}
	if folder := arguments["config-dir"]; folder != "" {
		if path := setting(process+"/root", filepath.Join(folder, hubbleOption)); path != "" {
			return []string{path}
		}
	}
	return hubbleSockets
}

// flagsOf reads the --name=value flags of a process.
func flagsOf(process string) map[string]string {
	flags := map[string]string{}
	content, err := os.ReadFile(process + "/cmdline")
	if err != nil {
		return flags
	}
	for argument := range strings.SplitSeq(string(content), "\x00") {
		name, value, valued := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if valued && strings.HasPrefix(argument, "--") {
			flags[name] = value
		}
	}
	return flags
}

// setting reads a file of one value below a root folder. ConfigMaps are mounted as links, so links are followed in the root.
func setting(folder, path string) string {
	root, err := unix.Open(folder, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(root)
	descriptor, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return ""
	}
	file := os.NewFile(uintptr(descriptor), path)
	defer file.Close()
	content := make([]byte, maxSetting)
	n, _ := file.Read(content)
	return strings.TrimSpace(string(content[:n]))
}
