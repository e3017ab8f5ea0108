// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start starts a harmless process the way the lab does.
func start(t *testing.T, command ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	process, err := Start(Spawn{
		Name: "test", Log: filepath.Join(dir, "log"), PidFile: filepath.Join(dir, "pid"), Command: command,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(process.Pid, syscall.SIGKILL) })
	return process
}

func owned(t *testing.T, pid int) bool {
	t.Helper()
	found, err := Scan("no-such-prefix")
	if err != nil {
		t.Fatal(err)
	}
	for _, process := range found {
		if process.Pid == pid {
			return true
		}
	}
	return false
}

func TestScanFindsWhatTheLabStartedAndNothingElse(t *testing.T) {
	process := start(t, "sleep", "60")
	if err := Wait("marker", time.Second, func() (bool, error) { return Marked(process.Pid), nil }); err != nil {
		t.Fatal(err)
	}
	if !owned(t, process.Pid) {
		t.Error("a process of the lab is not found")
	}
	if owned(t, os.Getpid()) || owned(t, os.Getppid()) || owned(t, 1) {
		t.Error("a process that is not the lab's is taken for its")
	}
}

func TestScanSparesTheCallerAndItsAncestors(t *testing.T) {
	spared := ancestors(os.Getpid())
	if !spared[os.Getpid()] || !spared[os.Getppid()] || spared[1] {
		t.Errorf("spares %v", spared)
	}
}

func TestDeadProcessTellsItsLastWords(t *testing.T) {
	process := start(t, "sh", "-c", "echo no such flag; exit 3")
	if err := Wait("end", 5*time.Second, func() (bool, error) { return process.Exited() != nil, nil }); err != nil {
		t.Fatal(err)
	}
	if text := process.Exited().Error(); !strings.Contains(text, "no such flag") || !strings.Contains(text, "status 3") {
		t.Errorf("got %q", text)
	}
	if Alive(process.Pid) {
		t.Error("a process that has ended counts as alive")
	}
}

func TestWaitHasALimit(t *testing.T) {
	err := Wait("the impossible", 60*time.Millisecond, func() (bool, error) { return false, nil })
	if err == nil || !strings.Contains(err.Error(), "the impossible") {
		t.Errorf("got %v", err)
	}
}

func TestFailedCommandsExplainThemselves(t *testing.T) {
	_, err := RunInput("in", "sh", "-c", "cat; echo reason >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "reason") {
		t.Errorf("got %v", err)
	}
}
