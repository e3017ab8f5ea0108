// SPDX-License-Identifier: Apache-2.0

package conntrack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/agent/internal/nstest"
)

// table makes a namespace with connections of every kind.
func table(t *testing.T) *nstest.Namespace {
	t.Helper()
	here := nstest.New(t, "conntrack")
	for _, line := range []string{
		"conntrack -I -p tcp -s 10.0.0.2 -d 10.96.0.10 --sport 1234 --dport 80 -r 10.0.0.9 -q 10.0.0.2 --reply-port-src 8080 --reply-port-dst 1234 --state ESTABLISHED -t 3600 -m 42 -u SEEN_REPLY,ASSURED",
		"conntrack -I -p tcp -s 10.0.0.3 -d 10.0.0.4 --sport 1 --dport 2 --state SYN_SENT -t 100",
		"conntrack -I -p udp -s 10.0.0.2 -d 10.0.0.53 --sport 5353 --dport 53 -t 30",
		"conntrack -I -p icmp -s 10.0.0.2 -d 10.0.0.4 --icmp-type 8 --icmp-code 0 --icmp-id 777 -t 30",
		"conntrack -I -p tcp -s fd00::2 -d fd00::4 --sport 5 --dport 6 --state TIME_WAIT -t 60 -w 7",
	} {
		here.Run(line)
	}
	return here
}

func dump(t *testing.T, here *nstest.Namespace) []Entry {
	t.Helper()
	var entries []Entry
	here.Inside(func() error {
		return Dump(t.Context(), func(entry *Entry) { entries = append(entries, *entry) })
	})
	return entries
}

// line writes what conntrack(8) prints first.
func (e *Entry) line() string {
	side := func(t Tuple) string {
		if t.Protocol == 1 {
			return fmt.Sprintf("src=%v dst=%v type=%d code=%d id=%d", t.Src, t.Dst, t.ICMPType, t.ICMPCode, t.ICMPID)
		}
		return fmt.Sprintf("src=%v dst=%v sport=%d dport=%d", t.Src, t.Dst, t.SrcPort, t.DstPort)
	}
	return fmt.Sprintf("%d %s %s %s mark=%d zone=%d", e.Original.Protocol, e.TCPStateName(), side(e.Original), side(e.Reply), e.Mark, e.Zone)
}

// printed rewrites a line of `conntrack -L` into the same form.
func printed(text string) string {
	fields := strings.Fields(text)
	state, zone := "", "0"
	var tuples []string
	mark := "0"
	for _, field := range fields[2:] {
		name, value, pair := strings.Cut(field, "=")
		switch {
		case !pair && fields[0] == "tcp" && !strings.HasPrefix(field, "[") && field != fields[2]:
			state = field
		case name == "mark":
			mark = value
		case name == "zone":
			zone = value
		case pair && slices.Contains([]string{"src", "dst", "sport", "dport", "type", "code", "id"}, name):
			tuples = append(tuples, field)
		}
	}
	return fmt.Sprintf("%s %s %s mark=%s zone=%s", fields[1], state, strings.Join(tuples, " "), mark, zone)
}

func TestDumpIsWhatConntrackPrints(t *testing.T) {
	here := table(t)
	var got, want []string
	for _, entry := range dump(t, here) {
		got = append(got, entry.line())
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		for _, text := range strings.Split(strings.TrimSpace(here.Run("conntrack -L -f "+family)), "\n") {
			want = append(want, printed(text))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(got) != 5 || !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestGetFindsByTuple(t *testing.T) {
	here := table(t)
	for _, entry := range dump(t, here) {
		if entry.Zone != 0 {
			continue
		}
		var found Entry
		here.Inside(func() (err error) {
			found, err = Get(t.Context(), entry.Original)
			return err
		})
		if found.Reply != entry.Reply {
			t.Errorf("asked for %v, got %v", entry, found)
		}
	}
	missing := Tuple{Protocol: 6, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.96.0.10"), SrcPort: 1235, DstPort: 80}
	err := here.Do(func() error {
		_, err := Get(t.Context(), missing)
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("a connection that does not exist: %v", err)
	}
}

func TestFilterNeedsEveryFieldInEitherDirection(t *testing.T) {
	entry := &Entry{
		Original: Tuple{Protocol: 6, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.96.0.10"), SrcPort: 1234, DstPort: 80},
		Reply:    Tuple{Protocol: 6, Src: netip.MustParseAddr("10.0.0.9"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 8080, DstPort: 1234},
	}
	backend, stranger := netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.10")
	for _, sample := range []struct {
		filter Filter
		want   bool
	}{
		{Filter{}, true},
		{Filter{Addresses: []netip.Addr{backend}}, true},
		{Filter{Addresses: []netip.Addr{stranger}}, false},
		{Filter{Addresses: []netip.Addr{stranger, backend}, Ports: []uint16{8080}, Protocols: []uint8{17, 6}}, true},
		{Filter{Addresses: []netip.Addr{backend}, Ports: []uint16{81}}, false},
		{Filter{Protocols: []uint8{17}}, false},
	} {
		if got := sample.filter.Match(entry); got != sample.want {
			t.Errorf("%+v: %v", sample.filter, got)
		}
	}
}

func TestDumpEndsWithItsContext(t *testing.T) {
	here := table(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := here.Do(func() error { return Dump(ctx, func(*Entry) {}) }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEncodedTupleDecodesToItself(t *testing.T) {
	for _, tuple := range []Tuple{
		{Protocol: 6, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.96.0.10"), SrcPort: 1234, DstPort: 80},
		{Protocol: 58, Src: netip.MustParseAddr("fd00::1"), Dst: netip.MustParseAddr("fd00::2"), ICMPType: 128, ICMPID: 77},
		{Protocol: 1, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.0.0.3"), ICMPType: 8, ICMPID: 77},
	} {
		var entry Entry
		if err := entry.decode(tuple.encode()); err != nil || entry.Original != tuple {
			t.Errorf("%v became %v (%v)", tuple, entry.Original, err)
		}
	}
}

func FuzzMessages(f *testing.F) {
	tuple := Tuple{Protocol: 6, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.96.0.10"), SrcPort: 1234, DstPort: 80}
	body := append([]byte{2, 0, 0, 0}, tuple.encode()...)
	message := []byte{byte(16 + len(body)), 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	f.Add(append(message, body...))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		var entry Entry
		count := 0
		_, _ = messages(data, &entry, func(*Entry) { count++ })
		if count > len(data)/16 {
			t.Errorf("%d entries in %d bytes", count, len(data))
		}
	})
}

// BenchmarkDecode shows that entries that nobody keeps cost no memory.
func BenchmarkDecode(b *testing.B) {
	tuple := Tuple{Protocol: 6, Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("10.96.0.10"), SrcPort: 1234, DstPort: 80}
	data := tuple.encode()
	var entry Entry
	b.ReportAllocs()
	for b.Loop() {
		if err := entry.decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
