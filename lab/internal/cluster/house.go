// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	_ "embed"
	"fmt"
	"strings"
)

// The house rules are what every real node has: firewall rules and policy routes that somebody once added and nobody
// wrote down in the cluster. README.md lists them.

//go:embed house/iptables.rules
var houseIPTables string

//go:embed house/ip6tables.rules
var houseIP6Tables string

//go:embed house/corp.nft
var houseNFT string

// addHouseRules adds them to a node. The iptables part goes to the node's own variant, legacy or nft.
func (n node) addHouseRules() error {
	for _, command := range []string{
		"ipset create -exist corp-blocked hash:net family inet",
		"ipset add -exist corp-blocked 198.51.100.0/24",
		"ipset add -exist corp-blocked 10.200.0.250",
		// Marked packets (see the mangle table) take a table of their own, which has no way out for one network.
		"ip rule add priority 1500 fwmark 0x1000000/0x1000000 lookup 100",
		"ip route add blackhole 192.0.2.0/24 table 100",
	} {
		if _, err := n.run(strings.Fields(command)...); err != nil {
			return fmt.Errorf("house rules of %s: %w", n.name, err)
		}
	}
	for _, ruleset := range []struct {
		text    string
		command []string
	}{
		// --noflush adds to what kube-proxy and the kubelet wrote.
		{houseIPTables, []string{"iptables-restore", "--noflush", "--wait"}},
		{houseIP6Tables, []string{"ip6tables-restore", "--noflush", "--wait"}},
		{houseNFT, []string{"nft", "-f", "-"}},
	} {
		if _, err := n.runInput(ruleset.text, ruleset.command...); err != nil {
			return fmt.Errorf("house rules of %s: %w", n.name, err)
		}
	}
	return nil
}
