// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"strings"

	"plumbline.dev/lab/internal/host"
)

// buildNetwork makes the namespaces and connects them. Addresses skip duplicate detection: nobody else is on this
// network, and waiting for it would cost seconds.
func buildNetwork(nodes []node) error {
	spaces := []string{cpSpace, extSpace}
	for _, n := range nodes {
		spaces = append(spaces, n.space())
	}
	for _, space := range spaces {
		if _, err := host.Run("ip", "netns", "add", space); err != nil {
			return err
		}
		// Everything in the namespace, pods' ends of their cables included, inherits these from "default".
		settings := []string{"net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0"}
		if err := sysctl(space, settings...); err != nil {
			return err
		}
	}
	if err := buildHub(); err != nil {
		return err
	}
	for _, n := range nodes {
		if err := connect(endpoint{n.space(), n.ip4, n.ip6}, n.name); err != nil {
			return err
		}
		err := sysctl(n.space(), "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
			"net.bridge.bridge-nf-call-iptables=1", "net.bridge.bridge-nf-call-ip6tables=1")
		if err != nil {
			return err
		}
	}
	if err := connect(outside, "ext"); err != nil {
		return err
	}
	return addRoutes(nodes)
}

// buildHub makes the bridge everything is plugged into, and the machine's cable to it.
func buildHub() error {
	err := ip(cpSpace,
		"link set lo up",
		"link add "+bridge+" type bridge",
		"link set "+bridge+" up",
		"addr add "+controlPlane.ip4+"/24 dev "+bridge,
		"addr add "+controlPlane.ip6+"/64 dev "+bridge+" nodad")
	if err != nil {
		return err
	}
	if err := ip("", "link add "+hostLink+" type veth peer name host netns "+cpSpace); err != nil {
		return err
	}
	if err := ip(cpSpace, "link set host master "+bridge+" up"); err != nil {
		return err
	}
	return ip("",
		"addr add "+machine.ip4+"/24 dev "+hostLink,
		"addr add "+machine.ip6+"/64 dev "+hostLink+" nodad",
		"link set "+hostLink+" up")
}

// connect plugs a namespace into the bridge; port is the name of the bridge's end.
func connect(to endpoint, port string) error {
	err := ip(cpSpace, "link add "+port+" type veth peer name eth0 netns "+to.space, "link set "+port+" master "+bridge+" up")
	if err != nil {
		return err
	}
	return ip(to.space,
		"link set lo up",
		"addr add "+to.ip4+"/24 dev eth0",
		"addr add "+to.ip6+"/64 dev eth0 nodad",
		"link set eth0 up",
		"route add default via "+controlPlane.ip4,
		"-6 route add default via "+controlPlane.ip6)
}

// addRoutes tells every machine which node has which pods. Machines outside of the cluster also send load balancer
// addresses to n1, as a router in front of a real cluster would.
func addRoutes(nodes []node) error {
	for _, n := range nodes {
		routes := []string{"route add " + n.pods4 + " via " + n.ip4, "-6 route add " + n.pods6 + " via " + n.ip6}
		others := []string{cpSpace, extSpace, ""}
		for _, other := range nodes {
			if other.name != n.name {
				others = append(others, other.space())
			}
		}
		for _, space := range others {
			if err := ip(space, routes...); err != nil {
				return err
			}
		}
	}
	for _, space := range []string{extSpace, ""} {
		if err := ip(space, "route add "+lbNet+" via "+nodes[0].ip4); err != nil {
			return err
		}
	}
	return nil
}

// ip runs commands of the ip tool in a network namespace ("" is the machine's own).
func ip(space string, commands ...string) error {
	for _, command := range commands {
		arguments := strings.Fields(command)
		if space != "" {
			arguments = append([]string{"-n", space}, arguments...)
		}
		if _, err := host.Run("ip", arguments...); err != nil {
			return err
		}
	}
	return nil
}

func sysctl(space string, settings ...string) error {
	arguments := append([]string{"--net=" + host.NamespacePath(space), "sysctl", "-qw"}, settings...)
	if _, err := host.Run("nsenter", arguments...); err != nil {
		return fmt.Errorf("kernel settings of %s: %w", space, err)
	}
	return nil
}
