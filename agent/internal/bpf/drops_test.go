// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"plumbline.dev/agent/internal/nstest"
)

// provoke sends datagrams to a port of the namespace that nobody has opened: each of them is dropped.
func provoke(t *testing.T, here *nstest.Namespace, count int) {
	t.Helper()
	here.Inside(func() error {
		for range count {
			connection, err := net.Dial("udp4", "127.0.0.1:9") // a new socket each time: the answer would end an old one
			if err != nil {
				return err
			}
			if _, err := connection.Write([]byte("x")); err != nil {
				return err
			}
			connection.Close()
		}
		return nil
	})
}

// counted waits until the counter shows a number of drops, and returns what it shows in the end.
func counted(t *testing.T, counter *DropCounter, netns uint64, want uint64) uint64 {
	t.Helper()
	var count uint64
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		drops, lost, err := counter.Read()
		if err != nil || lost > 0 {
			t.Fatalf("%d lost, %v", lost, err)
		}
		count = 0
		for _, drop := range drops {
			if uint64(drop.Netns) == netns && drop.Reason == "NO_SOCKET" {
				count += drop.Count
			}
		}
		if count >= want {
			break
		}
	}
	return count
}

func TestEachDropIsCountedOnce(t *testing.T) {
	here, other := nstest.New(t), nstest.New(t)
	counter, err := CountDrops(uint32(here.Inode()))
	if err != nil {
		t.Skip("skipped: the kernel refuses the program: ", err)
	}
	defer counter.Close()
	provoke(t, here, 7)
	provoke(t, other, 5)
	if got := counted(t, counter, here.Inode(), 7); got != 7 {
		t.Errorf("%d drops, 7 were provoked", got)
	}
	provoke(t, here, 3)
	if got := counted(t, counter, here.Inode(), 10); got != 10 {
		t.Errorf("%d drops, 10 were provoked", got)
	}
	drops, _, err := counter.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, drop := range drops {
		if uint64(drop.Netns) != here.Inode() {
			t.Errorf("a drop of another namespace was counted: %+v", drop)
		}
	}
}

func TestWithoutFilterAllNamespacesAreCounted(t *testing.T) {
	here, other := nstest.New(t), nstest.New(t)
	counter, err := CountDrops(0)
	if err != nil {
		t.Skip("skipped: the kernel refuses the program: ", err)
	}
	defer counter.Close()
	provoke(t, here, 2)
	provoke(t, other, 4)
	if a, b := counted(t, counter, here.Inode(), 2), counted(t, counter, other.Inode(), 4); a != 2 || b != 4 {
		t.Errorf("%d and %d drops, 2 and 4 were provoked", a, b)
	}
}

func TestProgramIsGoneAfterClose(t *testing.T) {
	nstest.New(t)
	counter, err := CountDrops(0)
	if err != nil {
		t.Skip("skipped: the kernel refuses the program: ", err)
	}
	info, err := counter.objects.CountDrop.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	if !Own(uint32(id)) || len(Runs()) != 1 {
		t.Errorf("program %d is not known as the agent's own: %v", id, Runs())
	}
	if err := counter.Close(); err != nil {
		t.Fatal(err)
	}
	if Own(uint32(id)) {
		t.Error("a closed program is still known as the agent's own")
	}
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			return
		}
		program.Close()
		if time.Now().After(deadline) {
			t.Fatal("the program is still loaded")
		}
	}
}
