// SPDX-License-Identifier: Apache-2.0

package scope

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func TestAProcessThatHasEndedIsNotRunning(t *testing.T) {
	command := exec.Command("sleep", "60")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	folder := "/proc/" + strconv.Itoa(command.Process.Pid)
	if ended(folder) {
		t.Error("a running process has ended")
	}
	if err := command.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	// Nobody has waited for it: it is there, but does nothing any more.
	for range 100 {
		if ended(folder) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := os.Stat(folder); err != nil || !ended(folder) {
		t.Error("a killed process still runs", err)
	}
	_ = command.Wait()
	if !ended(folder) {
		t.Error("a process that is gone still runs")
	}
}
