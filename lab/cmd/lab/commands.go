// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"plumbline.dev/lab"
	"plumbline.dev/lab/internal/cache"
	"plumbline.dev/lab/internal/cluster"
)

// say reports progress. Standard output is for answers only.
func say(text string) { fmt.Fprintln(os.Stderr, "lab:", text) }

// sourceRoot is where the lab's sources are; the wrapper script knows.
func sourceRoot() (string, error) {
	if root := os.Getenv("PLUMBLINE_LAB_ROOT"); root != "" {
		return root, nil
	}
	return "", errors.New("PLUMBLINE_LAB_ROOT is not set: run the lab through lab/lab")
}

// binaries builds what a lab needs, with Cilium's programs only when asked for.
func binaries(cilium bool) (cluster.Binaries, error) {
	var built cluster.Binaries
	root, err := sourceRoot()
	if err != nil {
		return built, err
	}
	if built.Kubelab, err = cache.Kubelab(root, say); err != nil {
		return built, err
	}
	if built.App, err = cache.App(root); err != nil || !cilium {
		return built, err
	}
	built.Cilium, err = cache.Cilium(root, say)
	return built, err
}

func buildCommand(arguments []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	cilium := flags.Bool("cilium", false, "also what labs with Cilium need, and the oracles of its maps, flows and policies")
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	built, err := binaries(*cilium)
	if err != nil {
		return err
	}
	fmt.Println(built.Kubelab)
	fmt.Println(built.App)
	if !*cilium {
		return nil
	}
	fmt.Println(built.Cilium)
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	oracle, err := cache.MapOracle(root)
	if err != nil {
		return err
	}
	fmt.Println(oracle)
	flows, err := cache.FlowsOracle(root)
	if err != nil {
		return err
	}
	fmt.Println(flows)
	policies, err := cache.PolicyOracle(root)
	if err != nil {
		return err
	}
	fmt.Println(policies)
	return nil
}

// upFlags are shared by "up" and "with".
func upFlags(name string) (set *flag.FlagSet, options *cluster.Options, fresh *bool) {
	set = flag.NewFlagSet(name, flag.ContinueOnError)
	options = &cluster.Options{}
	set.StringVar(&options.Proxy, "proxy", "iptables", "what nodes have: "+strings.Join(cluster.Proxies, ", "))
	set.StringVar(&options.Backend, "iptables-backend", "nft", "which iptables nodes have: "+strings.Join(cluster.Backends, ", "))
	return set, options, set.Bool("fresh", false, "start anew even when the lab runs that way already")
}

func upCommand(arguments []string) error {
	flags, options, fresh := upFlags("up")
	if err := flags.Parse(arguments); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	return locked(func() error {
		if err := ensureUp(*options, *fresh); err != nil {
			return err
		}
		fmt.Println("export KUBECONFIG=" + cluster.Config)
		return nil
	})
}

// ensureUp brings the lab up unless it runs the same way already, with the same workloads.
func ensureUp(options cluster.Options, fresh bool) error {
	if err := options.Validate(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	app, err := cache.App(root)
	if err != nil {
		return err
	}
	manifests, err := lab.Workloads()
	if err != nil {
		return err
	}
	if !fresh && cluster.RunsAs(options, app, manifests) {
		say("already up: " + describe(options))
		return nil
	}
	if err := options.CheckMachine(); err != nil {
		return err
	}
	built, err := binaries(options.Cilium())
	if err != nil {
		return err
	}
	start := time.Now()
	timed := func(text string) { say(fmt.Sprintf("%5.1f s  %s", time.Since(start).Seconds(), text)) }
	if err := cluster.Up(options, built, manifests, timed); err != nil {
		return err
	}
	timed("up: " + describe(options))
	return nil
}

func describe(options cluster.Options) string {
	return fmt.Sprintf("proxy %s, iptables %s", options.Proxy, options.Backend)
}

func downCommand([]string) error {
	return locked(cluster.Down)
}

func statusCommand([]string) error {
	if options, running := cluster.Running(); running {
		fmt.Println("up:", describe(options))
		fmt.Println("kubeconfig:", cluster.Config)
		return nil
	}
	left, err := cluster.Leftovers()
	if err != nil {
		return err
	}
	if len(left) > 0 {
		fmt.Printf("not up, but %d things of a lab are on this machine (see lab verify-clean; lab down removes them)\n", len(left))
		return nil
	}
	fmt.Println("down")
	return nil
}

func verifyCommand([]string) error {
	if os.Geteuid() != 0 {
		return errors.New("verify-clean needs root: others' processes can't be looked at")
	}
	left, err := cluster.Leftovers()
	if err != nil {
		return err
	}
	for _, item := range left {
		fmt.Println(item)
	}
	if len(left) > 0 {
		return childExit(1)
	}
	return nil
}

func kubeconfigCommand([]string) error {
	fmt.Println(cluster.Config)
	return nil
}

func kubectlCommand(arguments []string) error {
	command, err := cluster.Kubectl(arguments...)
	if err != nil {
		return err
	}
	return foreground(command, nil)
}

func nodeCommand(arguments []string) error {
	if len(arguments) < 2 {
		return errUsage
	}
	command, err := cluster.InNode(arguments[0], arguments[1:]...)
	if err != nil {
		return err
	}
	return foreground(command, nil)
}

func outsideCommand(arguments []string) error {
	if len(arguments) < 1 {
		return errUsage
	}
	command, err := cluster.Outside(arguments...)
	if err != nil {
		return err
	}
	return foreground(command, nil)
}

func nodeInitCommand(arguments []string) error {
	if len(arguments) < 4 {
		return errUsage
	}
	programs := cluster.Binaries{Kubelab: arguments[1], Cilium: arguments[2]}
	return cluster.NodeInit(arguments[0], programs, arguments[3:])
}

// foreground runs a command on the user's terminal and passes its exit code on. An interrupt ends the command, not this
// program, which may have to clean up after it.
func foreground(line, env []string) error {
	command := exec.Command(line[0], line[1:]...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Env = append(os.Environ(), env...)
	if err := command.Start(); err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case received := <-signals:
			_ = command.Process.Signal(received)
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() > 0 {
				return childExit(exit.ExitCode())
			}
			return err
		}
	}
}
