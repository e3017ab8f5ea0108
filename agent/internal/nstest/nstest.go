// SPDX-License-Identifier: Apache-2.0

// Package nstest gives tests network namespaces of their own, on the real kernel.
package nstest

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"plumbline.dev/agent/internal/netns"
)

// Namespace exists as long as its test.
type Namespace struct {
	*netns.Handle
	t testing.TB
}

// New makes an empty namespace with its loopback up. The test is skipped where that is not possible.
func New(t testing.TB, tools ...string) *Namespace {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: network namespaces need root")
	}
	for _, tool := range append(tools, "ip") {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("skipped: ", tool, " is not installed")
		}
	}
	namespace := &Namespace{t: t}
	err := netns.DoInNew(func() (err error) {
		namespace.Handle, err = netns.Own()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { namespace.Close() })
	// Without it, addresses and their routes would come and go while a test looks.
	namespace.Feed("0", "tee", "/proc/sys/net/ipv6/conf/default/accept_dad")
	namespace.Run("ip link set lo up")
	return namespace
}

// Run runs a command, written with single spaces, and returns what it printed.
func (n *Namespace) Run(line string) string {
	n.t.Helper()
	return n.Feed("", strings.Split(line, " ")...)
}

// Feed runs a command with something on its standard input.
func (n *Namespace) Feed(input string, arguments ...string) string {
	n.t.Helper()
	var output, complaint bytes.Buffer
	err := n.Do(func() error {
		command := exec.Command(arguments[0], arguments[1:]...)
		command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &output, &complaint
		return command.Run()
	})
	if err != nil {
		n.t.Fatalf("%v: %v: %s", arguments, err, complaint.String())
	}
	return output.String()
}

// Inside runs part of a test in the namespace.
func (n *Namespace) Inside(work func() error) {
	n.t.Helper()
	if err := n.Do(work); err != nil {
		n.t.Fatal(err)
	}
}

// Join makes a veth pair between two namespaces.
func (n *Namespace) Join(device string, other *Namespace, otherDevice string) {
	n.t.Helper()
	// A namespace without a name is given as that of a process, here of one that waits in it.
	var waiter *exec.Cmd
	other.Inside(func() error {
		waiter = exec.Command("sleep", "60")
		return waiter.Start()
	})
	defer waiter.Wait()
	defer waiter.Process.Kill()
	n.Feed("", "ip", "link", "add", device, "type", "veth", "peer", "name", otherDevice, "netns", strconv.Itoa(waiter.Process.Pid))
	n.Run("ip link set " + device + " up")
	other.Run("ip link set " + otherDevice + " up")
}
