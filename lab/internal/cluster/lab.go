// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"plumbline.dev/lab/internal/host"
)

// Binaries are the programs the lab runs.
type Binaries struct {
	Kubelab string `json:"kubelab"`
	App     string `json:"app"`
	Cilium  string `json:"cilium,omitempty"` // folder of Cilium's programs, when any node runs them
}

// lab is a lab that is being brought up.
type lab struct {
	Binaries
	self     string // this program, which also initialises nodes
	progress func(string)

	mutex     sync.Mutex
	processes map[string]*host.Process
}

// start starts a process of the lab. group is its cgroup v2 group below the root.
func (l *lab) start(name, group string, env, command []string) error {
	cgroup2, err := host.Cgroup2()
	if err != nil {
		return err
	}
	folder := filepath.Join(cgroup2, group)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	process, err := host.Start(host.Spawn{
		Name: name, Log: logFile(name), PidFile: pidFile(name), Cgroup: folder, Env: env, Command: command,
	})
	if err != nil {
		return err
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.processes[name] = process
	return nil
}

// wait polls like host.Wait, gives up early when one of the lab's processes ends, and shows the log of the process
// that is to blame when the time is over.
func (l *lab) wait(what string, limit time.Duration, blame string, ready func() (bool, error)) error {
	err := host.Wait(what, limit, func() (bool, error) {
		if err := l.crashed(); err != nil {
			return false, fmt.Errorf("%s: %w", what, err)
		}
		return ready()
	})
	if err != nil && blame != "" && l.crashed() == nil {
		return fmt.Errorf("%w\n%s", err, host.Tail(logFile(blame), 15))
	}
	return err
}

func (l *lab) crashed() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, process := range l.processes {
		if err := process.Exited(); err != nil {
			return err
		}
	}
	return nil
}

// state is what a running lab remembers about itself.
type state struct {
	Options   Options   `json:"options"`
	Binaries  Binaries  `json:"binaries"`
	Workloads string    `json:"workloads"` // digest of the manifests
	Started   time.Time `json:"started"`
}

func stateFile() string { return filepath.Join(RunDir, "state.json") }

// Running returns the options of a lab that is up and whose API server answers, or false.
func Running() (Options, bool) {
	current, err := readState()
	if err != nil {
		return Options{}, false
	}
	client, err := newAPI()
	if err != nil || client.get("/version", nil) != nil {
		return Options{}, false
	}
	return current.Options, true
}

// RunsAs tells whether the lab runs with these options, and its pods are what they would be now.
func RunsAs(options Options, app string, manifests Manifests) bool {
	running, ok := Running()
	if !ok || running != options {
		return false
	}
	current, err := readState()
	return err == nil && current.Binaries.App == app && current.Workloads == manifests.digest()
}

func readState() (state, error) {
	var current state
	text, err := os.ReadFile(stateFile())
	if err != nil {
		return current, err
	}
	return current, json.Unmarshal(text, &current)
}

// tools are the programs the lab needs, and the Debian packages that hold them.
var tools = map[string]string{
	"containerd": "containerd", "ctr": "containerd", "runc": "runc", "ip": "iproute2", "nsenter": "util-linux",
	"unshare": "util-linux", "xtables-nft-multi": "iptables", "xtables-legacy-multi": "iptables", "nft": "nftables",
	"ipset": "ipset", "conntrack": "conntrack", "sysctl": "procps", "bridge": "iproute2",
}

// ciliumTools are what nodes with Cilium need besides: the compiler that Cilium's own image has, and what lists the
// kernel's programs.
var ciliumTools = map[string]string{"clang-19": "clang-19", "llvm-strip-19": "llvm-19", "bpftool": "bpftool"}

// CheckMachine says why no lab can run here, or nil.
func CheckMachine() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("lab needs Linux: its nodes are network namespaces")
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("lab needs root: it makes network namespaces, mounts and control groups")
	}
	missing := missingPackages(tools)
	if _, err := os.Stat(standardPlugins + "/bridge"); err != nil {
		missing["containernetworking-plugins"] = true
	}
	if err := installHint(missing); err != nil {
		return err
	}
	if _, err := host.Cgroup2(); err != nil {
		return fmt.Errorf("lab needs control groups: %w", err)
	}
	return nil
}

// CheckMachine says why a lab with these options can't run on a machine that others run on, or nil.
func (o Options) CheckMachine() error {
	if !o.Cilium() {
		return nil
	}
	return installHint(missingPackages(ciliumTools))
}

func missingPackages(wanted map[string]string) map[string]bool {
	missing := map[string]bool{}
	for tool, pkg := range wanted {
		if _, err := exec.LookPath(tool); err != nil {
			missing[pkg] = true
		}
	}
	return missing
}

func installHint(packages map[string]bool) error {
	if len(packages) == 0 {
		return nil
	}
	return fmt.Errorf("lab misses tools: apt-get install -y --no-install-recommends %s", strings.Join(sortedKeys(packages), " "))
}
