// SPDX-License-Identifier: Apache-2.0

package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// In a container with a control group namespace of its own, which is what version 2 gives, other pods appear outside of
// everything. The agent looks from the machine's view.
func TestPodsAreSeenFromInsideAContainer(t *testing.T) {
	mount := ""
	for _, candidate := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(candidate + "/cgroup.procs"); err == nil && mount == "" {
			mount = candidate
		}
	}
	const own, other = "/plumbline-test-ns/kubepods/pod00000000-0000-0000-0000-000000000001/c", "/plumbline-test-ns/kubepods/pod00000000-0000-0000-0000-000000000002/c"
	for _, group := range []string{own, other} {
		if os.Getuid() != 0 || mount == "" || os.MkdirAll(mount+group, 0o755) != nil {
			t.Skip("skipped: no control group can be made")
		}
	}
	t.Cleanup(func() {
		for _, folder := range []string{own, other, filepath.Dir(own), filepath.Dir(other), "/plumbline-test-ns/kubepods", "/plumbline-test-ns"} {
			os.Remove(mount + folder)
		}
	})
	pod := exec.Command("sh", "-c", "echo $$ >"+mount+other+"/cgroup.procs && exec sleep 60")
	if err := pod.Start(); err != nil {
		t.Fatal(err)
	}
	defer pod.Wait()
	defer pod.Process.Kill()
	time.Sleep(100 * time.Millisecond)
	out := t.TempDir()
	agent := exec.Command("sh", "-c", "echo $$ >"+mount+own+"/cgroup.procs && exec unshare --cgroup "+binary+" snapshot -parts node -out "+out)
	if output, err := agent.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	content, err := os.ReadFile(filepath.Join(out, "pods.json"))
	if err != nil || !strings.Contains(string(content), `"cgroups":["`+other+`"]`) {
		t.Errorf("%s, %v", content, err)
	}
}
