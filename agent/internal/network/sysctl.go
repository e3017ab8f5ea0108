// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Settings that decide a packet's way. "*" stands for each entry of a folder. Those of newer kernels or absent modules are
// simply not there.
var sysctls = []string{
	"net/ipv4/ip_forward", "net/ipv4/ip_local_port_range", "net/ipv4/ip_local_reserved_ports", "net/ipv4/ip_nonlocal_bind",
	"net/ipv4/ip_default_ttl", "net/ipv4/ip_early_demux", "net/ipv4/fwmark_reflect", "net/ipv4/tcp_fwmark_accept",
	"net/ipv4/fib_multipath_hash_policy", "net/ipv4/fib_multipath_hash_fields", "net/ipv4/fib_multipath_use_neigh",
	"net/ipv4/icmp_echo_ignore_all", "net/ipv4/ping_group_range", "net/ipv4/tcp_l3mdev_accept", "net/ipv4/udp_l3mdev_accept",
	"net/ipv4/vs/conntrack", "net/ipv4/vs/conn_reuse_mode", "net/ipv4/vs/expire_nodest_conn", "net/ipv4/vs/expire_quiescent_template",
	"net/ipv4/conf/*/accept_local", "net/ipv4/conf/*/arp_announce", "net/ipv4/conf/*/arp_filter", "net/ipv4/conf/*/arp_ignore",
	"net/ipv4/conf/*/disable_policy", "net/ipv4/conf/*/forwarding", "net/ipv4/conf/*/ignore_routes_with_linkdown",
	"net/ipv4/conf/*/proxy_arp", "net/ipv4/conf/*/route_localnet", "net/ipv4/conf/*/rp_filter", "net/ipv4/conf/*/src_valid_mark",
	"net/ipv6/bindv6only", "net/ipv6/fib_multipath_hash_policy", "net/ipv6/ip_nonlocal_bind", "net/ipv6/fwmark_reflect",
	"net/ipv6/seg6_flowlabel", "net/ipv6/conf/*/accept_ra", "net/ipv6/conf/*/disable_ipv6", "net/ipv6/conf/*/forwarding",
	"net/ipv6/conf/*/ignore_routes_with_linkdown", "net/ipv6/conf/*/proxy_ndp", "net/ipv6/conf/*/seg6_enabled",
	"net/bridge/bridge-nf-call-arptables", "net/bridge/bridge-nf-call-ip6tables", "net/bridge/bridge-nf-call-iptables",
	"net/bridge/bridge-nf-filter-vlan-tagged", "net/bridge/bridge-nf-pass-vlan-input-dev",
	"net/netfilter/nf_conntrack_buckets", "net/netfilter/nf_conntrack_checksum", "net/netfilter/nf_conntrack_count",
	"net/netfilter/nf_conntrack_expect_max", "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_tcp_be_liberal",
	"net/netfilter/nf_conntrack_tcp_loose", "net/netfilter/nf_conntrack_tcp_ignore_invalid_rst", "net/netfilter/nf_conntrack_acct",
	"net/netfilter/nf_hooks_lwtunnel", "net/netfilter/nf_log_all_netns", "net/netfilter/nf_conntrack_udp_timeout",
	"net/netfilter/nf_conntrack_udp_timeout_stream", "net/netfilter/nf_conntrack_tcp_timeout_established",
	"net/netfilter/nf_conntrack_tcp_timeout_close_wait", "net/core/bpf_jit_enable", "net/core/bpf_jit_harden", "net/core/somaxconn",
	"kernel/unprivileged_bpf_disabled",
}

const sysctlRoot = "/proc/sys"

// Sysctls reads the settings of the thread's namespace: /proc/sys/net shows that of whoever looks. Names are written with
// dots, and a dot in a device's name with a slash, as sysctl(8) does.
func Sysctls() (map[string]string, error) {
	result := map[string]string{}
	for _, pattern := range sysctls {
		paths := []string{filepath.Join(sysctlRoot, pattern)}
		if strings.Contains(pattern, "*") {
			var err error
			if paths, err = filepath.Glob(paths[0]); err != nil {
				return nil, err
			}
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return result, err
			}
			result[sysctlName(path)] = strings.TrimSpace(string(content))
		}
	}
	return result, nil
}

func sysctlName(path string) string {
	swap := strings.NewReplacer(".", "/", "/", ".")
	return swap.Replace(strings.TrimPrefix(path, sysctlRoot+"/"))
}
