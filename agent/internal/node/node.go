// SPDX-License-Identifier: Apache-2.0

// Package node describes the machine: kernel, operating system, tools, and what the agent can do with them.
package node

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/capability"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/tools"
	"plumbline.dev/agent/internal/version"
)

// Description finds out once what does not change while the agent runs.
type Description struct {
	// Name is the node's name in the cluster.
	Name string
	// Proc is where the machine's process file system is mounted.
	Proc string
	// Probe finds the capabilities.
	Probe func(ctx context.Context) []facts.Capability

	once sync.Once
	node facts.Node
}

// Node returns node.json without time and problems. The first call takes as long as the probes do.
func (d *Description) Node(ctx context.Context) facts.Node {
	// The probes outlive the first caller: everybody gets their result.
	d.once.Do(func() { d.node = d.describe(context.WithoutCancel(ctx)) })
	return d.node
}

func (d *Description) describe(ctx context.Context) facts.Node {
	release := Release()
	return facts.Node{
		Schema: facts.NodeSchema, Node: d.Name, AgentVersion: version.Version, KernelRelease: release,
		Architecture: runtime.GOARCH, BootID: bootID(), OSRelease: osRelease(d.Proc), Capabilities: d.Probe(ctx),
		Tools: toolVersions(ctx), KernelConfig: kernelConfig(d.Proc, release), Problems: []facts.Problem{},
	}
}

// Release is what `uname -r` prints.
func Release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

func bootID() string {
	content, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(content))
}

func toolVersions(ctx context.Context) map[string]string {
	versions := map[string]string{}
	for _, name := range capability.Tools {
		if line, err := tools.Version(ctx, name); err == nil {
			versions[name] = line
		}
	}
	return versions
}

// osRelease is the machine's; the agent's image has none.
func osRelease(proc string) map[string]string {
	file, err := os.Open(filepath.Join(proc, "1/root/etc/os-release"))
	if err != nil {
		file, err = os.Open("/etc/os-release")
	}
	if err != nil {
		return nil
	}
	defer file.Close()
	return assignments(file, func(name string) bool { return !strings.HasSuffix(name, "_URL") })
}

// kernelConfig finds the options that decide what the network stack can do, in the two places where they may be.
func kernelConfig(proc, release string) map[string]string {
	reader, err := openConfig(proc, release)
	if err != nil {
		return nil
	}
	defer reader.Close()
	wanted := map[string]string{}
	for _, option := range configOptions {
		wanted["CONFIG_"+option] = "n"
	}
	for name, value := range assignments(reader, func(name string) bool { return wanted[name] != "" }) {
		wanted[name] = value
	}
	return wanted
}

func openConfig(proc, release string) (io.ReadCloser, error) {
	compressed, err := os.ReadFile(filepath.Join(proc, "config.gz"))
	if err != nil {
		return os.Open(filepath.Join(proc, "1/root/boot", "config-"+release))
	}
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("config.gz: %w", err)
	}
	return reader, nil
}

// assignments reads lines of NAME=value, as shells do; quotes are dropped, comments and other lines left out.
func assignments(from io.Reader, keep func(name string) bool) map[string]string {
	result := map[string]string{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if ok && !strings.HasPrefix(name, "#") && keep(name) {
			result[name] = strings.Trim(value, `"'`)
		}
	}
	return result
}

var configOptions = []string{
	"BPF_SYSCALL", "BPF_JIT", "BPF_EVENTS", "BPF_LSM", "CGROUP_BPF", "DEBUG_INFO_BTF", "KPROBES", "KPROBE_EVENTS", "UPROBES",
	"FUNCTION_TRACER", "DYNAMIC_FTRACE", "FPROBE", "SECURITY_LOCKDOWN_LSM", "NETKIT", "NET_CLS_BPF", "NET_ACT_BPF", "NET_SCH_INGRESS", "NET_XGRESS",
	"XDP_SOCKETS", "VETH", "VXLAN", "GENEVE", "WIREGUARD", "BRIDGE", "BRIDGE_NETFILTER", "NET_L3_MASTER_DEV", "IP_MULTIPLE_TABLES",
	"IP_ROUTE_MULTIPATH", "LWTUNNEL_BPF", "NF_CONNTRACK", "NF_CONNTRACK_ZONES", "NF_CONNTRACK_MARK", "NF_CT_NETLINK", "NF_NAT", "NF_TABLES",
	"NF_TABLES_INET", "NF_TABLES_NETDEV", "NF_FLOW_TABLE", "NFT_COMPAT", "NFT_NUMGEN", "NFT_FIB", "NFT_QUEUE", "NFT_SOCKET", "NFT_TPROXY",
	"IP_NF_IPTABLES", "IP_NF_IPTABLES_LEGACY", "IP6_NF_IPTABLES", "NETFILTER_XTABLES", "NETFILTER_XT_MATCH_COMMENT", "NETFILTER_XT_MATCH_SOCKET",
	"NETFILTER_XT_MATCH_STATISTIC", "NETFILTER_XT_TARGET_CT", "NETFILTER_XT_TARGET_TPROXY", "NETFILTER_NETLINK_LOG", "NETFILTER_NETLINK_QUEUE",
	"NETFILTER_BPF_LINK", "IP_SET", "IP_SET_HASH_IP", "IP_VS", "INET_DIAG", "INET_DIAG_DESTROY", "NET_FOU", "XFRM_USER", "CRYPTO_USER_API_HASH",
}
