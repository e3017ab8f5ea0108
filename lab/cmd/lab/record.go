// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plumbline.dev/lab/internal/cluster"
	"plumbline.dev/lab/internal/record"
)

// profiles are the labs that get recorded, by the name of the folder they are recorded in.
var profiles = map[string]cluster.Options{
	"iptables":        {Proxy: "iptables", Backend: "nft"},
	"iptables-legacy": {Proxy: "iptables", Backend: "legacy"},
	"nftables":        {Proxy: "nftables", Backend: "nft"},
	"mixed":           {Proxy: "mixed", Backend: "nft"},
	"cilium":          {Proxy: "cilium", Backend: "nft"},
	"half":            {Proxy: "half", Backend: "nft"},
}

const allProfiles = "iptables,iptables-legacy,nftables,mixed,cilium,half"

// recordCommand runs the project's own snapshot command against each profile.
func recordCommand(arguments []string) error {
	own, command := split(arguments)
	if len(command) == 0 {
		command = []string{"sh", "-c", `exec node dist/cli.js snapshot -o "$OUT"`}
	}
	return recordEach("record", own, "test/fixtures/bundles", func(out string) error {
		return foreground(command, []string{"KUBECONFIG=" + cluster.Config, "OUT=" + out, heldVariable + "=1"})
	})
}

// recordRawCommand writes what the nodes' own tools print.
func recordRawCommand(arguments []string) error {
	return recordEach("record-raw", arguments, "test/fixtures/raw", record.Raw)
}

// recordEach brings every profile up afresh, so that no recording depends on what ran before, and records it.
func recordEach(name string, arguments []string, folder string, one func(out string) error) error {
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	out := flags.String("out", filepath.Join(filepath.Dir(root), folder), "folder to write to")
	list := flags.String("profiles", allProfiles, "which profiles, separated by commas")
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	return locked(func() error {
		defer func() { _ = cluster.Down() }()
		for _, profile := range strings.Split(*list, ",") {
			options, known := profiles[profile]
			if !known {
				return fmt.Errorf("%w: unknown profile %q", errUsage, profile)
			}
			if err := ensureUp(options, true); err != nil {
				return err
			}
			target, err := filepath.Abs(filepath.Join(*out, profile))
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := one(target); err != nil {
				return fmt.Errorf("profile %s: %w", profile, err)
			}
			say("recorded " + target)
		}
		return nil
	})
}
