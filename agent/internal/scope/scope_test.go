// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/nstest"
)

const uid = "0d4a8b4e-5a1c-4f5e-9c55-0a1b2c3d4e5f"

func TestPlaceFindsThePodInEveryLayout(t *testing.T) {
	underscored := strings.ReplaceAll(uid, "-", "_")
	static := strings.Repeat("ab", 16)
	for name, sample := range map[string]struct {
		content         string
		path, root, pod string
	}{
		"version 2, cgroupfs": {"0::/kubepods/burstable/pod" + uid + "/c1\n", "/kubepods/burstable/pod" + uid + "/c1", "", uid},
		"version 2, systemd": {
			"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + underscored + ".slice/cri-containerd-c1.scope\n",
			"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + underscored + ".slice/cri-containerd-c1.scope", "", uid,
		},
		"guaranteed, systemd": {
			"0::/kubepods.slice/kubepods-pod" + underscored + ".slice/crio-c1.scope\n",
			"/kubepods.slice/kubepods-pod" + underscored + ".slice/crio-c1.scope", "", uid,
		},
		"version 1 only": {"5:cpu,cpuacct:/kubepods/pod" + uid + "/c1\n1:name=systemd:/x\n", "/kubepods/pod" + uid + "/c1", "", uid},
		"hybrid": {
			"4:memory:/n1/kubepods/pod" + uid + "/c1\n0::/n1/kubepods/pod" + uid + "/c1\n", "/n1/kubepods/pod" + uid + "/c1", "/n1", uid,
		},
		"hybrid, outside of the unified tree": {"4:memory:/kubepods/pod" + uid + "/c1\n0::/\n", "/kubepods/pod" + uid + "/c1", "", uid},
		"static pod":                          {"0::/kubepods/burstable/pod" + static + "/c1\n", "/kubepods/burstable/pod" + static + "/c1", "", static},
		"node inside a container": {
			"0::/docker/abc/kubelet/kubepods/pod" + uid + "/c1\n", "/docker/abc/kubelet/kubepods/pod" + uid + "/c1", "/docker/abc/kubelet", uid,
		},
		"no pod":              {"0::/system.slice/sshd.service\n", "/system.slice/sshd.service", "", ""},
		"a folder's disguise": {"0::/user/pod" + uid + "/x\n", "/user/pod" + uid + "/x", "", ""},
		"nonsense":            {"what\n\n:::\n", ":", "", ""},
		"nothing":             {"", "", "", ""},
	} {
		got := place(sample.content)
		if name == "nonsense" {
			if got.pod != "" {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if got.path != sample.path || got.root != sample.root || got.pod != sample.pod {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestBelowComparesWholeNames(t *testing.T) {
	for _, sample := range []struct {
		path, root string
		want       bool
	}{
		{"/n1/kubepods/x", "/n1", true}, {"/n10/kubepods/x", "/n1", false}, {"/n1", "/n1", true}, {"/x", "", true}, {"/x", "/", true}, {"/n1/x", "/n1/", true},
	} {
		if got := below(sample.path, sample.root); got != sample.want {
			t.Errorf("%q below %q: %v", sample.path, sample.root, got)
		}
	}
}

// cgroup moves a waiting process of its own network namespace into a pod's control group, and returns its namespace.
func pod(t *testing.T, namespace *nstest.Namespace, mount, path string) {
	t.Helper()
	folder := filepath.Join(mount, path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Skip("skipped: no control group can be made: ", err)
	}
	t.Cleanup(func() { // innermost first
		for ; folder != mount; folder = filepath.Dir(folder) {
			os.Remove(folder)
		}
	})
	var process *exec.Cmd
	namespace.Inside(func() error {
		process = exec.Command("sleep", "60")
		return process.Start()
	})
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
	})
	if err := os.WriteFile(filepath.Join(folder, "cgroup.procs"), []byte(strconv.Itoa(process.Process.Pid)), 0o644); err != nil {
		t.Skip("skipped: the process can't be moved: ", err)
	}
}

func unified(t *testing.T) string {
	for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(mount + "/cgroup.procs"); err == nil {
			return mount
		}
	}
	t.Skip("skipped: no unified control groups")
	return ""
}

type fixedNames []Pod

func (f fixedNames) Pods(context.Context) ([]Pod, error) { return f, nil }

func TestLookSeesTheNodesPodsAndNoOthers(t *testing.T) {
	mount := unified(t)
	mine, other := nstest.New(t), nstest.New(t)
	const otherUID = "11111111-2222-3333-4444-555555555555"
	pod(t, mine, mount, "/plumbline-test-1/kubepods/burstable/pod"+uid+"/c1")
	pod(t, other, mount, "/plumbline-test-2/kubepods/pod"+otherUID+"/c1")
	names := fixedNames{{Namespace: "shop", Name: "web", UID: uid}, {Namespace: "shop", Name: "starting", UID: "not-running"}}
	view, err := Scope{Proc: "/proc", CgroupRoot: "/plumbline-test-1"}.Look(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if len(view.Pods) != 2 || len(view.Namespaces) != 2 {
		t.Fatalf("%+v", view)
	}
	web := facts.PodName{Namespace: "shop", Name: "web"}
	found, err := view.Find(web)
	if err != nil || found.Handle.Inode() != mine.Inode() || found.ID != strconv.FormatUint(mine.Inode(), 10) || found.Pods[0] != web {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := view.Find(facts.PodName{Namespace: "shop", Name: "starting"}); err == nil || !strings.Contains(err.Error(), "no running process") {
		t.Errorf("a pod without processes: %v", err)
	}
	if _, err := view.Find(facts.PodName{Namespace: "shop", Name: "nobody"}); err == nil || !strings.Contains(err.Error(), "not on this node") {
		t.Errorf("a pod that does not exist: %v", err)
	}
	// Without a scope both are seen, one of them by its UID only.
	all, err := Scope{Proc: "/proc"}.Look(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	var unnamed int
	for _, pod := range all.Pods {
		if pod.UID == otherUID && pod.Name == "" && pod.Netns == strconv.FormatUint(other.Inode(), 10) {
			unnamed++
		}
	}
	if unnamed != 1 {
		t.Errorf("%+v", all.Pods)
	}
}

type noNames struct{}

func (noNames) Pods(context.Context) ([]Pod, error) { return nil, errors.New("the server is away") }

func TestPodsAreSeenWithoutTheServer(t *testing.T) {
	mount := unified(t)
	pod(t, nstest.New(t), mount, "/plumbline-test-3/kubepods/pod"+uid+"/c1")
	view, err := Scope{Proc: "/proc", CgroupRoot: "/plumbline-test-3"}.Look(t.Context(), noNames{})
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if view.NamesError == nil || len(view.Pods) != 1 || view.Pods[0].UID != uid {
		t.Errorf("%+v", view)
	}
}

func FuzzPlace(f *testing.F) {
	f.Add("0::/kubepods/burstable/pod" + uid + "/c1\n")
	f.Add("4:memory:/a\n0::/\n")
	f.Fuzz(func(t *testing.T, content string) {
		got := place(content)
		if got.pod != "" && (!strings.HasPrefix(got.path, got.root) || !strings.Contains(got.path, got.pod[:8])) {
			t.Errorf("%q: %+v", content, got)
		}
	})
}
