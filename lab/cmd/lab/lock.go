// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"

	"plumbline.dev/lab/internal/cache"
	"plumbline.dev/lab/internal/cluster"
)

// heldVariable tells commands run by "lab with" that the lock is theirs already.
const heldVariable = "PLUMBLINE_LAB_LOCKED"

// locked runs a step while nobody else changes the lab or relies on it staying as it is.
func locked(step func() error) error {
	if os.Getenv(heldVariable) != "" {
		return step()
	}
	if err := cluster.CheckMachine(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(cluster.LockFile), 0o755); err != nil {
		return err
	}
	unlock, err := cache.Lock(cluster.LockFile, func() { say("waiting: another process uses the lab") })
	if err != nil {
		return err
	}
	defer unlock()
	return step()
}

// withCommand runs a command against a lab that nobody else touches meanwhile.
func withCommand(arguments []string) error {
	own, command := split(arguments)
	flags, options, fresh := upFlags("with")
	down := flags.Bool("down", false, "bring the lab down afterwards")
	if err := flags.Parse(own); err != nil || flags.NArg() > 0 || len(command) == 0 {
		return errUsage
	}
	return locked(func() error {
		if err := ensureUp(*options, *fresh); err != nil {
			return err
		}
		result := foreground(command, []string{"KUBECONFIG=" + cluster.Config, heldVariable + "=1"})
		if *down {
			if err := cluster.Down(); err != nil && result == nil {
				return err
			}
		}
		return result
	})
}

// split cuts arguments at "--".
func split(arguments []string) (own, command []string) {
	for i, argument := range arguments {
		if argument == "--" {
			return arguments[:i], arguments[i+1:]
		}
	}
	return arguments, nil
}
