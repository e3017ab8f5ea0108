// SPDX-License-Identifier: Apache-2.0

package lab_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline.dev/lab/internal/cluster"
	"plumbline.dev/lab/internal/host"
)

// changed replaces expectations by those of the same name, and adds the rest.
func changed(t *testing.T, wanted, changes []expectation) []expectation {
	t.Helper()
	wanted = slices.Clone(wanted)
	for _, change := range changes {
		at := slices.IndexFunc(wanted, func(want expectation) bool { return want.name == change.name })
		switch {
		case at < 0:
			wanted = append(wanted, change)
		case change.from == "" && change.address == "": // only the outcome differs
			change.from, change.protocol, change.address, change.count = wanted[at].from, wanted[at].protocol, wanted[at].address, wanted[at].count
			wanted[at] = change
		default:
			wanted[at] = change
		}
	}
	return wanted
}

// whereverCilium is what Cilium does to the pods of n1, where it is in both modes: policies are enforced, what has no
// backend is refused where it starts, and pods' packets pass the house rules by.
func whereverCilium() []expectation {
	const outside = "10.200.0.100"
	return []expectation{
		{name: "no endpoints", fails: "unreachable"},
		{name: "house rule that rejects", fails: "refused"},
		{name: "policy: denied namespace", from: "client-n1", protocol: "tcp", address: "10.96.0.60:8200", count: "1", fails: "timeout"},
		{name: "policy: port range", from: "locked", protocol: "tcp", address: outside + ":9000", count: "3", pods: 1, client: "10.200.0.11"},
		{name: "policy: not in port range", from: "locked", protocol: "tcp", address: outside + ":8080", count: "1", fails: "timeout"},
		{name: "policy: not among endpoints", from: "locked", protocol: "tcp", address: "10.96.0.30:80", count: "1", fails: "timeout"},
		{name: "policy: not denied", from: "client-n1", protocol: "tcp", address: "10.96.0.30:80", count: "3", pods: 1},
		{name: "policy: denied", from: "stranger", protocol: "tcp", address: "10.96.0.30:80", count: "1", fails: "timeout"},
		{name: "policy: cluster", from: "client-n1", protocol: "tcp", address: "10.96.0.70:80", count: "3", pods: 1},
		{name: "policy: not of the cluster", from: "outside", protocol: "tcp", address: "10.200.0.11:8082", count: "1", fails: "timeout"},
	}
}

// withCilium is what differs when both nodes have Cilium instead of kube-proxy.
func withCilium(at places) []expectation {
	return append(whereverCilium(), []expectation{
		{name: "one endpoint", fails: "timeout"}, // by policy db-from-web
		{name: "local node port without endpoint", fails: "refused"},
		{name: "internal Local without endpoint", fails: "unreachable"},
		{name: "a pod's own Service", pods: 1, client: at.lonerIP},
		{name: "policy: the right client", from: at.web["n1"][0], protocol: "tcp", address: "10.96.0.21:5432", count: "3", pods: 1},
		{name: "policy: among endpoints", from: "locked", protocol: "tcp", address: "10.96.0.20:80", count: "40", pods: 3},
		{name: "policy: cluster, other node", from: "client-n2", protocol: "tcp", address: "10.96.0.70:80", count: "3", pods: 1},
	}...)
}

// halfMigrated is what differs when only n1 has Cilium. To it, pods of n2 are the world: what policies allow for their
// labels does not hold for them. And nobody enforces policies on n2.
func halfMigrated(at places) []expectation {
	onN1, onN2 := len(at.web["n1"]), len(at.web["n2"])
	return append(whereverCilium(), []expectation{
		{name: "ClusterIP from the other node", pods: onN2, some: "timeout"},
		{name: "session affinity", from: "client-n1", protocol: "tcp", address: "10.96.0.25:80", count: "20", pods: 1},
		{name: "policy: the right client, unrecognized", from: at.web["n1"][0], protocol: "tcp", address: "10.96.0.21:5432", count: "1", fails: "timeout"},
		{name: "policy: nobody enforces", from: "client-n2", protocol: "tcp", address: "10.96.0.21:5432", count: "3", pods: 1},
		{name: "policy: among endpoints", from: "locked", protocol: "tcp", address: "10.96.0.20:80", count: "40", pods: onN1, some: "timeout"},
		{name: "policy: cluster, other node", from: "client-n2", protocol: "tcp", address: "10.96.0.70:80", count: "1", fails: "timeout"},
	}...)
}

// checkCilium looks at what surrounds the connections: a node's own processes, the agent, and Hubble's relay.
func checkCilium(t *testing.T) {
	t.Run("a process of the node", func(t *testing.T) {
		app, err := cluster.App()
		if err != nil {
			t.Fatal(err)
		}
		if output, err := run(t, "node", "n1", app, "dial", "tcp", "10.96.0.20:80"); err != nil {
			t.Errorf("no ClusterIP from n1: %s", output)
		}
	})
	t.Run("agent", func(t *testing.T) {
		var status struct {
			KubeProxyReplacement struct{ Mode string } `json:"kube-proxy-replacement"`
		}
		if err := json.Unmarshal([]byte(must(t, "cilium", "n1", "status", "-o", "json")), &status); err != nil {
			t.Fatal(err)
		}
		if status.KubeProxyReplacement.Mode != "True" {
			t.Errorf("kube-proxy replacement is %q", status.KubeProxyReplacement.Mode)
		}
	})
	t.Run("flows", func(t *testing.T) {
		// The denied connection of "policy: denied", by the reason "denied by a denylist".
		err := host.Wait("flow", 15*time.Second, func() (bool, error) {
			flows, err := run(t, "hubble", "observe", "--verdict", "DROPPED", "--from-pod", "shop/stranger", "-o", "jsonpb")
			return strings.Contains(flows, `"drop_reason":181`), err
		})
		if err != nil {
			t.Error(err)
		}
	})
}
