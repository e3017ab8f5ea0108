// SPDX-License-Identifier: Apache-2.0

// Package cluster is the lab itself: a Kubernetes control plane and two nodes in network namespaces of this machine.
//
//	machine ── plab-host ──┐
//	                       │ bridge plab0 in namespace plab-cp (control plane, 10.200.0.1)
//	namespace plab-n1 ─ eth0 ┤ 10.200.0.11, pods 10.244.0.0/24, fd00:10:244:0::/64
//	namespace plab-n2 ─ eth0 ┤ 10.200.0.12, pods 10.244.1.0/24, fd00:10:244:1::/64
//	namespace plab-ext ─ eth0 ┘ 10.200.0.100, a machine outside of the cluster
//
// The machine's own namespace gets one interface and the routes through it, and no firewall rule.
package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
)

// Names and places. They are fixed, because only one lab runs on a machine at a time.
const (
	Prefix   = "plab"                           // of network namespaces, interfaces and control groups
	RunDir   = "/run/plumbline-lab"             // pid files, logs, configuration, certificates
	DiskDir  = "/var/lib/plumbline-lab"         // what may be large: images, containers, etcd
	LockFile = "/run/lock/plumbline-lab.lock"   // held while the lab changes, or is used exclusively
	hostLink = Prefix + "-host"                 // the machine's end of its cable to the lab
	bridge   = Prefix + "0"                     // in the control plane's namespace
	cpSpace  = Prefix + "-cp"                   // namespace of the control plane
	extSpace = Prefix + "-ext"                  // namespace of the machine outside
	server   = "https://10.200.0.1:6443"        // API server
	appImage = "plumbline.lab/app:1"            // what the workloads run
	pauseTag = "plumbline.lab/pause:1"          // what holds a pod's namespaces
	scopeKey = "plumbline.dev/scope-cgroup"     // node annotation: the control group that is this node's root
	podNet4  = "10.244.0.0/16"                  // all pods
	podNet6  = "fd00:10:244::/56"               //
	podNets  = podNet4 + "," + podNet6          //
	services = "10.96.0.0/16,fd00:10:96::/112"  // all Services
	lbNet    = "203.0.113.0/27"                 // load balancer and external addresses, routed to n1; no more: machines have routes
	AppTar   = DiskDir + "/app.tar"             // the workload image
	Config   = RunDir + "/pki/admin.kubeconfig" // the administrator's kubeconfig
)

// node is one cluster node and everything that is its own.
type node struct {
	name, ip4, ip6 string
	pods4, pods6   string // its share of the pod networks
	proxy          string // mode of its kube-proxy, or cilium
	backend        string // which iptables its PATH offers: nft or legacy
}

// endpoint is a plain machine on the lab's network.
type endpoint struct{ space, ip4, ip6 string }

var (
	controlPlane = endpoint{cpSpace, "10.200.0.1", "fd00:10:200::1"}
	machine      = endpoint{"", "10.200.0.2", "fd00:10:200::2"}
	outside      = endpoint{extSpace, "10.200.0.100", "fd00:10:200::100"}
)

// Options choose what the nodes run.
type Options struct {
	Proxy   string `json:"proxy"`           // one of Proxies
	Backend string `json:"iptablesBackend"` // nft or legacy
}

// Proxies and Backends are the accepted values of the options.
var (
	Proxies  = []string{"iptables", "nftables", "mixed", ciliumProxy, "half"}
	Backends = []string{"nft", "legacy"}
)

// ciliumProxy is what a node without kube-proxy has.
const ciliumProxy = "cilium"

// proxiesOf says what each node has where the nodes differ: kinds of kube-proxy, or a cluster half migrated to Cilium.
var proxiesOf = map[string][2]string{"mixed": {"iptables", "nftables"}, "half": {ciliumProxy, "nftables"}}

// Validate tells which option has no meaning.
func (o Options) Validate() error {
	if !slices.Contains(Proxies, o.Proxy) {
		return fmt.Errorf("unknown proxy mode %q, one of %v", o.Proxy, Proxies)
	}
	if !slices.Contains(Backends, o.Backend) {
		return fmt.Errorf("unknown iptables backend %q, one of %v", o.Backend, Backends)
	}
	return nil
}

// nodes lays the two nodes out.
func (o Options) nodes() []node {
	list := make([]node, 2)
	for i := range list {
		list[i] = node{
			name: fmt.Sprintf("n%d", i+1), backend: o.Backend, proxy: o.Proxy,
			ip4: fmt.Sprintf("10.200.0.1%d", i+1), ip6: fmt.Sprintf("fd00:10:200::1%d", i+1),
			pods4: fmt.Sprintf("10.244.%d.0/24", i), pods6: fmt.Sprintf("fd00:10:244:%d::/64", i),
		}
	}
	if each, differ := proxiesOf[o.Proxy]; differ {
		list[0].proxy, list[1].proxy = each[0], each[1]
	}
	return list
}

// Cilium tells whether any node runs Cilium.
func (o Options) Cilium() bool {
	return slices.ContainsFunc(o.nodes(), node.cilium)
}

func (n node) cilium() bool { return n.proxy == ciliumProxy }

func (n node) space() string   { return Prefix + "-" + n.name } // network namespace and control group
func (n node) dir() string     { return filepath.Join(RunDir, n.name) }
func (n node) disk() string    { return filepath.Join(DiskDir, n.name) }
func (n node) runtime() string { return "containerd-" + n.name } // process that holds the node's namespaces
func (n node) bin() string     { return filepath.Join(n.dir(), "bin") }
func (n node) plugins() string { return filepath.Join(n.dir(), "plugins") } // network plugins
func (n node) cni() string     { return filepath.Join(n.dir(), "cni") }     // their configuration

// processes is the control group of the node's own processes; pods get groups beside it.
func (n node) processes() string { return n.space() + "/node" }

func logFile(process string) string { return filepath.Join(RunDir, "log", process+".log") }
func pidFile(process string) string { return filepath.Join(RunDir, "pid", process) }
func secret(name string) string     { return filepath.Join(RunDir, "pki", name) }
