// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"plumbline.dev/lab/internal/host"
)

// startRuntime starts a node's containerd and with it the node's namespaces, and loads the workload image.
func (l *lab) startRuntime(n node) error {
	if err := n.prepare(); err != nil {
		return err
	}
	if err := l.dataplane(n).prepare(n); err != nil {
		return err
	}
	command := []string{"nsenter", "--net=" + host.NamespacePath(n.space()),
		"unshare", "--mount", "--uts", "--propagation", "slave",
		l.self, "node-init", n.name, l.Kubelab, l.Cilium,
		"containerd", "--config", filepath.Join(n.dir(), "containerd.toml")}
	if err := l.start(n.runtime(), n.processes(), n.environment(), command); err != nil {
		return err
	}
	err := l.wait("containerd of "+n.name, 20*time.Second, n.runtime(), func() (bool, error) { return n.runtimeReady(), nil })
	if err != nil {
		return err
	}
	return n.loadImage(AppTar)
}

// runtimeReady tells whether the node's containerd answers. Until the process is containerd it is still in the machine's
// mounts, where the same path may be a containerd that is none of ours. And ctr is asked only when there is a socket,
// because it waits ten seconds for one.
func (n node) runtimeReady() bool {
	process := fmt.Sprintf("/proc/%d", host.ReadPid(pidFile(n.runtime())))
	program, err := os.Readlink(process + "/exe")
	if err != nil || filepath.Base(program) != "containerd" {
		return false
	}
	if _, err := os.Stat(process + "/root/run/containerd/containerd.sock"); err != nil {
		return false
	}
	_, err = n.run("ctr", "--connect-timeout", "1s", "version")
	return err == nil
}

// prepare makes the node's folders, control groups and configuration files.
func (n node) prepare() error {
	dirs := []string{n.bin(), n.cni(), n.plugins(), filepath.Join(n.disk(), "log"), filepath.Join(n.disk(), "lib")}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := host.MakeCgroup(n.space()); err != nil {
		return err
	}
	if err := n.chooseIPTables(); err != nil {
		return err
	}
	if err := n.linkPlugins(); err != nil {
		return err
	}
	// No name server: names outside of the cluster must not be asked for anywhere.
	if err := os.WriteFile(filepath.Join(n.dir(), "resolv.conf"), []byte("nameserver 10.96.0.10\n"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(n.dir(), "containerd.toml"), []byte(containerdConfig(n)), 0o644); err != nil {
		return err
	}
	return writeJSON(filepath.Join(n.dir(), "kubelet.json"), kubeletConfig(n))
}

// chooseIPTables makes a folder in front of PATH in which "iptables" is the chosen variant. Distributions choose
// through one link for the whole machine; nodes differ from each other and from the machine.
func (n node) chooseIPTables() error {
	program, err := exec.LookPath("xtables-" + n.backend + "-multi")
	if err != nil {
		return err
	}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			link := filepath.Join(n.bin(), family+suffix)
			if err := os.Symlink(program, link); err != nil && !os.IsExist(err) {
				return err
			}
		}
	}
	return nil
}

func (n node) environment() []string { return []string{"PATH=" + n.bin() + ":" + os.Getenv("PATH")} }

// enter returns a command line that runs a command in the node's namespaces.
func (n node) enter(command ...string) []string {
	pid := strconv.Itoa(host.ReadPid(pidFile(n.runtime())))
	path := "PATH=" + n.bin() + ":" + os.Getenv("PATH")
	return append([]string{"nsenter", "-t", pid, "-m", "-n", "-u", "env", path}, command...)
}

// inGroup returns a command line that runs a command as one of the node's own processes. Cilium's socket programs know
// the node's processes by their control group.
func (n node) inGroup(command ...string) []string {
	group, err := host.Cgroup2()
	if err != nil { // CheckMachine has found it
		return command
	}
	join := "echo $$ >" + filepath.Join(group, n.processes(), "cgroup.procs") + ` && exec "$@"`
	return append([]string{"sh", "-c", join, "sh"}, command...)
}

// run runs a command in the node's namespaces.
func (n node) run(command ...string) (string, error) { return n.runInput("", command...) }

func (n node) runInput(input string, command ...string) (string, error) {
	line := n.enter(command...)
	return host.RunInput(input, line[0], line[1:]...)
}

// loadImage imports an image archive into the node's container runtime. The archive is read from standard input,
// because its path may not exist in the node's mounts.
func (n node) loadImage(archive string) error {
	line := n.enter("ctr", "-n", "k8s.io", "images", "import", "-")
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	return runFile(file, line)
}

// startKubelet starts the node's agent of Kubernetes.
func (l *lab) startKubelet(n node) error {
	command := n.enter("/run/kubelab", "kubelet",
		"--config="+filepath.Join(n.dir(), "kubelet.json"),
		"--kubeconfig="+secret("kubelet-"+n.name+".kubeconfig"),
		"--hostname-override="+n.name,
		"--node-ip="+n.ip4+","+n.ip6,
		"--v=1")
	return l.start("kubelet-"+n.name, n.processes(), nil, command)
}

type object = map[string]any

// kubeletConfig returns a kubelet's configuration. Everything not named here is as on any node.
func kubeletConfig(n node) object {
	return object{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": object{
			"anonymous": object{"enabled": false},
			"webhook":   object{"enabled": true},
			"x509":      object{"clientCAFile": secret("ca.crt")},
		},
		"authorization":            object{"mode": "Webhook"},
		"tlsCertFile":              secret("kubelet-" + n.name + ".crt"),
		"tlsPrivateKeyFile":        secret("kubelet-" + n.name + ".key"),
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               "/" + n.space(), // else two kubelets would fight over /kubepods
		"failCgroupV1":             false,
		"failSwapOn":               false,
		"oomScoreAdj":              0, // lowering it needs a capability that not every machine has
		"resolvConf":               filepath.Join(n.dir(), "resolv.conf"),
		"clusterDomain":            "cluster.local",
		"clusterDNS":               []string{"10.96.0.10"},
		"healthzBindAddress":       "127.0.0.1",
		// The disk is the machine's. How full it is must not decide what the lab does.
		"imageGCHighThresholdPercent": 100,
		"evictionHard":                object{"memory.available": "100Mi"},
	}
}

// containerdConfig returns the runtime's configuration, in which only what a node in namespaces needs differs from
// the defaults.
func containerdConfig(n node) string {
	return fmt.Sprintf(`version = 2
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt",
]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, pauseTag, n.plugins(), n.cni())
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// runFile runs a command with a file as its standard input.
func runFile(input *os.File, line []string) error {
	command := exec.Command(line[0], line[1:]...)
	command.Stdin = input
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(line, " "), err, output)
	}
	return nil
}
