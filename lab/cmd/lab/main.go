// SPDX-License-Identifier: Apache-2.0

// Command lab runs a real two-node Kubernetes cluster in network namespaces of this machine. Run it through lab/lab,
// which builds it.
package main

import (
	"errors"
	"fmt"
	"os"
)

const usageText = `usage: lab COMMAND

  build [--cilium]              build what is needed, without starting anything
  up [--proxy=iptables|nftables|mixed|cilium|half] [--iptables-backend=nft|legacy] [--fresh]
                                bring the lab up (kept when it runs that way already)
  down                          remove everything the lab left on this machine
  status                        say what runs
  verify-clean                  list what is left of a lab; exit code 1 when anything is
  kubeconfig                    print the path of the administrator's kubeconfig
  kubectl ARGUMENTS…            run kubectl against the lab
  node NAME COMMAND…            run a command in a node's namespaces, e.g. lab node n1 nft list ruleset
  cilium NODE ARGUMENTS…        run cilium-dbg on a node, e.g. lab cilium n1 bpf lb list
  cilium-agent stop|start NODE  stop Cilium's agent on a node, or start it again
  hubble ARGUMENTS…             run Hubble's client, e.g. lab hubble observe --follow
  outside COMMAND…              run a command on the machine outside of the cluster
  image-load ARCHIVE…           load image archives into both nodes
  image-pack --tag NAME --out ARCHIVE [--entrypoint PATH] [--env K=V] PATH=FILE[:MODE] PATH->TARGET …
                                write an image archive from files, without a registry
  with [up's flags] [--down] -- COMMAND…
                                lock the lab, bring it up, run a command with KUBECONFIG set
  record [--out DIR] [--profiles LIST] [-- COMMAND…]
                                for each profile: bring the lab up, run a command with KUBECONFIG and OUT set
  record-raw [--out DIR] [--profiles LIST]
                                record rules, routes and objects of each profile as text and JSON
`

// errUsage makes the program explain itself.
var errUsage = errors.New("usage")

// commands maps names to what they do. Exit codes: 0 done, 1 failed, 2 wrong usage, or the code of a command run.
var commands map[string]func(arguments []string) error

func init() {
	commands = map[string]func([]string) error{
		"build": buildCommand, "up": upCommand, "down": downCommand, "status": statusCommand,
		"verify-clean": verifyCommand, "kubeconfig": kubeconfigCommand, "kubectl": kubectlCommand, "node": nodeCommand,
		"cilium": ciliumCommand, "cilium-agent": ciliumAgentCommand, "hubble": hubbleCommand, "outside": outsideCommand, "image-load": imageLoadCommand, "image-pack": imagePackCommand, "with": withCommand,
		"record": recordCommand, "record-raw": recordRawCommand,
		"node-init": nodeInitCommand, // internal: runs inside of a node's new namespaces
	}
}

func main() {
	if len(os.Args) < 2 || os.Args[1] == "help" || os.Args[1] == "--help" {
		fmt.Fprint(os.Stderr, usageText)
		os.Exit(2)
	}
	command, known := commands[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "lab: unknown command %q\n%s", os.Args[1], usageText)
		os.Exit(2)
	}
	// System tools are in folders that users' PATHs often lack; nodes inherit this one.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
	os.Exit(exitCode(command(os.Args[2:])))
}

// childExit is the exit code of a command that was run for the user, and has said itself what was wrong.
type childExit int

func (c childExit) Error() string { return fmt.Sprintf("command ended with exit code %d", int(c)) }

func exitCode(err error) int {
	var child childExit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &child):
		return int(child)
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "lab: %v\n%s", err, usageText)
		return 2
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}
