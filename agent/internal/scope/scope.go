// SPDX-License-Identifier: Apache-2.0

// Package scope tells which processes, pods and network namespaces belong to this node. On a normal node that is all of
// them; where one kernel hosts several nodes, it is what lies below the node's cgroup.
package scope

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/netns"
)

// Scope is this node's part of the machine.
type Scope struct {
	// Proc is where the machine's process file system is mounted.
	Proc string
	// CgroupRoot is the cgroup below which processes belong to this node; "" for all.
	CgroupRoot string
}

// HostID is the name of the node's own network namespace in a snapshot.
const HostID = "host"

// Discover completes a scope: without a cgroup root it is the one above kubelet's tree, in which the agent itself runs.
func Discover(proc, root string) (Scope, error) {
	scope := Scope{Proc: proc, CgroupRoot: root}
	if root != "" {
		return scope, nil
	}
	_, err := inHostCgroupNamespace(proc, func() error {
		content, err := os.ReadFile("/proc/thread-self/cgroup")
		if err != nil {
			return fmt.Errorf("read own cgroup: %w", err)
		}
		scope.CgroupRoot = place(string(content)).root
		return nil
	})
	return scope, err
}

// Pod is a pod as the API server knows it.
type Pod struct {
	Namespace, Name, UID string
	// StaticUID is the UID kubelet uses on the node for a pod from a manifest file; "" for others.
	StaticUID string
	// HostNetwork pods share the node's namespace.
	HostNetwork bool
}

// Names lists the pods that are bound to this node.
type Names interface {
	Pods(ctx context.Context) ([]Pod, error)
}

// View is what is in scope at one moment.
type View struct {
	Pods []facts.Pod
	// Namespaces has the node's own first, then those of pods by rising inode.
	Namespaces []Namespace
	// NamesError says why pods could not be found or named.
	NamesError error
}

// Namespace is one network namespace in scope.
type Namespace struct {
	ID     string
	Handle *netns.Handle
	Pods   []facts.PodName
}

// Close releases the namespaces.
func (v *View) Close() {
	for _, namespace := range v.Namespaces {
		namespace.Handle.Close()
	}
}

// Find returns the namespace that a pod of the view uses.
func (v *View) Find(name facts.PodName) (Namespace, error) {
	for _, pod := range v.Pods {
		if pod.Namespace != name.Namespace || pod.Name != name.Name {
			continue
		}
		for _, namespace := range v.Namespaces {
			if namespace.ID == pod.Netns {
				return namespace, nil
			}
		}
		return Namespace{}, fmt.Errorf("pod %s/%s has no running process on this node", name.Namespace, name.Name)
	}
	if v.NamesError != nil {
		return Namespace{}, fmt.Errorf("pod %s/%s: %w", name.Namespace, name.Name, v.NamesError)
	}
	return Namespace{}, fmt.Errorf("pod %s/%s is not on this node", name.Namespace, name.Name)
}

// found is a pod seen through its processes.
type found struct {
	cgroups   []string
	namespace string // ID
	started   uint64 // of the process that namespace is of, in clock ticks since boot
}

// Look finds the pods and network namespaces in scope. names may be nil; its failure leaves pods with a UID only.
func (s Scope) Look(ctx context.Context, names Names) (*View, error) {
	host, err := netns.Own()
	if err != nil {
		return nil, err
	}
	view := &View{Namespaces: []Namespace{{ID: HostID, Handle: host, Pods: []facts.PodName{}}}}
	handles := map[string]*netns.Handle{HostID: host}
	running := map[string]*found{}
	entered, err := inHostCgroupNamespace(s.Proc, func() error {
		return s.eachProcess(func(p process) { note(running, handles, p) })
	})
	if err != nil {
		view.Close()
		return nil, err
	}
	view.addNamespaces(handles)
	view.name(ctx, names, running)
	if entered != nil {
		view.NamesError = entered
	}
	return view, nil
}

// note adds a process of a pod. A pod's namespace is that of its oldest process: containers with privileges may create
// further ones later on.
func note(running map[string]*found, handles map[string]*netns.Handle, p process) {
	if p.pod == "" {
		return
	}
	pod := running[p.pod]
	if pod == nil {
		pod = &found{}
		running[p.pod] = pod
	}
	if !slices.Contains(pod.cgroups, p.path) {
		pod.cgroups = append(pod.cgroups, p.path)
	}
	if pod.namespace != "" && pod.started <= p.started {
		return
	}
	id := strconv.FormatUint(p.netns, 10)
	if p.netns == handles[HostID].Inode() {
		id = HostID
	}
	if handles[id] == nil {
		handle, err := netns.Open(p.netnsPath)
		if err != nil || handle.Inode() != p.netns { // the process ended, and its number may be another's by now
			if err == nil {
				handle.Close()
			}
			return
		}
		handles[id] = handle
	}
	pod.namespace, pod.started = id, p.started
}

func (v *View) addNamespaces(handles map[string]*netns.Handle) {
	for id, handle := range handles {
		if id != HostID {
			v.Namespaces = append(v.Namespaces, Namespace{ID: id, Handle: handle, Pods: []facts.PodName{}})
		}
	}
	slices.SortFunc(v.Namespaces[1:], func(a, b Namespace) int {
		if a.Handle.Inode() < b.Handle.Inode() {
			return -1
		}
		return 1
	})
}

// name joins what runs with what the API server knows.
func (v *View) name(ctx context.Context, names Names, running map[string]*found) {
	known := []Pod{}
	if names == nil {
		v.NamesError = errors.New("no API server to ask for pod names")
	} else {
		known, v.NamesError = names.Pods(ctx)
	}
	for _, pod := range known {
		fact := facts.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, Cgroups: []string{}}
		for _, uid := range []string{pod.UID, pod.StaticUID} {
			if match := running[uid]; match != nil && uid != "" {
				fact.Netns, fact.Cgroups = match.namespace, match.cgroups
				delete(running, uid)
			}
		}
		v.Pods = append(v.Pods, fact)
	}
	for uid, match := range running {
		v.Pods = append(v.Pods, facts.Pod{UID: uid, Netns: match.namespace, Cgroups: match.cgroups})
	}
	slices.SortFunc(v.Pods, func(a, b facts.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name+"/"+a.UID, b.Namespace+"/"+b.Name+"/"+b.UID)
	})
	for i := range v.Pods {
		slices.Sort(v.Pods[i].Cgroups)
		for j := range v.Namespaces {
			if v.Namespaces[j].ID == v.Pods[i].Netns && v.Pods[i].Name != "" {
				v.Namespaces[j].Pods = append(v.Namespaces[j].Pods, facts.PodName{Namespace: v.Pods[i].Namespace, Name: v.Pods[i].Name})
			}
		}
	}
}

// process is one process of a pod.
type process struct {
	placement
	netns     uint64
	netnsPath string
	started   uint64
}

// eachProcess visits the processes below the cgroup root. Those that end meanwhile are left out.
func (s Scope) eachProcess(visit func(process)) error {
	entries, err := os.ReadDir(s.Proc)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		if _, err := strconv.ParseUint(entry.Name(), 10, 32); err != nil {
			continue
		}
		if p, ok := s.read(filepath.Join(s.Proc, entry.Name())); ok {
			visit(p)
		}
	}
	return nil
}

func (s Scope) read(folder string) (process, bool) {
	content, err := os.ReadFile(folder + "/cgroup")
	if err != nil {
		return process{}, false
	}
	p := process{placement: place(string(content)), netnsPath: folder + "/ns/net"}
	if p.pod == "" || !below(p.path, s.CgroupRoot) {
		return process{}, false
	}
	target, err := os.Readlink(p.netnsPath)
	if err != nil {
		return process{}, false
	}
	inode, ok := strings.CutPrefix(target, "net:[")
	if !ok {
		return process{}, false
	}
	if p.netns, err = strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64); err != nil {
		return process{}, false
	}
	p.started, err = startTime(folder)
	return p, err == nil
}

// startTime is field 22 of /proc/<pid>/stat, in clock ticks since boot. The second field, the command's name, may
// contain anything, so counting starts after its closing parenthesis.
func startTime(folder string) (uint64, error) {
	content, err := os.ReadFile(folder + "/stat")
	if err != nil {
		return 0, err
	}
	text := string(content)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, fmt.Errorf("%s/stat: %w", folder, fs.ErrInvalid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
