// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"

	"plumbline.dev/agent/internal/bpf"
	"plumbline.dev/agent/internal/capability"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/kube"
	"plumbline.dev/agent/internal/node"
	"plumbline.dev/agent/internal/scope"
	"plumbline.dev/agent/internal/server"
	"plumbline.dev/agent/internal/snapshot"
	"plumbline.dev/agent/internal/version"
)

// options that serve and snapshot share.
type options struct {
	node, cgroup, proc string
}

func (o *options) register(flags *flag.FlagSet) {
	name, _ := os.Hostname()
	if fromPod := os.Getenv("NODE_NAME"); fromPod != "" {
		name = fromPod
	}
	flags.StringVar(&o.node, "node", name, "the node's `name` in the cluster; default: $NODE_NAME, else the host name")
	flags.StringVar(&o.cgroup, "scope-cgroup", os.Getenv("SCOPE_CGROUP"), "`path` of the cgroup below which processes belong to this node; default: $SCOPE_CGROUP, else where the agent's own pod lies")
	flags.StringVar(&o.proc, "proc", "/proc", "`folder` where the machine's process file system is mounted")
}

// assemble puts together what collects facts.
func (o *options) assemble(log *slog.Logger) (*node.Description, *snapshot.Collector, error) {
	own, err := scope.Discover(o.proc, o.cgroup)
	if err != nil {
		return nil, nil, err
	}
	var names scope.Names
	if client, err := kube.InCluster(o.node); err == nil {
		names = client
	} else {
		log.Warn("pods will have no names", "reason", err)
	}
	description := &node.Description{Name: o.node, Proc: o.proc, Probe: func(ctx context.Context) []facts.Capability {
		return capability.Probe(ctx, o.proc)
	}}
	collector := &snapshot.Collector{Describe: description.Node, Scope: own, Names: names, Own: bpf.Own}
	log.Info("scope", "node", o.node, "cgroup", own.CgroupRoot, "version", version.Version)
	return description, collector, nil
}

func newLog() *slog.Logger { return slog.New(slog.NewJSONHandler(os.Stderr, nil)) }

func serve(ctx context.Context, arguments []string) error {
	var options options
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	options.register(flags)
	socket := flags.String("socket", defaultSocket, "`path` of the unix socket to listen on")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	log := newLog()
	description, collector, err := options.assemble(log)
	if err != nil {
		return err
	}
	go func() { // so that the first client needn't wait for the probes
		for _, capability := range description.Node(ctx).Capabilities {
			log.Info("capability", "name", capability.Name, "available", capability.Available, "reason", capability.Reason)
		}
	}()
	err = server.Serve(ctx, *socket, server.NewAgent(description, collector), log)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	log.Info("stopped")
	return err
}
