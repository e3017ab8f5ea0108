// SPDX-License-Identifier: Apache-2.0

// Package tools runs the few programs that read what has no other stable reader: iptables, nft and ipset.
package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxOutput bounds what one tool may print. 100,000 rules are about 15 MiB as text and 60 MiB as JSON.
	MaxOutput = 192 << 20
	timeout   = 60 * time.Second
)

// Run runs a tool in the network namespace of the calling thread and returns what it printed. Its children are never
// left behind: they get SIGKILL when the agent ends.
func Run(ctx context.Context, name string, arguments ...string) ([]byte, error) {
	return RunWith(ctx, nil, name, arguments...)
}

// RunWith is Run with something to read for the tool.
func RunWith(ctx context.Context, input []byte, name string, arguments ...string) ([]byte, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%s is not installed: %w", name, errors.Unwrap(err))
	}
	// The signal below is sent when the *thread* that started the child ends, so it must not be given to others meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, path, arguments...)
	command.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	command.Stdin = bytes.NewReader(input)
	output, complaint := &bounded{limit: MaxOutput}, &bounded{limit: 4096}
	command.Stdout, command.Stderr = output, complaint
	err = command.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", name, ctx.Err())
	case output.full:
		return nil, fmt.Errorf("%s printed more than %d MiB", name, MaxOutput>>20)
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", name, err, firstLine(complaint.Bytes()))
	}
	return output.Bytes(), nil
}

// Version returns the first line that the tool prints about itself.
func Version(ctx context.Context, name string) (string, error) {
	output, err := Run(ctx, name, "--version")
	line, _, _ := strings.Cut(string(output), "\n")
	return strings.TrimSpace(line), err
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if line == "" {
		return ""
	}
	return ": " + line
}

// bounded keeps the first bytes and refuses more, which ends the tool. The reader's buffer is never copied.
type bounded struct {
	bytes.Buffer
	limit int
	full  bool
}

func (b *bounded) Write(data []byte) (int, error) {
	if b.Len()+len(data) > b.limit {
		b.full = true
		return 0, errors.New("too much output")
	}
	return b.Buffer.Write(data)
}
