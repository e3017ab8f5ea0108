// SPDX-License-Identifier: Apache-2.0

// Command plumbline-agent collects the facts of one Kubernetes node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"plumbline.dev/agent/internal/cilium"
	"plumbline.dev/agent/internal/version"
)

const defaultSocket = "/run/plumbline/agent.sock"

// exitNoHubble tells a client of "connect --hubble" that trying again doesn't help.
const exitNoHubble = 3

const help = `plumbline-agent collects the facts of one Kubernetes node.

usage:
  plumbline-agent serve     answers on a unix socket, until SIGTERM
  plumbline-agent connect   copies standard input and output to that socket, or to the node's Hubble
  plumbline-agent status    asks the running agent who it is; fails if none answers
  plumbline-agent snapshot  writes a snapshot into a folder, without a running agent
  plumbline-agent version   prints the agent's version

Each command explains its flags with -h.
`

// errUsage was explained already.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case errors.Is(err, cilium.ErrNoHubble):
		fmt.Fprintln(os.Stderr, "plumbline-agent:", err)
		os.Exit(exitNoHubble)
	case err != nil:
		fmt.Fprintln(os.Stderr, "plumbline-agent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		io.WriteString(os.Stderr, help)
		return errUsage
	}
	switch rest := arguments[1:]; arguments[0] {
	case "serve":
		return serve(ctx, rest)
	case "connect":
		return connect(ctx, rest)
	case "status":
		return showStatus(ctx, rest)
	case "snapshot":
		return writeSnapshot(ctx, rest)
	case "version":
		fmt.Println(version.Version)
		return nil
	case "help", "-h", "--help":
		io.WriteString(os.Stdout, help)
		return nil
	}
	fmt.Fprintf(os.Stderr, "unknown command %q\n\n%s", arguments[0], help)
	return errUsage
}

// parse reads the flags of a command, which takes no other arguments.
func parse(flags *flag.FlagSet, arguments []string) error {
	if err := flags.Parse(arguments); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return errUsage
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flags.Arg(0))
		return errUsage
	}
	return nil
}
