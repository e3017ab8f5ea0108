// SPDX-License-Identifier: Apache-2.0

// Package snapshot reads all facts of a node at one moment and writes them as the files of a bundle's node folder.
// It reads only: no file of it changes a setting, loads a kernel module or creates a table.
package snapshot

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"plumbline.dev/agent/internal/conntrack"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/scope"
)

// Parts of a snapshot.
const (
	PartNode      = "node"
	PartNetns     = "netns"
	PartNetfilter = "netfilter"
	PartConntrack = "conntrack"
	PartBPF       = "bpf"
	PartMaps      = "maps"
)

// Parts lists them all.
var Parts = []string{PartNode, PartNetns, PartNetfilter, PartConntrack, PartBPF, PartMaps}

// DefaultConntrackEntries bounds the entries of one namespace when a request doesn't.
const DefaultConntrackEntries = 20_000

// Two namespaces at a time: a busy node has other things to do.
const concurrency = 2

// Request says what to read.
type Request struct {
	// Parts to read; empty for all.
	Parts []string
	// Pods whose namespaces to read, besides the node's own; empty for all.
	Pods []facts.PodName
	// Conntrack filters the entries; MaxConntrack bounds them, 0 for the default.
	Conntrack    conntrack.Filter
	MaxConntrack int
}

func (r *Request) wants(part string) bool { return len(r.Parts) == 0 || slices.Contains(r.Parts, part) }

// Sink takes what was read. Calls never overlap. An error ends the snapshot.
type Sink interface {
	File(path string, content []byte) error
	Problem(path, reason string) error
}

// Collector reads snapshots of one node.
type Collector struct {
	// Describe gives node.json without its time and problems.
	Describe func(ctx context.Context) facts.Node
	Scope    scope.Scope
	// Names may be nil: pods then have no names.
	Names scope.Names
	// Own tells the agent's own programs from others.
	Own func(programID uint32) bool
}

// run is one snapshot being read.
type run struct {
	*Collector
	Request
	view     *scope.View
	mutex    sync.Mutex // of what follows
	sink     Sink
	problems []facts.Problem
}

// Collect reads everything that is asked for. What can't be read becomes a problem and the rest goes on; the error is the
// sink's or the context's.
func (c *Collector) Collect(ctx context.Context, request Request, sink Sink) error {
	started := time.Now()
	run := &run{Collector: c, Request: request, sink: sink, problems: []facts.Problem{}}
	view, err := c.Scope.Look(ctx, c.Names)
	if err != nil {
		return err
	}
	defer view.Close()
	run.view = view
	if err := run.collect(ctx); err != nil {
		return err
	}
	if !run.wants(PartNode) {
		return nil
	}
	// Last, because it lists the problems met on the way.
	node := c.Describe(ctx)
	node.CapturedAt = started.UTC().Format(time.RFC3339Nano)
	node.Problems = run.problems
	return run.file("node.json", node)
}

func (r *run) collect(ctx context.Context) error {
	if r.wants(PartNode) {
		if err := r.pods(); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for _, namespace := range r.namespaces() {
		group.Go(func() error { return r.namespace(ctx, namespace) })
	}
	if r.wants(PartBPF) {
		group.Go(func() error { return r.bpf(ctx) })
	}
	if r.wants(PartMaps) {
		group.Go(func() error { return r.maps(ctx) })
	}
	return group.Wait()
}

func (r *run) pods() error {
	if r.view.NamesError != nil {
		if err := r.problem("pods.json", r.view.NamesError); err != nil {
			return err
		}
	}
	return r.file("pods.json", facts.Pods{Pods: append([]facts.Pod{}, r.view.Pods...)})
}

// namespaces selects the node's own and those of the requested pods.
func (r *run) namespaces() []scope.Namespace {
	if len(r.Pods) == 0 {
		return r.view.Namespaces
	}
	return slices.DeleteFunc(slices.Clone(r.view.Namespaces), func(namespace scope.Namespace) bool {
		return namespace.ID != scope.HostID && !slices.ContainsFunc(namespace.Pods, func(pod facts.PodName) bool {
			return slices.Contains(r.Pods, pod)
		})
	})
}

// namespace reads one network namespace from inside.
func (r *run) namespace(ctx context.Context, namespace scope.Namespace) error {
	if !r.wants(PartNetns) && !r.wants(PartNetfilter) && !r.wants(PartConntrack) {
		return nil
	}
	folder := "netns/" + namespace.ID
	var stop error // of the sink or context, as opposed to a namespace that can't be entered
	err := namespace.Handle.Do(func() error {
		if r.wants(PartNetns) {
			stop = r.network(ctx, folder, namespace)
		}
		if stop == nil && r.wants(PartNetfilter) {
			stop = r.netfilter(ctx, folder)
		}
		if stop == nil && r.wants(PartConntrack) {
			stop = r.conntrack(ctx, folder)
		}
		return nil
	})
	if err != nil {
		return r.problem(folder, err)
	}
	return stop
}

// read adds a file, or a problem in its place.
func (r *run) read(ctx context.Context, path string, produce func() (any, error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	value, err := produce()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.problem(path, err)
	}
	return r.file(path, value)
}

func (r *run) file(path string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return r.raw(path, content)
}

func (r *run) raw(path string, content []byte) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.sink.File(path, content)
}

func (r *run) problem(path string, reason error) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.problems = append(r.problems, facts.Problem{Path: path, Reason: reason.Error()})
	return r.sink.Problem(path, reason.Error())
}
