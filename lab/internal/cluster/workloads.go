// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"plumbline.dev/lab/internal/host"
)

// loadBalancers are the addresses that a cloud would have given these Services.
var loadBalancers = map[string]string{
	"/api/v1/namespaces/shop/services/web-lb":  "203.0.113.10",
	"/api/v1/namespaces/shop/services/edge-lb": "203.0.113.11",
}

// Manifests are the lab's workloads, as YAML.
type Manifests struct {
	All    string // for every lab
	Cilium string // for labs with Cilium, whose kinds of objects they use
}

func (m Manifests) digest() string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(m.All+m.Cilium)))
}

// applyAll creates the workloads.
func (l *lab) applyAll(client *api, nodes []node, manifests Manifests) error {
	if err := l.apply(client, manifests.All); err != nil || l.Cilium == "" {
		return err
	}
	if err := errors.Join(l.loadRelayImage(nodes[0]), l.waitForPolicyKinds(client)); err != nil {
		return err
	}
	return l.kubectlApply(manifests.Cilium)
}

// apply creates objects. Namespaces go first: a plain pod is refused until its namespace has the default
// service account, which a controller adds a moment later.
func (l *lab) apply(client *api, manifests string) error {
	for _, name := range namespacesOf(manifests) {
		namespace := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}}
		body, err := json.Marshal(namespace)
		if err != nil {
			return err
		}
		if err := client.do("POST", "/api/v1/namespaces", "application/json", body, nil); err != nil {
			return err
		}
		account := "/api/v1/namespaces/" + name + "/serviceaccounts/default"
		err = l.wait("service account of namespace "+name, 20*time.Second, "kube-controller-manager", func() (bool, error) {
			return client.get(account, nil) == nil, nil
		})
		if err != nil {
			return err
		}
	}
	return l.kubectlApply(manifests)
}

func (l *lab) kubectlApply(manifests string) error {
	_, err := host.RunInput(manifests, l.Kubelab, "kubectl", "--kubeconfig="+Config, "apply", "-f", "-")
	return err
}

// namespacesOf finds the namespaces that manifests are for.
func namespacesOf(manifests string) []string {
	found := map[string]bool{}
	for _, line := range strings.Split(manifests, "\n") {
		if name, ok := strings.CutPrefix(line, "  namespace: "); ok {
			found[strings.TrimSpace(name)] = true
		}
	}
	return sortedKeys(found)
}

// assignLoadBalancers does what a cloud's controller does: it writes addresses into the Services' status.
func assignLoadBalancers(client *api) error {
	for path, address := range loadBalancers {
		status := object{"status": object{"loadBalancer": object{"ingress": []object{{"ip": address, "ipMode": "VIP"}}}}}
		if err := client.patch(path+"/status", status); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) waitForPods(client *api, limit time.Duration) error {
	var unready []string
	err := l.wait("workloads ready", limit, "", func() (bool, error) {
		complete, err := client.deploymentsComplete()
		if err != nil || !complete {
			return false, nil // the next question may be answered
		}
		var total int
		unready, total, err = client.unreadyPods()
		return err == nil && total > 0 && len(unready) == 0, nil
	})
	if err != nil {
		unready, _, _ = client.unreadyPods()
		return fmt.Errorf("%w: %s", err, short(unready))
	}
	return nil
}

// waitForServices waits until both nodes have translated the Services into rules: that comes a moment after the pods
// are ready, and a test that starts in between sees refusals or only some of the pods.
func (l *lab) waitForServices(nodes []node) error {
	return each(nodes, func(n node) error {
		return l.wait("Services on node "+n.name, 30*time.Second, l.dataplane(n).blame(n), func() (bool, error) {
			backends := map[string]bool{}
			command := n.inGroup("nsenter", "--net="+host.NamespacePath(n.space()), l.App, "dial", "tcp", "10.96.0.20:80", "--count", "40")
			output, _ := exec.Command(command[0], command[1:]...).Output() // failures are in the output
			for _, line := range strings.Split(string(output), "\n") {
				var result struct{ Answer struct{ Host string } }
				if json.Unmarshal([]byte(line), &result) == nil && result.Answer.Host != "" {
					backends[result.Answer.Host] = true
				}
			}
			return len(backends) == 3, nil
		})
	})
}
