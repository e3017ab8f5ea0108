// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"os"
	"os/exec"
	"path/filepath"

	"plumbline.dev/lab/internal/host"
)

// ciliumBin is where a node sees Cilium's programs.
const ciliumBin = "/run/cilium-bin"

// cilium is Cilium as the node's network plugin, instead of kube-proxy, and enforcing policies: native routing, both
// address families, masquerading and routing in eBPF, every packet reported.
type cilium struct {
	programs string // folder with the programs, and the sources of the kernel programs
}

// prepare gives the agent its sources (it writes what it found out about the kernel beside them) and its compiler,
// which it looks for as "clang" in PATH.
func (c cilium) prepare(n node) error {
	sources := filepath.Join(n.disk(), "lib", "cilium", "bpf")
	if err := os.CopyFS(sources, os.DirFS(filepath.Join(c.programs, "bpf"))); err != nil {
		return err
	}
	compiler, err := exec.LookPath("clang-19")
	if err != nil {
		return err
	}
	if err := os.Symlink(compiler, filepath.Join(n.bin(), "clang")); err != nil {
		return err
	}
	return os.Symlink(ciliumBin+"/cilium-cni", filepath.Join(n.plugins(), "cilium-cni"))
}

func (c cilium) start(l *lab, n node) error {
	cgroup2, err := host.Cgroup2()
	if err != nil {
		return err
	}
	// The agent attaches its socket programs to the root of a mounted cgroup2 hierarchy. This one begins at the node,
	// so that they see the node's processes and no others of the machine.
	const root = "/run/cilium/cgroupv2"
	if _, err := n.run("mkdir", "-p", root); err != nil {
		return err
	}
	if _, err := n.run("mount", "--bind", filepath.Join(cgroup2, n.space()), root); err != nil {
		return err
	}
	return c.startAgent(l, n)
}

func (c cilium) startAgent(l *lab, n node) error {
	// containerd overlooks a plugin configuration that was renamed within the file system it is on. With temporary files
	// elsewhere the agent can't rename.
	env := []string{"TMPDIR=/run/cilium", "K8S_NODE_NAME=" + n.name, "CILIUM_K8S_NAMESPACE=kube-system"}
	command := n.enter(append([]string{ciliumBin + "/cilium-agent"}, n.agentFlags()...)...)
	return l.start(c.blame(n), n.processes(), env, command)
}

func (cilium) blame(n node) string { return "cilium-agent-" + n.name }

func (n node) agentFlags() []string {
	return append(ciliumFlags(),
		"--auto-direct-node-routes=true",
		"--bpf-lb-sock=true",
		"--cni-exclusive=true",
		"--devices=eth0",
		"--direct-routing-device=eth0",
		"--enable-bpf-masquerade=true",
		"--enable-endpoint-health-checking=false",
		"--enable-envoy-config=false",
		"--enable-health-checking=false",
		"--enable-hubble=true",
		"--enable-ipv4-masquerade=true",
		"--enable-ipv6-masquerade=true",
		"--enable-l7-proxy=false", // Envoy is no Go program
		"--hubble-disable-tls=true",
		"--hubble-event-buffer-capacity=32767", // of every packet several events: who reads slowly shall miss none
		"--hubble-listen-address=:4244",
		"--hubble-socket-path=/run/cilium/hubble.sock",
		"--ipv4-native-routing-cidr="+podNet4,
		"--ipv6-native-routing-cidr="+podNet6,
		"--k8s-require-ipv4-pod-cidr=true",
		"--k8s-require-ipv6-pod-cidr=true",
		"--monitor-aggregation=none",
		"--procfs=/proc",
		"--routing-mode=native",
		"--write-cni-conf-when-ready="+filepath.Join(n.cni(), "05-cilium.conflist"),
	)
}

// ciliumFlags are common to agent and operator.
func ciliumFlags() []string {
	return []string{
		"--cluster-id=0",
		"--cluster-name=default",
		"--enable-ipv4=true",
		"--enable-ipv6=true",
		"--identity-allocation-mode=crd",
		"--ipam=kubernetes",
		"--k8s-kubeconfig-path=" + Config,
		"--kube-proxy-replacement=true",
	}
}

// ciliumDbg returns a command line that asks the node's agent, or reads its maps.
func (n node) ciliumDbg(arguments ...string) []string {
	return n.inGroup(n.enter(append([]string{ciliumBin + "/cilium-dbg"}, arguments...)...)...)
}
