// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"plumbline.dev/agent/internal/cilium"
	"plumbline.dev/agent/internal/scope"
)

// A client that has closed its side gets this long to take what is on its way.
const lastWords = 5 * time.Second

// flowsTogether is how long flows are held back to travel together. Their own way to the client is packets of this node,
// and on a node that reports every packet each would be a flow again.
const flowsTogether = 50 * time.Millisecond

func connect(ctx context.Context, arguments []string) error {
	var options options
	flags := flag.NewFlagSet("connect", flag.ContinueOnError)
	options.register(flags)
	socket := flags.String("socket", defaultSocket, "`path` of the agent's unix socket")
	hubble := flags.Bool("hubble", false, "connect to the node's Hubble instead of the agent; ends with 3 when there is none")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if *hubble {
		own, err := scope.Discover(options.proc, options.cgroup)
		if err != nil {
			return err
		}
		connection, err := cilium.DialHubble(own)
		if err != nil {
			return err
		}
		return tunnel(ctx, connection, os.Stdin, func() error { return gather(os.Stdout, connection, flowsTogether) })
	}
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: *socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("no agent: %w", err)
	}
	return tunnel(ctx, connection, os.Stdin, func() error {
		_, err := io.Copy(os.Stdout, connection)
		return err
	})
}

// tunnel copies both ways. The end of the input closes only the sending half, so that answers still arrive; the end of
// the socket, or of the context, ends everything.
func tunnel(ctx context.Context, socket *net.UnixConn, input io.Reader, receive func() error) error {
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	received := make(chan error, 1)
	go func() { received <- receive() }()
	sent := make(chan error, 1)
	go func() { // may stay blocked in its read when the socket ends first; the process ends then
		_, err := io.Copy(socket, input)
		sent <- errors.Join(err, socket.CloseWrite())
	}()
	select {
	case err := <-received:
		return ending(ctx, err)
	case <-sent:
	}
	select {
	case err := <-received:
		return ending(ctx, err)
	case <-time.After(lastWords):
		return nil
	}
}

// gather copies what comes, but writes once in an interval at most, unless much has come. After a pause it writes at once.
func gather(output io.Writer, socket net.Conn, interval time.Duration) error {
	buffer := make([]byte, 64<<10)
	held := 0
	var written time.Time
	for {
		var deadline time.Time
		if held > 0 {
			deadline = written.Add(interval)
		}
		if err := socket.SetReadDeadline(deadline); err != nil {
			return err
		}
		n, err := socket.Read(buffer[held:])
		held += n
		if held > 0 && (err != nil || held == len(buffer) || time.Since(written) >= interval) {
			if _, err := output.Write(buffer[:held]); err != nil {
				return err
			}
			held, written = 0, time.Now()
		}
		switch {
		case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// ending drops the errors that only say that one side has gone.
func ending(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}
