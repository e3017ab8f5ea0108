// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"plumbline.dev/image/archive"
	"plumbline.dev/lab/internal/host"
)

// Up brings a lab up from nothing: two ready nodes, the given workloads ready, Services answering on both nodes. What
// an interrupted run left is removed first. Only the caller's lock keeps two of them apart.
func Up(options Options, binaries Binaries, manifests Manifests, progress func(string)) error {
	if err := errors.Join(options.Validate(), options.CheckMachine()); err != nil {
		return err
	}
	if err := Down(); err != nil {
		return fmt.Errorf("clearing what was there: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l := &lab{Binaries: binaries, self: self, progress: progress, processes: map[string]*host.Process{}}
	nodes := options.nodes()
	if err := l.build(nodes); err != nil {
		return err
	}
	client, err := l.boot(nodes)
	if err != nil {
		return err
	}
	if err := l.populate(client, nodes, manifests); err != nil {
		return err
	}
	return writeJSON(stateFile(), state{options, binaries, manifests.digest(), time.Now()})
}

// build makes everything that needs no running process: folders, image, certificates, network.
func (l *lab) build(nodes []node) error {
	for _, dir := range []string{RunDir + "/log", RunDir + "/pid", DiskDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := writeAppImage(l.App); err != nil {
		return err
	}
	if err := writeCertificates(nodes); err != nil {
		return err
	}
	if err := buildNetwork(nodes); err != nil || l.Cilium == "" {
		return err
	}
	return buildManagementNetwork(nodes)
}

// writeAppImage packs the workload binary under the two names it is used by.
func writeAppImage(app string) error {
	file, err := os.Create(AppTar)
	if err != nil {
		return err
	}
	defer file.Close()
	err = archive.Write(file, archive.Image{
		Tags: []string{appImage, pauseTag}, Files: []archive.File{{Path: "/app", From: app}},
		Entrypoint: []string{"/app"}, Cmd: []string{"pause"}, Env: []string{"PATH=/"},
	})
	if err != nil {
		return err
	}
	return file.Close()
}

// boot starts the control plane and the nodes' runtimes and waits for the API server. The runtimes start while it does;
// kubelets come after it, because they retry ever more slowly.
func (l *lab) boot(nodes []node) (*api, error) {
	if err := l.startControlPlane(); err != nil {
		return nil, err
	}
	if err := each(nodes, l.startRuntime); err != nil {
		return nil, err
	}
	client, err := newAPI()
	if err != nil {
		return nil, err
	}
	err = l.wait("API server", 60*time.Second, "kube-apiserver", func() (bool, error) { return client.ready(), nil })
	if err != nil {
		return nil, err
	}
	l.progress("API server answers")
	if l.Cilium != "" {
		err = l.startOperator()
	}
	return client, err
}

// join makes a machine a ready node of the cluster.
func (l *lab) join(client *api, n node) error {
	if err := l.startKubelet(n); err != nil {
		return err
	}
	if err := l.dataplane(n).start(l, n); err != nil {
		return err
	}
	if err := l.register(client, n); err != nil {
		return err
	}
	return l.wait("node "+n.name+" ready", patience([]node{n}), "kubelet-"+n.name, func() (bool, error) {
		return client.nodeReady(n.name), nil
	})
}

// register completes the node's object: its pod networks, and for whoever looks at only this node on a machine that is
// several, the control group below which everything of the node is.
func (l *lab) register(client *api, n node) error {
	change := object{
		"metadata": object{"annotations": object{scopeKey: "/" + n.space()}},
		"spec":     object{"podCIDR": n.pods4, "podCIDRs": []string{n.pods4, n.pods6}},
	}
	var last error
	err := l.wait("node "+n.name+" registered", 60*time.Second, "kubelet-"+n.name, func() (bool, error) {
		last = client.patch("/api/v1/nodes/"+n.name, change)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w (%v)", err, last)
	}
	return nil
}

// populate adds nodes and workloads, then house rules and load balancer addresses, and waits until all of it works.
func (l *lab) populate(client *api, nodes []node, manifests Manifests) error {
	applied := make(chan error, 1)
	go func() { applied <- l.applyAll(client, nodes, manifests) }()
	err := each(nodes, func(n node) error { return l.join(client, n) })
	if err == nil {
		l.progress("nodes ready")
	}
	if err := errors.Join(err, <-applied); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return each(nodes, node.addHouseRules) },
		func() error { return assignLoadBalancers(client) },
		l.startOutside,
		func() error { return l.waitForPods(client, patience(nodes)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	l.progress("workloads ready")
	return errors.Join(l.waitForServices(nodes), l.waitForPolicies(nodes))
}

// startOutside runs the same server on the machine outside of the cluster, so that pods have somewhere to go.
func (l *lab) startOutside() error {
	return l.start("outside", extSpace, nil, []string{"nsenter", "--net=" + host.NamespacePath(extSpace), l.App,
		"serve", "--http", ":8080", "--tcp", ":9000", "--udp", ":9001"})
}

// each runs a step for all nodes at once and returns the first error.
func each(nodes []node, step func(node) error) error {
	results := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { results <- step(n) }()
	}
	var first error
	for range nodes {
		if err := <-results; err != nil && first == nil {
			first = err
		}
	}
	return first
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func short(list []string) string {
	sort.Strings(list)
	if len(list) > 6 {
		list = append(list[:6:6], "…")
	}
	return strings.Join(list, ", ")
}
