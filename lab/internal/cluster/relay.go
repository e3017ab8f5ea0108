// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"path/filepath"

	"plumbline.dev/lab/internal/host"
)

// Relay is where Hubble's relay answers for all nodes with Cilium, without TLS, also from the machine itself.
const Relay = "10.200.0.3:4245"

const (
	relaySpace = Prefix + "-relay"
	relayIP    = "10.202.0.1" // on the nodes' management network
	management = "mgmt0"      // the nodes' interface to it
)

var relay = endpoint{relaySpace, "10.200.0.3", "fd00:10:200::3"}

// buildRelayNetwork gives the relay a namespace, and a cable to each node that Cilium does not watch. Through the
// nodes' eth0, each flow that it fetches would be packets, which are flows: who follows all flows would see little but
// that, thousands in a second.
func buildRelayNetwork(nodes []node) error {
	if _, err := host.Run("ip", "netns", "add", relaySpace); err != nil {
		return err
	}
	if err := connect(relay, "relay"); err != nil {
		return err
	}
	if err := ip(relaySpace, "addr add "+relayIP+"/32 dev lo"); err != nil {
		return err
	}
	for _, n := range nodes {
		err := ip(relaySpace,
			"link add "+n.name+" type veth peer name "+management+" netns "+n.space(),
			"link set "+n.name+" up",
			"route add "+n.ip4+"/32 dev "+n.name+" src "+relayIP)
		if err != nil {
			return err
		}
		if err := ip(n.space(), "link set "+management+" up", "route add "+relayIP+"/32 dev "+management+" src "+n.ip4); err != nil {
			return err
		}
	}
	return nil
}

// startRelay starts the relay. It waits for the nodes, and finds the others through the first, which has Cilium in
// every mode.
func (l *lab) startRelay(nodes []node) error {
	return l.start("hubble-relay", cpSpace, nil, []string{
		"nsenter", "--net=" + host.NamespacePath(relaySpace), filepath.Join(l.Cilium, "hubble-relay"), "serve",
		"--disable-client-tls",
		"--disable-server-tls",
		"--listen-address=" + Relay,
		"--peer-service=" + nodes[0].ip4 + ":4244",
		"--retry-timeout=2s",
		// Flows of several nodes are sorted by time. By default they come when there are a hundred, or a second after the
		// last: too late for who watches them.
		"--sort-buffer-drain-timeout=100ms",
		"--sort-buffer-len-max=20",
	})
}
