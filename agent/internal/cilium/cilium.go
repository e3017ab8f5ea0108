// SPDX-License-Identifier: Apache-2.0

// Package cilium tells whether Cilium runs on the node, and how it is configured.
package cilium

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/scope"
)

// agentName is the command of Cilium's agent.
const agentName = "cilium-agent"

// others see the node's /run when Cilium's agent doesn't run.
var others = []string{"kubelet", "containerd", "crio", "systemd"}

// files may hold the configuration Cilium last ran with (pkg/option DaemonConfig, as JSON), newest release first. A container has
// the node's folder under either name.
var files = []string{
	"run/cilium/state/agent-runtime-config.json", "var/run/cilium/state/agent-runtime-config.json",
}

// A configuration is some tens of KiB.
const maxConfig = 4 << 20

// Look reads the facts. Without Cilium they say so; only a configuration that is there but can't be read is an error.
func Look(of scope.Scope) (facts.Cilium, error) {
	processes, err := of.Named(append([]string{agentName}, others...)...)
	if err != nil {
		return facts.Cilium{}, err
	}
	fact := facts.Cilium{Running: len(processes[agentName]) > 0}
	for _, name := range append([]string{agentName}, others...) {
		for _, process := range processes[name] {
			file, config, err := read(process + "/root")
			if err != nil || file != "" {
				fact.ConfigFile, fact.Config = file, config
				return fact, err
			}
		}
	}
	return fact, nil
}

// read looks for a configuration below a process's root directory, and returns its name as the node has it. Links can't
// lead out of the directory.
func read(folder string) (string, map[string]any, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", nil, nil // the process has ended
	}
	defer root.Close()
	for _, name := range files {
		file, err := root.Open(name)
		if err != nil {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(file, maxConfig))
		file.Close()
		if err != nil {
			return "", nil, fmt.Errorf("/%s: %w", name, err)
		}
		config, err := parse(content)
		if err != nil {
			return "", nil, fmt.Errorf("/%s: %w", name, err)
		}
		return "/" + name, config, nil
	}
	return "", nil, nil
}

// kept are the options that say what the datapath does. Others are left out: some hold credentials.
var kept = []string{
	"ClusterName", "ClusterID", "MaxConnectedClusters", "KubeProxyReplacement", "RoutingMode", "TunnelProtocol", "TunnelPort", "EnableIPv4", "EnableIPv6",
	"EnableIPv4Masquerade", "EnableIPv6Masquerade", "EnableBPFMasquerade", "EnableMasqueradeRouteSource", "IPv4NativeRoutingCIDR",
	"IPv6NativeRoutingCIDR", "EnableAutoDirectRouting", "DirectRoutingDevice", "Devices", "EnableHostLegacyRouting", "EnablePolicy",
	"EnableSocketLB", "BPFSocketLBHostnsOnly", "EnableSocketLBPodConnectionTermination", "EnableNodePort", "EnableHostPort",
	"EnableExternalIPs", "EnableSessionAffinity", "EnableSVCSourceRangeCheck", "NodePortMin", "NodePortMax", "NodePortMode",
	"LoadBalancerMode", "LoadBalancerAlgorithm", "LoadBalancerAcceleration", "NodePortAcceleration", "NodePortAlg", "NodePortAddresses",
	"NodePortBindProtection", "LoadBalancerDSRDispatch", "EnableHostFirewall", "EnableL7Proxy", "EnableIPSec", "EnableWireguard",
	"EnableEndpointRoutes", "EnableLocalRedirectPolicy", "EnableIPMasqAgent", "EnableEgressGateway", "EnableHealthChecking",
	"IPAM", "IdentityAllocationMode", "AllowLocalhost", "PolicyAuditMode", "EnableWellKnownIdentities", "EnableBPFTProxy",
	"PolicyAccounting", "PolicyCIDRMatchMode", "ServiceNoBackendResponse", "PolicyDenyResponse", "EnableSourceIPVerification",
	"EnableRemoteNodeMasquerade", "NodePortNat46X64", "EnableTCX", "ExternalEnvoyProxy", "EnableK8sNetworkPolicy", "ClockSource", "KernelHz",
	"EnableCiliumNetworkPolicy", "EnableCiliumClusterwideNetworkPolicy", "BPFDistributedLRU", "ExcludeLocalAddresses",
	"AllowICMPFragNeeded", "MonitorAggregation", "EnableServiceTopology",
	"ExternalClusterIP", "DatapathMode", "DryMode", "StateDir", "BPFRoot", "CGroupRoot", "MTU", "RouteMetric", "IPv4NodeAddr",
	"IPv6NodeAddr", "IPv4Range", "IPv6Range", "IPv4ServiceRange", "IPv6ServiceRange", "EnableTracing", "InstallIptRules",
	"InstallNoConntrackIptRules", "BPFLBMapMaxEntries", "CTMapEntriesGlobalTCP", "CTMapEntriesGlobalAny", "NATMapEntriesGlobal",
	"PolicyMapEntries", "SockRevNatEntries", "BPFConntrackAccounting",
}

func parse(content []byte) (map[string]any, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, err
	}
	config := map[string]any{}
	for _, name := range kept {
		if value, there := all[name]; there {
			config[name] = value
		}
	}
	if len(config) == 0 {
		return nil, errors.New("none of the known options is in it")
	}
	return config, nil
}
