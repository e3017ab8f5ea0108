// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes remembers what was written when.
type writes struct {
	start time.Time
	at    []time.Duration
	text  []string
}

func (w *writes) Write(content []byte) (int, error) {
	w.at = append(w.at, time.Since(w.start))
	w.text = append(w.text, string(content))
	return len(content), nil
}

func TestGatherWritesOnceInAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 50 * time.Millisecond
		near, far := net.Pipe()
		out := &writes{start: time.Now()}
		done := make(chan error, 1)
		go func() { done <- gather(out, near, interval) }()
		for range 10 {
			far.Write([]byte("x"))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		far.Write([]byte("late"))
		far.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(out.text, "|"); got != "x|xxxxx|xxxx|late" && got != "x|xxxx|xxxxx|late" {
			t.Errorf("%s at %v", got, out.at)
		}
		if out.at[0] != 0 {
			t.Errorf("the first write waited %v", out.at[0])
		}
		for i := 1; i < len(out.at); i++ {
			if out.at[i]-out.at[i-1] < interval {
				t.Errorf("written at %v", out.at)
			}
		}
	})
}

func TestGatherKeepsEveryByteOfALot(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	far, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	near, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() {
		far.Write(content)
		far.Close()
	}()
	var out bytes.Buffer
	start := time.Now()
	if err := gather(&out, near, time.Hour); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), content) {
		t.Errorf("%d of %d bytes", out.Len(), len(content))
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("a full buffer waited: %v", took)
	}
}
