// SPDX-License-Identifier: Apache-2.0

// Package host is the machine the lab runs on: its processes, network namespaces, mounts and control groups. It keeps
// to what provably belongs to the lab.
package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Marker is set in the environment of every process the lab starts, and inherited by what those start. Together with
// control groups and network namespaces it identifies processes that outlived their parents.
const Marker = "PLUMBLINE_LAB_PROCESS=1"

// Process is a process the lab started in this run.
type Process struct {
	Name string
	Pid  int
	Log  string
	done chan struct{}
	err  error
}

// Spawn describes a process to start.
type Spawn struct {
	Name    string
	Log     string // file for its output
	PidFile string
	Cgroup  string // folder of the cgroup2 group it starts in, "" for the caller's
	Env     []string
	Command []string
}

// Start starts a process in a session of its own, so that it outlives the caller and no terminal signal reaches it.
func Start(spawn Spawn) (*Process, error) {
	log, err := os.OpenFile(spawn.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(spawn.Command[0], spawn.Command[1:]...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(append(os.Environ(), spawn.Env...), Marker)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if spawn.Cgroup != "" {
		group, err := os.Open(spawn.Cgroup)
		if err != nil {
			return nil, err
		}
		defer group.Close()
		command.SysProcAttr.UseCgroupFD, command.SysProcAttr.CgroupFD = true, int(group.Fd())
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spawn.Name, err)
	}
	process := &Process{Name: spawn.Name, Pid: command.Process.Pid, Log: spawn.Log, done: make(chan struct{})}
	go func() {
		process.err = command.Wait()
		close(process.done)
	}()
	return process, os.WriteFile(spawn.PidFile, []byte(strconv.Itoa(process.Pid)+"\n"), 0o644)
}

// Exited tells whether the process has ended, and how.
func (p *Process) Exited() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s ended (%v)\n%s", p.Name, p.err, Tail(p.Log, 15))
	default:
		return nil
	}
}

// ReadPid reads a pid file; 0 means there is none.
func ReadPid(file string) int {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}

// Alive tells whether a process runs (a zombie does not).
func Alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, found := strings.Cut(string(stat), ") ") // the name before it may hold anything
	return found && !strings.HasPrefix(rest, "Z")
}

// Marked tells whether a process carries the lab's marker.
func Marked(pid int) bool {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && strings.Contains("\x00"+string(environment), "\x00"+Marker+"\x00")
}

// Tail returns the last lines of a file, for error messages.
func Tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(all) > lines {
		all = all[len(all)-lines:]
	}
	return "last lines of " + file + ":\n  " + strings.Join(all, "\n  ")
}

// Run runs a command to its end and returns its output. A failure's error holds what the command said.
func Run(name string, arguments ...string) (string, error) { return RunInput("", name, arguments...) }

// RunInput is Run with text on standard input.
func RunInput(input, name string, arguments ...string) (string, error) {
	command := exec.Command(name, arguments...)
	command.Stdin = strings.NewReader(input)
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		what := strings.Join(append([]string{filepath.Base(name)}, arguments...), " ")
		if len(what) > 200 {
			what = what[:200] + "…"
		}
		return stdout.String(), fmt.Errorf("%s: %w: %s", what, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// Wait polls until ready returns true or an error, or the time is over.
func Wait(what string, limit time.Duration, ready func() (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if ok, err := ready(); ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %v", what, limit)
		}
	}
}
