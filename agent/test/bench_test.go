// SPDX-License-Identifier: Apache-2.0

package test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/nstest"
)

// byHand is what a person would run to learn the same.
var byHand = []string{
	"iptables-nft-save -c", "nft -j -a list ruleset", "nft -a list ruleset", "ipset save", "conntrack -L",
	"ip -j -d link", "ip -j addr", "ip -j route show table all", "ip -j -6 route show table all", "ip -j rule", "ip -j -6 rule", "ip -j neigh",
	"sysctl net",
}

const rounds = 7

// BenchmarkSnapshot compares the CPU time of a snapshot with that of the same tools run by hand, round by round, on a
// namespace with 4,000 rules, as many sets, and 20,000 connections.
func BenchmarkSnapshot(b *testing.B) {
	node := busy(b)
	agent := startFor(b, node)
	client, closeClient, err := dialCommand(binary, "connect", "-socket", agent)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(closeClient)
	for b.Loop() {
		var tools, snapshots []time.Duration
		for range rounds {
			tools = append(tools, runByHand(b, node))
			snapshot, err := receive(b.Context(), client, &pb.SnapshotRequest{})
			if err != nil {
				b.Fatal(err)
			}
			snapshots = append(snapshots, time.Duration(snapshot.end.CpuNanoseconds))
		}
		slices.Sort(tools)
		slices.Sort(snapshots)
		hand, agent := tools[rounds/2], snapshots[rounds/2]
		b.ReportMetric(float64(hand.Milliseconds()), "by-hand-cpu-ms")
		b.ReportMetric(float64(agent.Milliseconds()), "agent-cpu-ms")
		b.ReportMetric(float64(agent)/float64(hand), "ratio")
	}
}

func busy(b *testing.B) *nstest.Namespace {
	node := nstest.New(b, "iptables-nft-restore", "nft", "ipset", "conntrack")
	var rules strings.Builder
	rules.WriteString("*nat\n:PREROUTING ACCEPT [0:0]\n")
	for i := range 1000 {
		fmt.Fprintf(&rules, ":KUBE-SVC-%d - [0:0]\n:KUBE-SEP-%d - [0:0]\n", i, i)
	}
	for i := range 1000 {
		address := fmt.Sprintf("10.96.%d.%d", i/250, i%250+1)
		fmt.Fprintf(&rules, "-A PREROUTING -d %s/32 -p tcp -m comment --comment \"shop/web-%d\" -m tcp --dport 80 -j KUBE-SVC-%d\n", address, i, i)
		fmt.Fprintf(&rules, "-A KUBE-SVC-%d -m statistic --mode random --probability 0.5 -j KUBE-SEP-%d\n", i, i)
		fmt.Fprintf(&rules, "-A KUBE-SEP-%d -s %s/32 -j MARK --set-xmark 0x4000/0x4000\n", i, address)
		fmt.Fprintf(&rules, "-A KUBE-SEP-%d -p tcp -m tcp -j DNAT --to-destination 10.244.0.%d:8080\n", i, i%250+1)
	}
	rules.WriteString("COMMIT\n")
	node.Feed(rules.String(), "iptables-nft-restore")
	node.Run("ipset create many hash:ip")
	var connections strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&connections, "-I -p tcp -s 10.%d.%d.%d -d 10.96.0.1 --sport %d --dport 80 --state ESTABLISHED -t 3600\n", i/65536, i/256%256, i%256, i%60000+1024)
	}
	node.Feed(connections.String(), "conntrack", "-R", "-")
	return node
}

func runByHand(b *testing.B, node *nstest.Namespace) (spent time.Duration) {
	b.Helper()
	node.Inside(func() error {
		for _, line := range byHand {
			fields := strings.Split(line, " ")
			command := exec.Command(fields[0], fields[1:]...)
			command.Stdout = io.Discard
			if err := command.Run(); err != nil {
				return fmt.Errorf("%s: %w", line, err)
			}
			spent += command.ProcessState.UserTime() + command.ProcessState.SystemTime()
		}
		return nil
	})
	return spent
}

// startFor starts an agent that ends with the benchmark, and waits until its probes are done.
func startFor(b *testing.B, node *nstest.Namespace) (socket string) {
	b.Helper()
	socket = b.TempDir() + "/agent.sock"
	var command *exec.Cmd
	node.Inside(func() error {
		command = exec.Command(binary, "serve", "-socket", socket, "-node", "bench", "-scope-cgroup", "/no-pods-"+strconv.Itoa(os.Getpid()))
		return command.Start()
	})
	b.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	for range 100 {
		if exec.Command(binary, "status", "-socket", socket).Run() == nil {
			return socket
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatal("the agent does not answer")
	return ""
}
