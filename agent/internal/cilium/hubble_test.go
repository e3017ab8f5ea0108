// SPDX-License-Identifier: Apache-2.0

package cilium

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listen opens a socket that greets, below a root folder.
func listen(t *testing.T, root, path, greeting string) {
	t.Helper()
	name := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(connection, greeting)
			connection.Close()
		}
	}()
}

func greetingOf(t *testing.T, folder string, paths ...string) string {
	t.Helper()
	connection, err := dialBelow(folder, paths)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	text, _ := io.ReadAll(connection)
	return string(text)
}

func TestSocketIsFoundThroughLinksOfTheContainer(t *testing.T) {
	root := t.TempDir()
	listen(t, root, "run/cilium/hubble.sock", "inside")
	if err := os.MkdirAll(filepath.Join(root, "var"), 0o755); err != nil {
		t.Fatal(err)
	}
	// An absolute link means the container's own folder, whatever the machine has there.
	if err := os.Symlink("/run", filepath.Join(root, "var/run")); err != nil {
		t.Fatal(err)
	}
	if said := greetingOf(t, root, "/var/run/cilium/hubble.sock"); said != "inside" {
		t.Error(said)
	}
	if said := greetingOf(t, root, "/nowhere/hubble.sock", "/run/cilium/hubble.sock"); said != "inside" {
		t.Error(said)
	}
}

func TestALinkDoesNotLeadOut(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	listen(t, outside, "hubble.sock", "outside")
	if err := os.Symlink(filepath.Join(outside, "hubble.sock"), filepath.Join(root, "hubble.sock")); err != nil {
		t.Fatal(err)
	}
	if _, err := dialBelow(root, []string{"/hubble.sock"}); !errors.Is(err, ErrNoHubble) {
		t.Error(err)
	}
}

func TestASocketNobodyListensOnIsNotTheAbsenceOfHubble(t *testing.T) {
	root := t.TempDir()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(root, "hubble.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	listener.Close()
	_, err = dialBelow(root, []string{"/hubble.sock"})
	if err == nil || errors.Is(err, ErrNoHubble) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func TestTheSocketIsWhereCiliumWasTold(t *testing.T) {
	for name, each := range map[string]struct {
		cmdline, file string
		want          []string
	}{
		"command line": {"cilium-agent\x00--hubble-socket-path=/a/h.sock\x00--config-dir=/etc/c\x00", "/b/h.sock\n", []string{"/a/h.sock"}},
		"settings":     {"cilium-agent\x00--config-dir=/etc/c\x00", "/b/h.sock\n", []string{"/b/h.sock"}},
		"neither":      {"cilium-agent\x00--config-dir=/etc/c\x00", "", hubbleSockets},
		"nothing":      {"", "", hubbleSockets},
	} {
		process := t.TempDir()
		settings := filepath.Join(process, "root/etc/c")
		if err := os.MkdirAll(settings, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(process, "cmdline"), []byte(each.cmdline), 0o600); err != nil {
			t.Fatal(err)
		}
		if each.file != "" {
			if err := os.WriteFile(filepath.Join(settings, hubbleOption), []byte(each.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := socketPaths(process); !slices.Equal(got, each.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
