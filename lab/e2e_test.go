// SPDX-License-Identifier: Apache-2.0

package lab_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"plumbline.dev/lab/internal/cache"
	"plumbline.dev/lab/internal/cluster"
)

// The end-to-end tests bring real labs up on this machine. They hold the lab's lock from start to end, so that a lab in
// use elsewhere is waited for and not torn down.

func TestMain(m *testing.M) {
	if os.Getenv("PLUMBLINE_LAB_E2E") != "" && os.Geteuid() == 0 {
		unlock, err := cache.Lock(cluster.LockFile, func() {})
		if err != nil {
			panic(err)
		}
		defer unlock()
		os.Setenv("PLUMBLINE_LAB_LOCKED", "1")
	}
	os.Exit(m.Run())
}

func needsLab(t *testing.T) {
	t.Helper()
	if os.Getenv("PLUMBLINE_LAB_E2E") == "" {
		t.Skip("skipped: PLUMBLINE_LAB_E2E is not set; this test brings up a cluster")
	}
	if err := cluster.CheckMachine(); err != nil {
		t.Skip("skipped:", err)
	}
}

func needsTools(t *testing.T, proxy string) {
	t.Helper()
	if err := (cluster.Options{Proxy: proxy}).CheckMachine(); err != nil {
		t.Skip("skipped:", err)
	}
}

// run runs the lab's command line.
func run(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	command := exec.Command("./lab", arguments...)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err != nil {
		t.Logf("lab %s: %v\n%s", strings.Join(arguments, " "), err, stderr.String())
	}
	return string(output), err
}

func must(t *testing.T, arguments ...string) string {
	t.Helper()
	output, err := run(t, arguments...)
	if err != nil {
		t.Fatalf("lab %s failed\n%s", strings.Join(arguments, " "), output)
	}
	return output
}

func bringUp(t *testing.T, flags ...string) {
	t.Helper()
	must(t, append([]string{"up", "--fresh"}, flags...)...)
	t.Cleanup(func() {
		must(t, "down")
		if left, err := run(t, "verify-clean"); err != nil {
			t.Errorf("left behind:\n%s", left)
		}
	})
}

// counters are what changes in a listing of rules though no rule does.
var counters = regexp.MustCompile(`(?m)^#.*$| \[\d+:\d+\]$|counter packets \d+ bytes \d+`)

// machine describes what of the machine a lab could change.
func machine() map[string]string {
	found := map[string]string{}
	for _, line := range []string{
		"nft list ruleset", "iptables-legacy-save", "ip rule", "ip -6 rule", "ip -br link", "ip route show table main",
		"ip -6 route show table main", "ip netns list", "cat /sys/fs/cgroup/unified/cgroup.subtree_control",
		"sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops net.ipv4.ip_forward " +
			"kernel.unprivileged_bpf_disabled kernel.timer_migration net.core.bpf_jit_enable",
		"findmnt -rno TARGET", "ls /var/lib /var/log /run /etc",
	} {
		fields := strings.Fields(line)
		output, _ := exec.Command(fields[0], fields[1:]...).Output() // what does not exist here cannot be changed
		found[line] = counters.ReplaceAllString(string(output), "")
	}
	return found
}

// TestMachineIsUntouched compares the machine before and after a lab.
func TestMachineIsUntouched(t *testing.T) {
	needsLab(t)
	proxies := []string{"mixed"}
	if os.Getenv("PLUMBLINE_LAB_E2E") == "all" {
		proxies = append(proxies, "cilium")
	}
	for _, proxy := range proxies {
		t.Run(proxy, func(t *testing.T) {
			needsTools(t, proxy)
			must(t, "down")
			before := machine()
			must(t, "up", "--proxy="+proxy, "--fresh")
			must(t, "down")
			if left, err := run(t, "verify-clean"); err != nil {
				t.Errorf("left behind:\n%s", left)
			}
			for command, output := range machine() {
				if output != before[command] {
					t.Errorf("the machine changed: %s\nbefore:\n%s\nafter:\n%s", command, before[command], output)
				}
			}
		})
	}
}

// TestInterruptedRunIsCleared kills the lab in the middle of coming up.
func TestInterruptedRunIsCleared(t *testing.T) {
	needsLab(t)
	must(t, "down")
	command := exec.Command("./lab", "up", "--fresh")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(cluster.RunDir, "pid", "kubelet-n1")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no kubelet within a minute")
		}
	}
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	_ = command.Wait()
	if left, err := run(t, "verify-clean"); err == nil || !strings.Contains(left, "process") {
		t.Errorf("verify-clean does not see what an interrupted run left: %q", left)
	}
	must(t, "down")
	if left, err := run(t, "verify-clean"); err != nil {
		t.Errorf("left behind:\n%s", left)
	}
}
