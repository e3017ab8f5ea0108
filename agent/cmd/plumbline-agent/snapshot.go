// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plumbline.dev/agent/internal/snapshot"
)

func writeSnapshot(ctx context.Context, arguments []string) error {
	var options options
	flags := flag.NewFlagSet("snapshot", flag.ContinueOnError)
	options.register(flags)
	out := flags.String("out", "", "`folder` to write to, created if needed")
	parts := flags.String("parts", "", "comma-separated `list` of "+strings.Join(snapshot.Parts, ", ")+"; default: all")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	if *out == "" {
		fmt.Fprintln(os.Stderr, "snapshot needs -out")
		return errUsage
	}
	_, collector, err := options.assemble(newLog())
	if err != nil {
		return err
	}
	var request snapshot.Request
	if *parts != "" {
		request.Parts = strings.Split(*parts, ",")
	}
	return collector.Collect(ctx, request, folder(*out))
}

// folder is a sink that writes files below a directory, and problems to standard error.
type folder string

func (f folder) File(path string, content []byte) error {
	name := filepath.Join(string(f), filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

func (f folder) Problem(path, reason string) error {
	fmt.Fprintf(os.Stderr, "%s: %s\n", path, reason)
	return nil
}
