// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"plumbline.dev/lab/internal/host"
)

var errNotUp = errors.New("the lab is not up (lab up)")

// Kubectl returns the command line that runs kubectl against the lab.
func Kubectl(arguments ...string) ([]string, error) {
	current, err := readState()
	if err != nil {
		return nil, errNotUp
	}
	return append([]string{current.Binaries.Kubelab, "kubectl", "--kubeconfig=" + Config}, arguments...), nil
}

// Nodes lists the names of the running lab's nodes.
func Nodes() ([]string, error) {
	current, err := readState()
	if err != nil {
		return nil, errNotUp
	}
	var names []string
	for _, n := range current.Options.nodes() {
		names = append(names, n.name)
	}
	return names, nil
}

// InNode returns the command line that runs a command as a process of a node: in its namespaces and its control group.
func InNode(name string, command ...string) ([]string, error) {
	current, err := readState()
	if err != nil {
		return nil, errNotUp
	}
	for _, n := range current.Options.nodes() {
		if n.name == name {
			return n.inGroup(n.enter(command...)...), nil
		}
	}
	return nil, fmt.Errorf("no node %q", name)
}

// Outside returns the command line that runs a command on the machine outside of the cluster.
func Outside(command ...string) ([]string, error) {
	if _, err := readState(); err != nil {
		return nil, errNotUp
	}
	return append([]string{"nsenter", "--net=" + host.NamespacePath(extSpace)}, command...), nil
}

// App is the workload binary as the machine sees it, for use in the network namespaces of nodes.
func App() (string, error) {
	current, err := readState()
	if err != nil {
		return "", errNotUp
	}
	return current.Binaries.App, nil
}

// LoadImage imports an image archive into every node.
func LoadImage(archive string) error {
	current, err := readState()
	if err != nil {
		return errNotUp
	}
	return each(current.Options.nodes(), func(n node) error { return n.loadImage(archive) })
}

// HasCilium tells whether the named node of the running lab has Cilium, or without a name, whether any has.
func HasCilium(names ...string) bool {
	current, err := readState()
	if err != nil {
		return false
	}
	for _, n := range current.Options.nodes() {
		if n.cilium() && (len(names) == 0 || slices.Contains(names, n.name)) {
			return true
		}
	}
	return false
}

// Cilium returns the command line that runs Cilium's own diagnosis on a node.
func Cilium(name string, arguments ...string) ([]string, error) {
	n, _, err := ciliumNode(name)
	if err != nil {
		return nil, err
	}
	return n.ciliumDbg(arguments...), nil
}

// Hubble returns the command line of Hubble's client, with the lab's relay as its server.
func Hubble(arguments ...string) ([]string, error) {
	current, err := readState()
	if err != nil {
		return nil, errNotUp
	}
	if !HasCilium() {
		return nil, errors.New("no node runs Cilium (lab up --proxy=cilium)")
	}
	return relayCommand(current.Options.nodes()[0], filepath.Join(current.Binaries.Cilium, "hubble"), arguments...), nil
}
