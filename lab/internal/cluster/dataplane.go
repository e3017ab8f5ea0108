// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"path/filepath"
	"time"
)

// standardPlugins is where the distribution has its network plugins.
const standardPlugins = "/usr/lib/cni"

// dataplane is what connects pods and implements Services on a node. Everything else of a node is the same whichever
// it is.
type dataplane interface {
	// prepare runs before the container runtime starts: plugin configuration.
	prepare(n node) error
	// start runs when the API server answers, beside the kubelet.
	start(l *lab, n node) error
	// blame is the process whose log says why Services do not work on the node.
	blame(n node) string
}

func (l *lab) dataplane(n node) dataplane {
	if n.cilium() {
		return cilium{programs: l.Cilium}
	}
	return kubeProxy{}
}

// patience is how long pods and Services may take. Cilium compiles programs for each kind of interface first.
func patience(nodes []node) time.Duration {
	for _, n := range nodes {
		if n.cilium() {
			return 5 * time.Minute
		}
	}
	return 90 * time.Second
}

// linkPlugins makes the standard network plugins available to the node's container runtime.
func (n node) linkPlugins() error {
	files, err := os.ReadDir(standardPlugins)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.Symlink(filepath.Join(standardPlugins, file.Name()), filepath.Join(n.plugins(), file.Name())); err != nil {
			return err
		}
	}
	return nil
}

// kubeProxy is the reference: the bridge and portmap network plugins, and kube-proxy.
type kubeProxy struct{}

func (kubeProxy) prepare(n node) error {
	subnet := func(cidr string) []object { return []object{{"subnet": cidr}} }
	config := object{
		"cniVersion": "1.0.0",
		"name":       "lab",
		"plugins": []object{
			{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
				// Pods keep their addresses between nodes. What leaves the cluster is masqueraded by the lab's own rules.
				"ipMasq": false,
				"ipam": object{
					"type":   "host-local",
					"ranges": [][]object{subnet(n.pods4), subnet(n.pods6)},
					"routes": []object{{"dst": "0.0.0.0/0"}, {"dst": "::/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}
	return writeJSON(filepath.Join(n.cni(), "10-lab.conflist"), config)
}

func (p kubeProxy) start(l *lab, n node) error {
	config := object{
		"apiVersion":         "kubeproxy.config.k8s.io/v1alpha1",
		"kind":               "KubeProxyConfiguration",
		"mode":               n.proxy,
		"clientConnection":   object{"kubeconfig": secret("kube-proxy.kubeconfig")},
		"hostnameOverride":   n.name,
		"clusterCIDR":        podNets,
		"oomScoreAdj":        0,
		"healthzBindAddress": "0.0.0.0:10256",
		"metricsBindAddress": "127.0.0.1:10249",
		// Zero leaves the settings alone; in a network namespace the table's size is read-only.
		"conntrack": object{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
	file := filepath.Join(n.dir(), "kube-proxy.json")
	if err := writeJSON(file, config); err != nil {
		return err
	}
	command := n.enter("/run/kubelab", "kube-proxy", "--config="+file, "--v=2")
	return l.start(p.blame(n), n.processes(), nil, command)
}

func (kubeProxy) blame(n node) string { return "kube-proxy-" + n.name }
