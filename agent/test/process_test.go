// SPDX-License-Identifier: Apache-2.0

package test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"plumbline.dev/agent/internal/facts"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/nstest"
)

var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "plumbline-agent-test")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "plumbline-agent")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/plumbline-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// process is a running agent, whose node is a namespace of the test.
type process struct {
	*exec.Cmd
	socket string
	log    *bytes.Buffer
	ended  chan error
}

func start(t *testing.T, node *nstest.Namespace) *process {
	t.Helper()
	p := &process{socket: filepath.Join(t.TempDir(), "agent.sock"), log: &bytes.Buffer{}, ended: make(chan error, 1)}
	node.Inside(func() error {
		p.Cmd = exec.Command(binary, "serve", "-socket", p.socket, "-node", "test", "-scope-cgroup", "/no-pods")
		p.Stderr = p.log
		return p.Start()
	})
	go func() { p.ended <- p.Wait() }()
	t.Cleanup(func() { p.Process.Kill() })
	waitFor(t, p.socket)
	return p
}

// waitFor waits until an agent accepts connections.
func waitFor(t *testing.T, socket string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if connection, err := net.Dial("unix", socket); err == nil {
			connection.Close()
			return
		}
	}
	t.Fatal("no agent answers on ", socket)
}

// dial connects through `plumbline-agent connect`, as clients do.
func (p *process) dial(t *testing.T) pb.AgentClient {
	t.Helper()
	agent, closeAgent, err := dialCommand(binary, "connect", "-socket", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeAgent)
	return agent
}

func (p *process) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the agent does not end: ", p.log)
		return nil
	}
}

const legacyRules = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "a rule" -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`

const nftRules = `table ip corp {
  set blocked { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.9 } }
  chain input { type filter hook input priority 0; ip saddr @blocked counter drop; }
}
`

func withRules(t *testing.T) *nstest.Namespace {
	node := nstest.New(t, "iptables-legacy-restore", "iptables-nft-restore", "nft", "ipset", "conntrack")
	node.Feed(legacyRules, "iptables-legacy-restore")
	node.Feed(strings.ReplaceAll(legacyRules, "a rule", "another"), "ip6tables-nft-restore")
	node.Feed(nftRules, "nft", "-f", "-")
	node.Run("ipset create friends hash:net")
	node.Run("ipset add friends 10.0.0.0/8")
	node.Run("conntrack -I -p udp -s 10.0.0.2 -d 10.0.0.53 --sport 5353 --dport 53 -t 30")
	return node
}

func TestRulesAreVerbatimWhatTheToolsPrint(t *testing.T) {
	node := withRules(t)
	agent := start(t, node).dial(t)
	snapshot, err := receive(t.Context(), agent, &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.problems) != 1 || snapshot.problems["pods.json"] == "" {
		t.Errorf("problems %v", snapshot.problems)
	}
	for file, command := range map[string]string{
		"iptables-legacy-save.4.txt": "iptables-legacy-save -c", "iptables-nft-save.6.txt": "ip6tables-nft-save -c",
		"nft.txt": "nft -a list ruleset", "nft.json": "nft -j -a list ruleset", "ipset.txt": "ipset save",
	} {
		want, got := uncounted(node.Run(command)), uncounted(snapshot.files["netns/host/"+file])
		if len(want) == 0 || got != want {
			t.Errorf("%s is\n%s\nand %s prints\n%s", file, got, command, want)
		}
	}
	for _, absent := range []string{"iptables-legacy-save.6.txt", "iptables-nft-save.4.txt"} {
		if _, ok := snapshot.files["netns/host/"+absent]; ok {
			t.Errorf("%s, but there are no such tables", absent)
		}
	}
	if tables := node.Run("cat /proc/thread-self/net/ip6_tables_names"); tables != "" {
		t.Errorf("reading made legacy tables: %s", tables)
	}
	described := decode[facts.Node](t, snapshot, "node.json")
	if described.Schema != facts.NodeSchema || described.Node != "test" || len(described.Problems) != 1 || described.Tools["nft"] == "" ||
		described.KernelConfig["CONFIG_BPF_SYSCALL"] != "y" {
		t.Errorf("%+v", described)
	}
	connections := decode[facts.Conntrack](t, snapshot, "netns/host/conntrack.json")
	if len(connections.Entries) == 0 || connections.Count < 1 || connections.Max == 0 {
		t.Errorf("%+v", connections)
	}
}

func TestPartsAndFiltersLimitTheSnapshot(t *testing.T) {
	node := withRules(t)
	node.Run("conntrack -I -p udp -s 10.0.0.3 -d 10.0.0.53 --sport 5354 --dport 53 -t 30")
	agent := start(t, node).dial(t)
	snapshot, err := receive(t.Context(), agent, &pb.SnapshotRequest{
		Parts: []string{"conntrack"}, Conntrack: &pb.ConntrackFilter{Addresses: []string{"10.0.0.53"}, Protocols: []uint32{17}, MaxEntries: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	connections := decode[facts.Conntrack](t, snapshot, "netns/host/conntrack.json")
	if len(snapshot.files) != 1 || len(connections.Entries) != 1 || connections.Omitted != 1 {
		t.Errorf("%v: %+v", snapshot.files, connections)
	}
	for _, bad := range []*pb.SnapshotRequest{
		{Parts: []string{"everything"}}, {Pods: []string{"no-namespace"}}, {Conntrack: &pb.ConntrackFilter{Addresses: []string{"10.0.0"}}},
		{Conntrack: &pb.ConntrackFilter{Ports: []uint32{70000}}},
	} {
		if _, err := receive(t.Context(), agent, bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestProbesAreBounded(t *testing.T) {
	agent := start(t, nstest.New(t)).dial(t)
	for want, bad := range map[codes.Code]*pb.ProbeRequest{
		codes.InvalidArgument: {DestinationAddress: "localhost", DestinationPort: 80, Protocol: 6},
		codes.NotFound:        {DestinationAddress: "127.0.0.1", DestinationPort: 80, Protocol: 6, Pod: &pb.PodReference{Namespace: "a", Name: "b"}},
	} {
		if _, err := agent.Probe(t.Context(), bad); status.Code(err) != want {
			t.Errorf("%v: %v", bad, err)
		}
	}
	result, err := agent.Probe(t.Context(), &pb.ProbeRequest{DestinationAddress: "127.0.0.1", DestinationPort: 9, Protocol: 6, Count: 3})
	if err != nil || len(result.Attempts) != 3 || result.Attempts[0].Result != pb.ProbeAttempt_RESULT_REFUSED {
		t.Errorf("%v, %v", result, err)
	}
}

func TestLeavingClientsCancelTheirCalls(t *testing.T) {
	agent := start(t, nstest.New(t))
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := agent.dial(t).Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	// Snapshots take turns: the next one can only begin when the first has ended.
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := receive(ctx, agent.dial(t), &pb.SnapshotRequest{}); err != nil {
		t.Error(err)
	}
}

func TestSocketIsPrivateAndTakenOverOnlyFromTheDead(t *testing.T) {
	node := nstest.New(t)
	agent := start(t, node)
	info, err := os.Stat(agent.socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	second := exec.Command(binary, "serve", "-socket", agent.socket)
	if output, err := second.CombinedOutput(); err == nil || !strings.Contains(string(output), "another agent listens") {
		t.Errorf("%v: %s", err, output)
	}
	agent.Process.Kill()
	agent.end(t)
	if _, err := os.Stat(agent.socket); err != nil {
		t.Error("the killed agent's socket is gone, so this test tests nothing")
	}
	third := exec.Command(binary, "serve", "-socket", agent.socket)
	if err := third.Start(); err != nil {
		t.Fatal(err)
	}
	defer third.Wait()
	defer third.Process.Signal(syscall.SIGTERM)
	waitFor(t, agent.socket)
	if output, err := exec.Command(binary, "status", "-socket", agent.socket).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
}

func TestConnectEndsWithEitherSide(t *testing.T) {
	agent := start(t, nstest.New(t))
	for _, side := range []string{"client", "agent"} {
		connect := exec.Command(binary, "connect", "-socket", agent.socket)
		input, err := connect.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		output, err := connect.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := connect.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(output, make([]byte, 9)); err != nil { // the header of the agent's first HTTP/2 frame
			t.Fatal(err)
		}
		if side == "client" {
			input.Close()
		} else {
			agent.Process.Signal(syscall.SIGTERM)
		}
		ended := make(chan error, 1)
		go func() {
			_, _ = io.Copy(io.Discard, output)
			ended <- connect.Wait()
		}()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s: %v", side, err)
			}
		case <-time.After(6 * time.Second):
			connect.Process.Kill()
			t.Errorf("connect stays after the %s has gone", side)
		}
	}
}

// ours lists what an agent could leave behind in the kernel.
func ours(t *testing.T, node *nstest.Namespace) []string {
	t.Helper()
	var left []string
	for id := ebpf.ProgramID(0); ; {
		var err error
		if id, err = ebpf.ProgramGetNextID(id); err != nil {
			break
		}
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue
		}
		if info, err := program.Info(); err == nil && (info.Name == "count_drop" || strings.HasPrefix(info.Name, "plumbline")) {
			left = append(left, "program "+info.Name)
		}
		program.Close()
	}
	links := link.Iterator{}
	defer links.Close()
	for links.Next() {
		if info, err := links.Link.Info(); err == nil && info.Type == link.TracingType {
			left = append(left, "a tracing link")
		}
	}
	if tables := node.Run("nft list tables"); tables != "" {
		left = append(left, tables)
	}
	return left
}

func TestNothingIsLeftBehind(t *testing.T) {
	node := nstest.New(t, "nft")
	before := ours(t, node)
	if len(before) > 0 {
		t.Skip("skipped: another agent is at work on this machine: ", before)
	}
	kill := []struct {
		name   string
		signal syscall.Signal
		after  time.Duration
	}{
		{"stopped in the middle of its probes", syscall.SIGTERM, 60 * time.Millisecond},
		{"killed in the middle of its probes", syscall.SIGKILL, 60 * time.Millisecond},
		{"killed a little later", syscall.SIGKILL, 150 * time.Millisecond},
		{"stopped", syscall.SIGTERM, 2 * time.Second},
		{"killed", syscall.SIGKILL, 2 * time.Second},
	}
	for _, end := range kill {
		agent := start(t, node)
		time.Sleep(end.after)
		agent.Process.Signal(end.signal)
		err := agent.end(t)
		if end.signal == syscall.SIGTERM {
			if err != nil {
				t.Errorf("%s: %v: %s", end.name, err, agent.log)
			}
			if _, err := os.Stat(agent.socket); err == nil {
				t.Errorf("%s: its socket is left", end.name)
			}
		}
		var left []string
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if left = ours(t, node); len(left) == 0 {
				break // programs are freed a moment after their last user
			}
		}
		if len(left) > 0 {
			t.Errorf("%s: %v", end.name, left)
		}
	}
	if !slices.Equal(before, ours(t, node)) {
		t.Error("something is left")
	}
}
