// SPDX-License-Identifier: Apache-2.0

// Package record writes down what a running lab's nodes and API server say, as raw material for tests.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumbline.dev/lab/internal/cluster"
	"plumbline.dev/lab/internal/host"
)

// perNode are the commands whose output is recorded on each node, by file name. They only read.
var perNode = map[string]string{
	"iptables-legacy-save.txt":  "iptables-legacy-save -c",
	"ip6tables-legacy-save.txt": "ip6tables-legacy-save -c",
	"iptables-nft-save.txt":     "iptables-nft-save -c",
	"ip6tables-nft-save.txt":    "ip6tables-nft-save -c",
	"nft-ruleset.txt":           "nft list ruleset",
	"nft-ruleset.json":          "nft -j list ruleset",
	"ip-addr.json":              "ip -j -d addr",
	"ip-route.json":             "ip -j route show table all",
	"ip6-route.json":            "ip -6 -j route show table all",
	"ip-rule.json":              "ip -j rule",
	"ip6-rule.json":             "ip -6 -j rule",
	"ip-neigh.json":             "ip -j neigh",
	"bridge-fdb.json":           "bridge -j fdb show",
	"ipset-save.txt":            "ipset save",
	"conntrack.txt":             "conntrack -L",
	"sysctl.txt": "sysctl -e net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.rp_filter " +
		"net.ipv4.conf.all.route_localnet net.bridge.bridge-nf-call-iptables net.netfilter.nf_conntrack_max " +
		"net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_tcp_be_liberal",
	"kernel.txt": "uname -srm",
}

// kinds are the API objects that are recorded, one file each.
var kinds = []string{
	"nodes", "pods", "services", "endpointslices", "networkpolicies", "namespaces", "deployments", "daemonsets",
}

// Raw records every node and the cluster's objects below out. Connection tracking is emptied of what the start has left
// in it, and then gets a few connections of each kind.
func Raw(out string) error {
	names, err := cluster.Nodes()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := forgetConnections(name); err != nil {
			return err
		}
	}
	if err := makeTraffic(); err != nil {
		return err
	}
	for _, name := range names {
		if err := rawNode(name, filepath.Join(out, name)); err != nil {
			return fmt.Errorf("node %s: %w", name, err)
		}
	}
	if !cluster.HasCilium() {
		return rawObjects(filepath.Join(out, "objects"), kinds)
	}
	if err := rawObjects(filepath.Join(out, "objects"), slices.Concat(kinds, ciliumKinds)); err != nil {
		return err
	}
	return rawFlows(filepath.Join(out, "hubble"))
}

func forgetConnections(name string) error {
	if _, err := onNode(name, "conntrack -F"); err != nil {
		return err
	}
	if !cluster.HasCilium(name) {
		return nil
	}
	command, err := cluster.Cilium(name, "bpf", "ct", "flush", "global")
	if err != nil {
		return err
	}
	_, err = host.Run(command[0], command[1:]...)
	return err
}

// makeTraffic asks Services from a pod on each node. Refusals and timeouts are answers too, so failures don't matter.
func makeTraffic() error {
	err := dialFrom([]string{"client-n1", "client-n2"}, []string{
		"tcp 10.96.0.20:80 --count 6", "udp 10.96.0.20:9001 --count 3", "tcp 10.96.0.21:5432", "tcp 10.96.0.40:80",
		"tcp 10.200.0.100:9000",
	})
	if err != nil || !cluster.HasCilium() {
		return err
	}
	return makeCiliumTraffic()
}

// dialFrom connects from pods of the namespace shop.
func dialFrom(pods, targets []string) error {
	for _, pod := range pods {
		for _, target := range targets {
			arguments := append([]string{"exec", "-n", "shop", pod, "--", "/app", "dial"}, strings.Fields(target)...)
			command, err := cluster.Kubectl(arguments...)
			if err != nil {
				return err
			}
			_, _ = host.Run(command[0], command[1:]...)
		}
	}
	return nil
}

func rawNode(name, dir string) error {
	if err := fresh(dir); err != nil {
		return err
	}
	for file, line := range perNode {
		output, err := onNode(name, line)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(output), 0o644); err != nil {
			return err
		}
	}
	if !cluster.HasCilium(name) {
		return nil
	}
	return rawCilium(name, dir)
}

// onNode runs a command in a node's namespaces.
func onNode(name, line string) (string, error) {
	command, err := cluster.InNode(name, strings.Fields(line)...)
	if err != nil {
		return "", err
	}
	return host.Run(command[0], command[1:]...)
}

func rawObjects(dir string, kinds []string) error {
	if err := fresh(dir); err != nil {
		return err
	}
	for _, kind := range kinds {
		command, err := cluster.Kubectl("get", kind, "-A", "-o", "json")
		if err != nil {
			return err
		}
		output, err := host.Run(command[0], command[1:]...)
		if err != nil {
			return err
		}
		text, err := tidy([]byte(output))
		if err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		if err := os.WriteFile(filepath.Join(dir, kind+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes bookkeeping that says nothing about the network: field owners and the copy that "apply" keeps.
func tidy(text []byte) ([]byte, error) {
	var objects struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Items      []map[string]any `json:"items"`
	}
	if err := json.Unmarshal(text, &objects); err != nil {
		return nil, err
	}
	for _, object := range objects.Items {
		metadata, ok := object["metadata"].(map[string]any)
		if !ok {
			continue
		}
		delete(metadata, "managedFields")
		if annotations, ok := metadata["annotations"].(map[string]any); ok {
			delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
	}
	tidied, err := json.MarshalIndent(objects, "", " ")
	return append(tidied, '\n'), err
}

// fresh makes an empty folder: a file that is no longer recorded must not stay.
func fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}
