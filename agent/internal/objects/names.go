// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// By number, as bpftool prints enum bpf_prog_type and enum bpf_map_type of include/uapi/linux/bpf.h.
var (
	programTypes = []string{
		"unspec", "socket_filter", "kprobe", "sched_cls", "sched_act", "tracepoint", "xdp", "perf_event", "cgroup_skb", "cgroup_sock",
		"lwt_in", "lwt_out", "lwt_xmit", "sock_ops", "sk_skb", "cgroup_device", "sk_msg", "raw_tracepoint", "cgroup_sock_addr",
		"lwt_seg6local", "lirc_mode2", "sk_reuseport", "flow_dissector", "cgroup_sysctl", "raw_tracepoint_writable", "cgroup_sockopt",
		"tracing", "struct_ops", "ext", "lsm", "sk_lookup", "syscall", "netfilter",
	}
	mapTypes = []string{
		"unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array", "stack_trace", "cgroup_array",
		"lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps", "hash_of_maps", "devmap", "sockmap", "cpumap", "xskmap", "sockhash",
		"cgroup_storage", "reuseport_sockarray", "percpu_cgroup_storage", "queue", "stack", "sk_storage", "devmap_hash", "struct_ops",
		"ringbuf", "inode_storage", "task_storage", "bloom_filter", "user_ringbuf", "cgrp_storage", "arena", "insn_array",
	}
)

func name(number uint32, table []string) string {
	if int(number) < len(table) {
		return table[number]
	}
	return fmt.Sprintf("type_%d", number)
}

// cgroupAttachments are the attach types of control groups, in the order in which they are asked for.
var cgroupAttachments = []struct {
	kind ebpf.AttachType
	name string
}{
	{ebpf.AttachCGroupInetIngress, "cgroup_inet_ingress"}, {ebpf.AttachCGroupInetEgress, "cgroup_inet_egress"},
	{ebpf.AttachCGroupInetSockCreate, "cgroup_sock_create"}, {ebpf.AttachCgroupInetSockRelease, "cgroup_sock_release"},
	{ebpf.AttachCGroupSockOps, "cgroup_sock_ops"}, {ebpf.AttachCGroupDevice, "cgroup_device"}, {ebpf.AttachCGroupSysctl, "cgroup_sysctl"},
	{ebpf.AttachCGroupInet4Bind, "cgroup_bind4"}, {ebpf.AttachCGroupInet6Bind, "cgroup_bind6"},
	{ebpf.AttachCGroupInet4PostBind, "cgroup_post_bind4"}, {ebpf.AttachCGroupInet6PostBind, "cgroup_post_bind6"},
	{ebpf.AttachCGroupInet4Connect, "cgroup_connect4"}, {ebpf.AttachCGroupInet6Connect, "cgroup_connect6"},
	{ebpf.AttachCGroupUDP4Sendmsg, "cgroup_sendmsg4"}, {ebpf.AttachCGroupUDP6Sendmsg, "cgroup_sendmsg6"},
	{ebpf.AttachCGroupUDP4Recvmsg, "cgroup_recvmsg4"}, {ebpf.AttachCGroupUDP6Recvmsg, "cgroup_recvmsg6"},
	{ebpf.AttachCgroupInet4GetPeername, "cgroup_getpeername4"}, {ebpf.AttachCgroupInet6GetPeername, "cgroup_getpeername6"},
	{ebpf.AttachCgroupInet4GetSockname, "cgroup_getsockname4"}, {ebpf.AttachCgroupInet6GetSockname, "cgroup_getsockname6"},
	{ebpf.AttachCGroupGetsockopt, "cgroup_getsockopt"}, {ebpf.AttachCGroupSetsockopt, "cgroup_setsockopt"},
	{ebpf.AttachCgroupUnixConnect, "cgroup_connect_unix"}, {ebpf.AttachCgroupUnixSendmsg, "cgroup_sendmsg_unix"},
	{ebpf.AttachCgroupUnixRecvmsg, "cgroup_recvmsg_unix"},
}

// otherAttachments are those that links report by number.
var otherAttachments = map[ebpf.AttachType]string{
	ebpf.AttachTCXIngress: "tcx_ingress", ebpf.AttachTCXEgress: "tcx_egress", ebpf.AttachNetkitPrimary: "netkit_primary",
	ebpf.AttachNetkitPeer: "netkit_peer", ebpf.AttachTraceRawTp: "tp_btf", ebpf.AttachTraceFEntry: "fentry",
	ebpf.AttachTraceFExit: "fexit", ebpf.AttachModifyReturn: "fmod_ret", ebpf.AttachLSMMac: "lsm", ebpf.AttachLSMCgroup: "lsm_cgroup",
	ebpf.AttachTraceIter: "iter", ebpf.AttachSkLookup: "sk_lookup", ebpf.AttachFlowDissector: "flow_dissector",
}

func attachName(kind ebpf.AttachType) string {
	if name, ok := otherAttachments[kind]; ok {
		return name
	}
	for _, attachment := range cgroupAttachments {
		if attachment.kind == kind {
			return attachment.name
		}
	}
	return fmt.Sprintf("attach_%d", kind)
}

// MapType names a number of enum bpf_map_type.
func MapType(number uint32) string { return name(number, mapTypes) }
