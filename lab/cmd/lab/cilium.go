// SPDX-License-Identifier: Apache-2.0

package main

import "plumbline.dev/lab/internal/cluster"

func ciliumCommand(arguments []string) error {
	if len(arguments) < 2 {
		return errUsage
	}
	command, err := cluster.Cilium(arguments[0], arguments[1:]...)
	if err != nil {
		return err
	}
	return foreground(command, nil)
}

func hubbleCommand(arguments []string) error {
	command, err := cluster.Hubble(arguments...)
	if err != nil {
		return err
	}
	return foreground(command, nil)
}

func ciliumAgentCommand(arguments []string) error {
	if len(arguments) != 2 {
		return errUsage
	}
	switch arguments[0] {
	case "stop":
		return cluster.StopCilium(arguments[1])
	case "start":
		return cluster.StartCilium(arguments[1])
	}
	return errUsage
}
