// SPDX-License-Identifier: Apache-2.0

package lab_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"plumbline.dev/lab/internal/cluster"
)

// reached sums up what a number of connections met.
type reached struct {
	hosts   map[string]int // names of the pods that answered
	clients map[string]int // addresses they saw
	errors  map[string]int
}

// dial connects count times. from is a pod of the namespace shop, "outside" (the machine outside of the cluster) or
// "machine" (the one the lab runs on).
func dial(t *testing.T, from, protocol, address, count string) reached {
	t.Helper()
	app, err := cluster.App()
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"dial", protocol, address, "--count", count, "--timeout", "1s"}
	var line []string
	switch from {
	case "machine":
		line = append([]string{app}, arguments...)
	case "outside":
		line, err = cluster.Outside(append([]string{app}, arguments...)...)
	default:
		line, err = cluster.Kubectl(append([]string{"exec", "-n", "shop", from, "--", "/app"}, arguments...)...)
	}
	if err != nil {
		t.Fatal(err)
	}
	output, _ := exec.Command(line[0], line[1:]...).Output() // failed connections are part of the answer
	result := reached{map[string]int{}, map[string]int{}, map[string]int{}}
	for _, text := range strings.Split(strings.TrimSpace(string(output)), "\n") {
		var attempt struct {
			OK     bool
			Error  string
			Answer struct{ Host, Client string }
		}
		if err := json.Unmarshal([]byte(text), &attempt); err != nil {
			t.Fatalf("%s to %s: unreadable answer %q", from, address, text)
		}
		if !attempt.OK {
			result.errors[attempt.Error]++
			continue
		}
		result.hosts[attempt.Answer.Host]++
		client := attempt.Answer.Client
		result.clients[client[:strings.LastIndex(client, ":")]]++
	}
	return result
}

func get(t *testing.T, what ...string) string {
	t.Helper()
	return strings.TrimSpace(must(t, append([]string{"kubectl", "get", "-n", "shop"}, what...)...))
}

// expectation is one way into the cluster and what it must meet.
type expectation struct {
	name, from, protocol, address string
	count                         string
	pods                          int    // how many different pods answer
	client                        string // the address they see, "" for any
	fails                         string // how every connection fails
	some                          string // how some connections fail
}

// places are the addresses and numbers that differ from lab to lab.
type places struct {
	clientIP, lonerIP string
	web               map[string][]string // the web pods' names, by node
	webOnN2           string              // the address of one
}

func findPlaces(t *testing.T) places {
	t.Helper()
	found := places{
		clientIP: get(t, "pod", "client-n1", "-o", "jsonpath={.status.podIP}"),
		lonerIP:  get(t, "pod", "loner", "-o", "jsonpath={.status.podIP}"),
		web:      map[string][]string{},
	}
	for _, node := range []string{"n1", "n2"} {
		selected := []string{"pods", "-l", "app=web", "--field-selector", "spec.nodeName=" + node, "-o"}
		found.web[node] = strings.Fields(get(t, append(selected, "jsonpath={.items[*].metadata.name}")...))
		found.webOnN2 = get(t, append(selected, "jsonpath={.items[0].status.podIP}")...)
	}
	return found
}

// expectations are those of a lab with kube-proxy on both nodes.
func expectations(at places) []expectation {
	clientIP, webIP := at.clientIP, at.webOnN2
	return []expectation{
		{name: "ClusterIP", from: "client-n1", protocol: "tcp", address: "10.96.0.20:80", count: "40", pods: 3, client: clientIP},
		{name: "ClusterIP from the other node", from: "client-n2", protocol: "tcp", address: "10.96.0.20:9000", count: "40", pods: 3},
		{name: "ClusterIP UDP", from: "client-n1", protocol: "udp", address: "10.96.0.20:9001", count: "40", pods: 3},
		{name: "ClusterIP IPv6", from: "client-n1", protocol: "tcp", address: "[fd00:10:96::20]:80", count: "40", pods: 3},
		{name: "one endpoint", from: "client-n1", protocol: "tcp", address: "10.96.0.21:5432", count: "3", pods: 1},
		{name: "pod", from: "client-n1", protocol: "tcp", address: webIP + ":8080", count: "3", pods: 1, client: clientIP},
		{name: "node port on n1", from: "outside", protocol: "tcp", address: "10.200.0.11:30080", count: "40", pods: 3},
		{name: "node port on n2", from: "outside", protocol: "tcp", address: "10.200.0.12:30080", count: "40", pods: 3},
		{name: "node port UDP", from: "machine", protocol: "udp", address: "10.200.0.12:30090", count: "40", pods: 3},
		{name: "local node port", from: "outside", protocol: "tcp", address: "10.200.0.11:30081", count: "3", pods: 1, client: "10.200.0.100"},
		{name: "local node port without endpoint", from: "outside", protocol: "tcp", address: "10.200.0.12:30081", count: "1", fails: "timeout"},
		{name: "load balancer", from: "outside", protocol: "tcp", address: "203.0.113.10:80", count: "40", pods: 3},
		{name: "load balancer, source not allowed", from: "machine", protocol: "tcp", address: "203.0.113.10:80", count: "1", fails: "timeout"},
		{name: "local load balancer", from: "outside", protocol: "tcp", address: "203.0.113.11:80", count: "3", pods: 1, client: "10.200.0.100"},
		{name: "external address", from: "outside", protocol: "tcp", address: "203.0.113.20:80", count: "40", pods: 3},
		{name: "session affinity", from: "client-n2", protocol: "tcp", address: "10.96.0.25:80", count: "20", pods: 1},
		{name: "internal Local", from: "client-n1", protocol: "tcp", address: "10.96.0.32:80", count: "3", pods: 1},
		{name: "internal Local without endpoint", from: "client-n2", protocol: "tcp", address: "10.96.0.32:80", count: "1", fails: "timeout"},
		{name: "no endpoints", from: "client-n1", protocol: "tcp", address: "10.96.0.40:80", count: "1", fails: "refused"},
		{name: "host port", from: "outside", protocol: "tcp", address: "10.200.0.11:8081", count: "3", pods: 1},
		{name: "pod in its node's network", from: "client-n1", protocol: "tcp", address: "10.96.0.50:80", count: "3", pods: 1},
		{name: "a pod's own Service", from: "loner", protocol: "tcp", address: "10.96.0.51:80", count: "3", pods: 1, client: "10.244.1.1"},
		{name: "leaving the cluster", from: "client-n1", protocol: "tcp", address: "10.200.0.100:9000", count: "3", pods: 1, client: "10.200.0.11"},
		{name: "house rule in iptables", from: "client-n1", protocol: "tcp", address: webIP + ":6666", count: "1", fails: "timeout"},
		{name: "house rule in nftables", from: "client-n1", protocol: "tcp", address: webIP + ":7777", count: "1", fails: "timeout"},
		{name: "house rule that rejects", from: "client-n1", protocol: "tcp", address: "10.200.0.100:25", count: "1", fails: "unreachable"},
	}
}

// TestEveryKindOfService sends real packets each way a Service can be reached.
func TestEveryKindOfService(t *testing.T) {
	needsLab(t)
	profiles := [][]string{{"--proxy=mixed"}}
	if os.Getenv("PLUMBLINE_LAB_E2E") == "all" {
		profiles = append(profiles, []string{"--proxy=iptables", "--iptables-backend=legacy"}, []string{"--proxy=nftables"},
			[]string{"--proxy=cilium"}, []string{"--proxy=half"})
	}
	for _, flags := range profiles {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			needsTools(t, strings.TrimPrefix(flags[0], "--proxy="))
			bringUp(t, flags...)
			at := findPlaces(t)
			wanted := expectations(at)
			switch flags[0] {
			case "--proxy=cilium":
				wanted = changed(t, wanted, withCilium(at))
			case "--proxy=half":
				wanted = changed(t, wanted, halfMigrated(at))
			}
			for _, want := range wanted {
				t.Run(want.name, func(t *testing.T) { check(t, want) })
			}
			if cluster.HasCilium() {
				checkCilium(t)
			}
		})
	}
}

func check(t *testing.T, want expectation) {
	met := dial(t, want.from, want.protocol, want.address, want.count)
	if want.fails != "" {
		if met.errors[want.fails] == 0 || len(met.hosts) > 0 {
			t.Errorf("expected %s, met %+v", want.fails, met)
		}
		return
	}
	failed := len(met.errors) > 0
	if want.some != "" {
		failed = len(met.errors) != 1 || met.errors[want.some] == 0
	}
	if failed || len(met.hosts) != want.pods {
		t.Errorf("expected answers of %d pods, %q of others, met %+v", want.pods, want.some, met)
	}
	if want.client != "" && (len(met.clients) != 1 || met.clients[want.client] == 0) {
		t.Errorf("expected to be seen as %s, met %+v", want.client, met)
	}
}
