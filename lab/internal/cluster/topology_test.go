// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestMixedHasOneNodeOfEachKind(t *testing.T) {
	nodes := Options{Proxy: "mixed", Backend: "nft"}.nodes()
	if nodes[0].proxy != "iptables" || nodes[1].proxy != "nftables" {
		t.Errorf("got %s and %s", nodes[0].proxy, nodes[1].proxy)
	}
}

func TestHalfMigratedHasCiliumOnTheFirstNodeOnly(t *testing.T) {
	half := Options{Proxy: "half", Backend: "nft"}
	nodes := half.nodes()
	if !nodes[0].cilium() || nodes[1].cilium() || nodes[1].proxy != "nftables" || !half.Cilium() {
		t.Errorf("got %s and %s", nodes[0].proxy, nodes[1].proxy)
	}
	if (Options{Proxy: "mixed", Backend: "nft"}).Cilium() {
		t.Error("a lab with kube-proxy only is taken for one with Cilium")
	}
}

func TestUnknownOptionsAreNamed(t *testing.T) {
	for _, options := range []Options{{"ipvs", "nft"}, {"iptables", "ebtables"}} {
		if err := options.Validate(); err == nil || !strings.Contains(err.Error(), "one of") {
			t.Errorf("%v: %v", options, err)
		}
	}
}

// TestNetworksFitTogether keeps the constants consistent: each node's pods are in the pod networks, and no two networks
// overlap.
func TestNetworksFitTogether(t *testing.T) {
	pods := prefixes(t, strings.Split(podNets, ",")...)
	var all []netip.Prefix
	for _, n := range (Options{Proxy: "mixed", Backend: "nft"}).nodes() {
		for i, subnet := range prefixes(t, n.pods4, n.pods6) {
			if !pods[i].Contains(subnet.Addr()) || subnet.Bits() < pods[i].Bits() {
				t.Errorf("%s of %s is not in %s", subnet, n.name, pods[i])
			}
			all = append(all, subnet)
		}
	}
	all = append(all, prefixes(t, strings.Split(services, ",")...)...)
	all = append(all, prefixes(t, lbNet, "10.200.0.0/24", "fd00:10:200::/64")...)
	for i, a := range all {
		for _, b := range all[i+1:] {
			if a.Overlaps(b) {
				t.Errorf("%s overlaps %s", a, b)
			}
		}
	}
}

func prefixes(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, prefix)
	}
	return list
}

func TestNamespacesOfManifests(t *testing.T) {
	manifests := "kind: Pod\nmetadata:\n  name: a\n  namespace: shop\n---\nkind: Pod\nmetadata:\n  name: b\n  namespace: vault\n" +
		"---\nkind: Pod\nmetadata:\n  name: c\n  namespace: shop\n"
	if got := namespacesOf(manifests); !slices.Equal(got, []string{"shop", "vault"}) {
		t.Errorf("found %v", got)
	}
}
