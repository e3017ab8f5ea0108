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
)

// A client that has closed its side gets this long to take what is on its way.
const lastWords = 5 * time.Second

func connect(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("connect", flag.ContinueOnError)
	socket := flags.String("socket", defaultSocket, "`path` of the agent's unix socket")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	connection, err := net.Dial("unix", *socket)
	if err != nil {
		return fmt.Errorf("no agent: %w", err)
	}
	return tunnel(ctx, connection.(*net.UnixConn), os.Stdin, os.Stdout)
}

// tunnel copies both ways. The end of the input closes only the sending half, so that answers still arrive; the end of
// the socket, or of the context, ends everything.
func tunnel(ctx context.Context, socket *net.UnixConn, input io.Reader, output io.Writer) error {
	defer socket.Close()
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	received := make(chan error, 1)
	go func() {
		_, err := io.Copy(output, socket)
		received <- err
	}()
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

// ending drops the errors that only say that one side has gone.
func ending(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return nil
	}
	return err
}
