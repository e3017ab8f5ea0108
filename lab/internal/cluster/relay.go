// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"

	"plumbline.dev/image/archive"
	"plumbline.dev/lab/internal/host"
)

// Hubble's relay is a pod of the first node, in its network (workloads/cilium/70-hubble-relay.yaml).
const (
	relayImage = "plumbline.lab/hubble-relay:1"
	relayPort  = "4245"
	hubblePort = "4244"
)

// The management network is a namespace with a cable to each node with Cilium. Cilium does not watch these. Through the
// nodes' eth0 each flow that the relay fetches would be packets, which are flows: who follows all flows would see little
// but that, thousands in a second, and what Hubble remembers would be gone at once.
const (
	managementSpace = Prefix + "-mgmt"
	managementNet   = "10.202.0.0/24"
	managementIP    = "10.202.0.1"  // of the namespace
	managementRelay = "10.202.0.11" // of the relay's node
	managementLink  = "mgmt0"       // the nodes' interface
)

func buildManagementNetwork(nodes []node) error {
	if _, err := host.Run("ip", "netns", "add", managementSpace); err != nil {
		return err
	}
	if err := ip(managementSpace, "link set lo up", "addr add "+managementIP+"/32 dev lo"); err != nil {
		return err
	}
	if err := sysctl(managementSpace, "net.ipv4.ip_forward=1"); err != nil {
		return err
	}
	for _, n := range nodes {
		err := ip(managementSpace,
			"link add "+n.name+" type veth peer name "+managementLink+" netns "+n.space(),
			"link set "+n.name+" up",
			"route add "+n.ip4+"/32 dev "+n.name+" src "+managementIP)
		if err != nil {
			return err
		}
		err = ip(n.space(),
			"link set "+managementLink+" up",
			"route add "+managementIP+"/32 dev "+managementLink+" src "+n.ip4,
			"route add "+managementNet+" via "+managementIP+" dev "+managementLink+" onlink src "+n.ip4)
		if err != nil {
			return err
		}
	}
	return routeRelay(nodes)
}

// routeRelay sends what the relay asks other nodes' Hubbles over the management network; everything else between the
// nodes keeps to eth0. The answers come back that way because of their address.
func routeRelay(nodes []node) error {
	relay := nodes[0]
	if err := ip(managementSpace, "route add "+managementRelay+"/32 dev "+relay.name); err != nil {
		return err
	}
	if err := ip(relay.space(), "addr add "+managementRelay+"/32 dev "+managementLink); err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		err := ip(relay.space(),
			"rule add priority 1400 to "+n.ip4+" ipproto tcp dport "+hubblePort+" lookup "+hubblePort,
			"route add "+n.ip4+"/32 via "+managementIP+" dev "+managementLink+" onlink src "+managementRelay+" table "+hubblePort)
		if err != nil {
			return err
		}
	}
	return nil
}

// loadRelayImage gives the relay's node the relay.
func (l *lab) loadRelayImage(n node) error {
	path := filepath.Join(DiskDir, "hubble-relay.tar")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = archive.Write(file, archive.Image{
		Tags:       []string{relayImage},
		Files:      []archive.File{{Path: "/hubble-relay", From: filepath.Join(l.Cilium, "hubble-relay")}},
		Entrypoint: []string{"/hubble-relay"}, Env: []string{"PATH=/"},
	})
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := n.loadImage(path); err != nil {
		return err
	}
	return os.Remove(path)
}

// relayCommand runs a program where it reaches the relay without Cilium noticing.
func relayCommand(n node, program string, arguments ...string) []string {
	command := []string{"nsenter", "--net=" + host.NamespacePath(managementSpace), program, "--server=" + n.ip4 + ":" + relayPort}
	return append(command, arguments...)
}
