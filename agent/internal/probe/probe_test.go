// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"plumbline.dev/agent/internal/nstest"
	"plumbline.dev/agent/internal/scope"
)

// network is a pod behind a node with rules: the pod's eth0 leads to the node's veth, and the node has the services.
type network struct {
	pod, node *nstest.Namespace
}

const rules = `
table ip nat {
  chain prerouting { type nat hook prerouting priority -100; ip daddr 10.96.0.1 tcp dport 80 dnat to 10.0.0.1:8080; ip daddr 10.96.0.1 udp dport 53 dnat to 10.0.0.1:8053; }
}
table inet filter {
  chain input { type filter hook input priority 0
    tcp dport 1001 drop
    tcp dport 1002 reject with icmpx type admin-prohibited
    tcp dport 1003 reject with tcp reset
    tcp dport 1004 reject with icmpx type port-unreachable
    udp dport 1001 drop
  }
}`

func newNetwork(t *testing.T) network {
	t.Helper()
	n := network{nstest.New(t, "nft"), nstest.New(t)}
	n.node.Join("pod", n.pod, "eth0")
	n.node.Run("ip addr add 10.0.0.1/24 dev pod")
	n.node.Run("ip addr add fd00::1/64 dev pod")
	n.pod.Run("ip addr add 10.0.0.2/24 dev eth0")
	n.pod.Run("ip addr add fd00::2/64 dev eth0")
	n.pod.Run("ip route add default via 10.0.0.1")
	n.pod.Run("ip route add prohibit 192.0.2.0/24")
	n.pod.Run("ip route add blackhole 198.51.100.0/24")
	n.pod.Feed("table inet own {\n chain output { type filter hook output priority 0; udp dport 1005 drop; }\n}", "nft", "-f", "-")
	n.node.Feed("1", "tee", "/proc/sys/net/ipv4/ip_forward")
	n.node.Feed(rules, "nft", "-f", "-")
	n.node.Inside(func() error {
		tcp, err := net.Listen("tcp", ":8080")
		if err != nil {
			return err
		}
		udp, err := net.ListenPacket("udp4", "10.0.0.1:8053")
		if err != nil {
			return err
		}
		t.Cleanup(func() { tcp.Close(); udp.Close() })
		go serveTCP(tcp)
		go serveUDP(udp)
		return nil
	})
	return n
}

// serveTCP answers each line with itself.
func serveTCP(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			io.Copy(connection, connection)
		}()
	}
}

func serveUDP(socket net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		length, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		socket.WriteTo(bytes.ToUpper(buffer[:length]), from)
	}
}

func (n network) request(protocol uint8, destination string, change func(*Request)) *Request {
	host := scope.Namespace{ID: scope.HostID, Handle: n.node.Handle}
	request := &Request{
		From: scope.Namespace{ID: "1", Handle: n.pod.Handle}, Host: host, Protocol: protocol, Timeout: 300 * time.Millisecond,
	}
	if protocol == 1 || protocol == 58 {
		request.Destination = netip.AddrPortFrom(netip.MustParseAddr(destination), 0)
	} else {
		request.Destination = netip.MustParseAddrPort(destination)
	}
	if change != nil {
		change(request)
	}
	return request
}

func attempt(t *testing.T, request *Request) Attempt {
	t.Helper()
	if err := request.Check(); err != nil {
		t.Fatal(err)
	}
	attempts, err := request.Run(t.Context())
	if err != nil || len(attempts) != request.Count {
		t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	return attempts[0]
}

func TestResultsAreWhatTheNetworkDid(t *testing.T) {
	n := newNetwork(t)
	for _, sample := range []struct {
		protocol    uint8
		destination string
		want        Result
		detail      string
	}{
		{6, "10.0.0.1:8080", Connected, ""},
		{6, "[fd00::1]:8080", Connected, ""},
		{6, "10.96.0.1:80", Connected, ""},
		{17, "10.96.0.1:53", Connected, ""},
		{1, "10.0.0.1", Connected, ""},
		{58, "fd00::1", Connected, ""},
		{6, "10.0.0.1:9", Refused, "TCP reset"},
		{6, "10.0.0.1:1001", Timeout, "no answer within 300 ms"},
		{6, "10.0.0.1:1002", Unreachable, "ICMP communication administratively prohibited from 10.0.0.1"},
		{6, "[fd00::1]:1002", Unreachable, "ICMPv6 communication administratively prohibited from fd00::1"},
		{6, "10.0.0.1:1003", Refused, "TCP reset"},
		{6, "10.0.0.1:1004", Refused, "ICMP port unreachable from 10.0.0.1"},
		{17, "10.0.0.1:9", Refused, "ICMP port unreachable from 10.0.0.1"},
		{17, "[fd00::1]:9", Refused, "ICMPv6 port unreachable from fd00::1"},
		{17, "10.0.0.1:1001", Timeout, "no answer"},
		{17, "10.0.0.1:1005", Unreachable, "EPERM"},
		{6, "192.0.2.1:80", Unreachable, "EACCES"},
		{6, "198.51.100.1:80", Unreachable, "EINVAL"},
		{6, "[2001:db8::1]:80", Unreachable, "ENETUNREACH"},
	} {
		got := attempt(t, n.request(sample.protocol, sample.destination, func(r *Request) { r.Payload = []byte("hello") }))
		if got.Result != sample.want || !strings.Contains(got.Detail, sample.detail) {
			t.Errorf("%d %s: result %d %q, want %d %q", sample.protocol, sample.destination, got.Result, got.Detail, sample.want, sample.detail)
		}
		if got.Duration > time.Second || (sample.want == Timeout) != (got.Duration >= 300*time.Millisecond) {
			t.Errorf("%d %s took %v", sample.protocol, sample.destination, got.Duration)
		}
	}
}

// Each in a network of its own: a kernel sends only so many errors to one address.
func TestRouterWithoutRouteIsReported(t *testing.T) {
	for protocol, destination := range map[uint8]string{1: "203.0.113.1", 6: "203.0.113.1:80", 17: "203.0.113.1:80"} {
		got := attempt(t, newNetwork(t).request(protocol, destination, func(r *Request) { r.Payload = []byte("hello") }))
		if got.Result != Unreachable || got.Detail != "ICMP network unreachable from 10.0.0.1" {
			t.Errorf("protocol %d: result %d %q", protocol, got.Result, got.Detail)
		}
	}
}

func TestReplyAndEndpointsAreTheSocketsOwn(t *testing.T) {
	n := newNetwork(t)
	got := attempt(t, n.request(6, "10.96.0.1:80", func(r *Request) { r.Payload, r.SourcePort = []byte("hello"), 4321 }))
	if string(got.Reply) != "hello" || got.Local != netip.MustParseAddrPort("10.0.0.2:4321") || got.Remote != netip.MustParseAddrPort("10.96.0.1:80") {
		t.Errorf("%+v", got)
	}
	got = attempt(t, n.request(17, "10.96.0.1:53", func(r *Request) { r.Payload = []byte("hello") }))
	if string(got.Reply) != "HELLO" {
		t.Errorf("%+v", got)
	}
	got = attempt(t, n.request(1, "10.0.0.1", func(r *Request) { r.Payload = []byte("echo") }))
	if string(got.Reply) != "echo" {
		t.Errorf("%+v", got)
	}
}

func TestConntrackNamesTheRealBackend(t *testing.T) {
	n := newNetwork(t)
	for protocol, destination := range map[uint8]string{6: "10.96.0.1:80", 17: "10.96.0.1:53"} {
		got := attempt(t, n.request(protocol, destination, nil))
		var found bool
		for _, tracked := range got.Conntrack {
			if tracked.Netns != scope.HostID {
				continue
			}
			found = true
			backend := netip.AddrPortFrom(tracked.Entry.Reply.Src, tracked.Entry.Reply.SrcPort)
			want := map[uint8]string{6: "10.0.0.1:8080", 17: "10.0.0.1:8053"}[protocol]
			if backend.String() != want || tracked.Entry.Original.SrcPort != got.Local.Port() {
				t.Errorf("protocol %d: %+v", protocol, tracked)
			}
		}
		if !found {
			t.Errorf("protocol %d: the node's entry is missing: %+v", protocol, got.Conntrack)
		}
	}
}

func TestCountIsRespectedWithOneSourcePort(t *testing.T) {
	n := newNetwork(t)
	request := n.request(17, "10.0.0.1:8053", func(r *Request) { r.Count, r.SourcePort, r.Payload = 5, 5555, []byte("x") })
	attempts, err := request.Run(t.Context())
	if err != nil || len(attempts) != 5 {
		t.Fatalf("%d attempts, %v", len(attempts), err)
	}
	for _, attempt := range attempts {
		if attempt.Result != Connected || attempt.Local.Port() != 5555 {
			t.Errorf("%+v", attempt)
		}
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	n := newNetwork(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	_, err := n.request(6, "10.0.0.1:1001", func(r *Request) { r.Timeout, r.Count = 10*time.Second, 10 }).Run(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(started) > time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}

func TestRequestsOutOfBoundsAreRefused(t *testing.T) {
	address := netip.MustParseAddrPort("10.0.0.1:80")
	six := netip.MustParseAddrPort("[fd00::1]:80")
	for name, request := range map[string]Request{
		"timeout": {Protocol: 6, Destination: address, Timeout: time.Minute}, "count": {Protocol: 6, Destination: address, Count: 101},
		"payload": {Protocol: 6, Destination: address, Payload: make([]byte, 513)}, "can't be probed": {Protocol: 132, Destination: address},
		"port is needed": {Protocol: 6, Destination: netip.AddrPortFrom(address.Addr(), 0)}, "does not fit": {Protocol: 1, Destination: six},
	} {
		if err := request.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
