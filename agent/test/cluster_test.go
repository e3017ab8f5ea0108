// SPDX-License-Identifier: Apache-2.0

package test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"plumbline.dev/agent/internal/facts"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
)

// cluster is the lab with the agent's image and manifests in it.
type cluster struct {
	*testing.T
	root string
}

func (c cluster) lab(arguments ...string) string {
	c.Helper()
	command := exec.Command(filepath.Join(c.root, "lab/lab"), arguments...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		c.Fatalf("lab %s: %v", strings.Join(arguments, " "), err)
	}
	return string(output)
}

func (c cluster) kubectl(arguments ...string) string {
	c.Helper()
	return c.lab(append([]string{"kubectl"}, arguments...)...)
}

func newCluster(t *testing.T) cluster {
	if os.Getenv("PLUMBLINE_LAB_LOCKED") == "" {
		t.Skip("skipped: no lab; run it as `lab/lab with -- make -C agent test-cluster`")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c := cluster{t, root}
	manifests := []string{"-f", filepath.Join(root, "agent/deploy/rbac.yaml"), "-f", filepath.Join(root, "agent/deploy/daemonset.yaml")}
	c.lab("image-load", filepath.Join(root, "dist/agent-image.tar"))
	c.kubectl(append([]string{"delete", "--ignore-not-found", "--wait"}, manifests...)...)
	c.kubectl(append([]string{"apply"}, manifests...)...)
	t.Cleanup(func() { c.kubectl(append([]string{"delete", "--wait"}, manifests...)...) })
	c.kubectl("-n", "plumbline", "rollout", "status", "daemonset/plumbline-agent", "--timeout=60s")
	return c
}

// agent connects to a node's agent the way clients do.
func (c cluster) agent(node string) pb.AgentClient {
	c.Helper()
	pod := strings.TrimSpace(c.kubectl("-n", "plumbline", "get", "pods", "--field-selector=spec.nodeName="+node, "-o", "name"))
	agent, closeAgent, err := dialCommand(filepath.Join(c.root, "lab/lab"), "kubectl", "-n", "plumbline", "exec", "-i", pod, "--", "/plumbline-agent", "connect")
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(closeAgent)
	return agent
}

func TestCluster(t *testing.T) {
	c := newCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, node := range []string{"n1", "n2"} {
		agent := c.agent(node)
		t.Run(node+" says who it is", func(t *testing.T) { clusterInfo(ctx, t, agent, node) })
		snapshot, err := receive(ctx, agent, &pb.SnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(node+" shows its own pods with their addresses", func(t *testing.T) { clusterPods(t, c, snapshot, node) })
		t.Run(node+" shows its rules", func(t *testing.T) { clusterRules(ctx, t, c, agent, node) })
		t.Run(node+" names the peers of its pods' devices", func(t *testing.T) { clusterPeers(t, snapshot) })
	}
	agent := c.agent("n1")
	t.Run("probes find the real backend", func(t *testing.T) { clusterProbe(ctx, t, c, agent) })
	t.Run("probes tell what stopped them", func(t *testing.T) { clusterRefusals(ctx, t, agent) })
}

func clusterInfo(ctx context.Context, t *testing.T, agent pb.AgentClient, node string) {
	info, err := agent.GetNodeInfo(ctx, &pb.GetNodeInfoRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if info.NodeName != node || info.Scope.CgroupRoot != "/plab-"+node || info.ProtocolVersion != 1 {
		t.Errorf("got %v", info)
	}
	for _, name := range []string{"bpf.tp_btf", "bpf.tcx", "bpf.bpffs", "netns.enter", "netfilter.nft", "netfilter.iptables-nft", "netfilter.conntrack"} {
		if !slices.ContainsFunc(info.Capabilities, func(c *pb.Capability) bool { return c.Name == name && c.Available }) {
			t.Errorf("%s is not available: %v", name, info.Capabilities)
		}
	}
}

func decode[T any](t *testing.T, snapshot *received, path string) T {
	t.Helper()
	var value T
	content, ok := snapshot.files[path]
	if !ok {
		t.Fatalf("no %s; problems: %v", path, snapshot.problems)
	}
	if err := json.Unmarshal([]byte(content), &value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return value
}

func clusterPods(t *testing.T, c cluster, snapshot *received, node string) {
	if len(snapshot.problems) > 0 {
		t.Errorf("problems: %v", snapshot.problems)
	}
	found := map[string]facts.Pod{}
	for _, pod := range decode[facts.Pods](t, snapshot, "pods.json").Pods {
		found[pod.Namespace+"/"+pod.Name] = pod
	}
	const columns = `jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.podIP} {.spec.hostNetwork}{"\n"}{end}`
	lines := strings.Split(strings.TrimSpace(c.kubectl("get", "pods", "-A", "--field-selector=spec.nodeName="+node, "-o", columns)), "\n")
	if len(found) != len(lines) {
		t.Errorf("%d pods, the API server has %d", len(found), len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		pod := found[fields[0]]
		if hostNetwork := len(fields) == 3; hostNetwork {
			if pod.Netns != "host" {
				t.Errorf("%s is in the host's network, not in %q", fields[0], pod.Netns)
			}
			continue
		}
		addresses := decode[[]facts.Address](t, snapshot, "netns/"+pod.Netns+"/addresses.json")
		if !slices.ContainsFunc(addresses, func(a facts.Address) bool { return strings.HasPrefix(a.Address, fields[1]+"/") }) {
			t.Errorf("%s: no %s in %v", fields[0], fields[1], addresses)
		}
		if !slices.ContainsFunc(pod.Cgroups, func(path string) bool { return strings.HasPrefix(path, "/plab-"+node+"/kubepods/") }) {
			t.Errorf("%s: cgroups %v", fields[0], pod.Cgroups)
		}
	}
}

var counters = regexp.MustCompile(`\[\d+:\d+\]|packets \d+ bytes \d+|(?m)^#.*$`)

// uncounted removes what changes with every packet.
func uncounted(rules string) string { return counters.ReplaceAllString(rules, "") }

// clusterRules compares files with what the tools print on the node. Both are read again when kube-proxy changed
// something in between.
func clusterRules(ctx context.Context, t *testing.T, c cluster, agent pb.AgentClient, node string) {
	for file, command := range map[string][]string{
		"iptables-nft-save.4.txt": {"iptables-nft-save", "-c"},
		"iptables-nft-save.6.txt": {"ip6tables-nft-save", "-c"},
		"nft.txt":                 {"nft", "-a", "list", "ruleset"},
		"ipset.txt":               {"ipset", "save"},
	} {
		var got, want string
		for range 3 {
			snapshot, err := receive(ctx, agent, &pb.SnapshotRequest{Parts: []string{"netfilter"}})
			if err != nil {
				t.Fatal(err)
			}
			want = uncounted(c.lab(append([]string{"node", node}, command...)...))
			if got = uncounted(snapshot.files["netns/host/"+file]); got == want && got != "" {
				break
			}
		}
		if got != want || got == "" {
			t.Errorf("%s differs from what %v prints: %d and %d bytes", file, command, len(got), len(want))
		}
	}
}

// clusterPeers checks that each pod's eth0 and its other end name each other.
func clusterPeers(t *testing.T, snapshot *received) {
	host := decode[[]facts.Link](t, snapshot, "netns/host/links.json")
	for path := range snapshot.files {
		parts := strings.Split(path, "/")
		if len(parts) != 3 || parts[2] != "links.json" || parts[1] == "host" {
			continue
		}
		for _, link := range decode[[]facts.Link](t, snapshot, path) {
			if link.Kind != "veth" {
				continue
			}
			if link.PeerNetns != "host" {
				t.Errorf("%s: %s: peer in %q", path, link.Ifname, link.PeerNetns)
			}
			if !slices.ContainsFunc(host, func(peer facts.Link) bool {
				return peer.Ifindex == link.PeerIfindex && peer.PeerIfindex == link.Ifindex && peer.PeerNetns == parts[1] && peer.Port != nil
			}) {
				t.Errorf("%s: %s: the host has no peer %d", path, link.Ifname, link.PeerIfindex)
			}
		}
	}
}

func clusterProbe(ctx context.Context, t *testing.T, c cluster, agent pb.AgentClient) {
	backends := strings.Fields(c.kubectl("-n", "shop", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}"))
	result, err := agent.Probe(ctx, &pb.ProbeRequest{
		Pod: &pb.PodReference{Namespace: "shop", Name: "client-n1"}, DestinationAddress: "10.96.0.20", DestinationPort: 80, Protocol: 6, Count: 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	for _, attempt := range result.Attempts {
		if attempt.Result != pb.ProbeAttempt_RESULT_CONNECTED || attempt.Remote.Address != "10.96.0.20" {
			t.Fatalf("attempt %v", attempt)
		}
		for _, entry := range attempt.Conntrack {
			if entry.Netns == "host" {
				used[entry.ReplySource.Address]++
			}
		}
	}
	if len(result.Attempts) != 30 || len(backends) != 3 {
		t.Fatalf("%d attempts, %d backends", len(result.Attempts), len(backends))
	}
	for _, backend := range backends {
		if used[backend] == 0 {
			t.Errorf("backend %s was never used: %v", backend, used)
		}
		delete(used, backend)
	}
	if len(used) > 0 {
		t.Errorf("unknown backends: %v", used)
	}
}

func clusterRefusals(ctx context.Context, t *testing.T, agent pb.AgentClient) {
	for _, probe := range []struct {
		address string
		port    uint32
		want    pb.ProbeAttempt_Result
		detail  string
	}{
		{"10.96.0.40", 80, pb.ProbeAttempt_RESULT_REFUSED, "ICMP port unreachable"},                                // a Service without endpoints
		{"10.96.0.20", 6666, pb.ProbeAttempt_RESULT_TIMEOUT, ""},                                                   // dropped by a house rule
		{"10.200.0.100", 25, pb.ProbeAttempt_RESULT_UNREACHABLE, "ICMP communication administratively prohibited"}, // rejected by one
		{"10.200.0.100", 8080, pb.ProbeAttempt_RESULT_CONNECTED, ""},
		{"10.244.0.1", 4444, pb.ProbeAttempt_RESULT_REFUSED, "TCP reset"}, // the node itself, closed port
	} {
		result, err := agent.Probe(ctx, &pb.ProbeRequest{
			Pod: &pb.PodReference{Namespace: "shop", Name: "client-n1"}, DestinationAddress: probe.address, DestinationPort: probe.port,
			Protocol: 6, TimeoutMilliseconds: 500,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := result.Attempts[0]; got.Result != probe.want || !strings.Contains(got.Detail, probe.detail) {
			t.Errorf("%s:%d: %v", probe.address, probe.port, got)
		}
	}
}
