// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/bpf"
	"plumbline.dev/agent/internal/netns"
)

const loopback = 1 // its ifindex in every namespace

// program is the smallest of its kind: it lets everything pass, and stays attached for the length of a system call.
type program struct {
	name   string
	spec   ebpf.ProgramSpec
	result int32 // what it returns, so that nothing changes
	attach func(*ebpf.Program) (link.Link, error)
}

// A function in every kernel with IPv4, and rarely called.
const tracedFunction = "tcp_v4_connect"

var programs = []program{
	{name: "bpf.fentry", spec: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceFEntry, AttachTo: tracedFunction},
		attach: func(p *ebpf.Program) (link.Link, error) { return link.AttachTracing(link.TracingOptions{Program: p}) }},
	{name: "bpf.kprobe", spec: ebpf.ProgramSpec{Type: ebpf.Kprobe},
		attach: func(p *ebpf.Program) (link.Link, error) { return link.Kprobe(tracedFunction, p, nil) }},
	{name: "bpf.lsm", spec: ebpf.ProgramSpec{Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: "socket_connect"},
		attach: func(p *ebpf.Program) (link.Link, error) { return link.AttachLSM(link.LSMOptions{Program: p}) }},
	{name: "bpf.tcx", spec: ebpf.ProgramSpec{Type: ebpf.SchedCLS, AttachType: ebpf.AttachTCXIngress}, result: -1, // TCX_NEXT
		attach: func(p *ebpf.Program) (link.Link, error) {
			return link.AttachTCX(link.TCXOptions{Program: p, Interface: loopback, Attach: ebpf.AttachTCXIngress})
		}},
	{name: "bpf.xdp", spec: ebpf.ProgramSpec{Type: ebpf.XDP}, result: 2, // XDP_PASS
		attach: func(p *ebpf.Program) (link.Link, error) {
			return link.AttachXDP(link.XDPOptions{Program: p, Interface: loopback, Flags: link.XDPGenericMode})
		}},
	{name: "bpf.netfilter", spec: ebpf.ProgramSpec{Type: ebpf.Netfilter, AttachType: ebpf.AttachNetfilter}, result: 1, // NF_ACCEPT
		attach: func(p *ebpf.Program) (link.Link, error) {
			return link.AttachNetfilter(link.NetfilterOptions{Program: p, ProtocolFamily: unix.NFPROTO_IPV4, Hook: unix.NF_INET_LOCAL_IN, Priority: -1})
		}},
	{name: "bpf.sched_cls", spec: ebpf.ProgramSpec{Type: ebpf.SchedCLS}},
	{name: "bpf.iter_tcp", spec: ebpf.ProgramSpec{Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "tcp"}},
	{name: "bpf.cgroup_sock_addr", spec: ebpf.ProgramSpec{Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect}, result: 1},
	{name: "bpf.cgroup_skb", spec: ebpf.ProgramSpec{Type: ebpf.CGroupSKB}, result: 1},
	{name: "bpf.sock_ops", spec: ebpf.ProgramSpec{Type: ebpf.SockOps}, result: 1},
	{name: "bpf.sk_msg", spec: ebpf.ProgramSpec{Type: ebpf.SkMsg}, result: 1},
}

// try loads the program, and attaches it where that touches nothing outside the probe's own namespace.
func (p program) try(context.Context) (string, error) {
	spec := p.spec
	spec.Name, spec.License = "plumbline_probe", "Dual BSD/GPL"
	spec.Instructions = asm.Instructions{asm.Mov.Imm(asm.R0, p.result), asm.Return()}
	loaded, err := ebpf.NewProgram(&spec)
	if err != nil {
		return "", fmt.Errorf("load: %w", summary(err))
	}
	defer loaded.Close()
	if p.attach == nil {
		return "a program was loaded", nil
	}
	attached, err := p.attach(loaded)
	if err != nil {
		return "", fmt.Errorf("attach: %w", summary(err))
	}
	return "a program was loaded and attached", attached.Close()
}

// summary drops the verifier's log, which says nothing more about two instructions.
func summary(err error) error {
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		err = verifier.Cause
	}
	// The library guesses at the memory limit, which kernels since 5.11 don't use for programs.
	if errors.Is(err, unix.EPERM) {
		return errors.New("refused by the kernel (EPERM): the agent lacks a capability, or lockdown forbids it")
	}
	return err
}

// countDrop provokes one drop and wants to see exactly that one.
func countDrop(context.Context) (string, error) {
	own, err := netns.Own()
	if err != nil {
		return "", err
	}
	defer own.Close()
	counter, err := bpf.CountDrops(uint32(own.Inode()))
	if err != nil {
		return "", summary(err)
	}
	defer counter.Close()
	if err := sendToNobody(); err != nil {
		return "", fmt.Errorf("provoke a drop: %w", err)
	}
	const expected = "NO_SOCKET"
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		drops, _, err := counter.Read()
		if err != nil {
			return "", err
		}
		for _, drop := range drops {
			if drop.Reason == expected {
				return fmt.Sprintf("a provoked drop was counted (%d, %s)", drop.Count, drop.Reason), nil
			}
		}
	}
	return "", errors.New("the program was attached, but did not see a provoked drop")
}

// sendToNobody sends one datagram to a port of this namespace that nobody has opened.
func sendToNobody() error {
	connection, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		return err
	}
	defer connection.Close()
	_, err = io.WriteString(connection, "plumbline")
	return err
}

func ringBuffer(context.Context) (string, error) {
	buffer, err := ebpf.NewMap(&ebpf.MapSpec{Name: "plumbline_probe", Type: ebpf.RingBuf, MaxEntries: uint32(os.Getpagesize())})
	if err != nil {
		return "", err
	}
	return "a ring buffer was created", buffer.Close()
}

func kernelTypes(context.Context) (string, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return "", err
	}
	var lookup *btf.Func
	if spec.TypeByName("bpf_skb_ct_lookup", &lookup) == nil {
		return "type information found, with connection tracking functions", nil
	}
	return "type information found", nil
}
