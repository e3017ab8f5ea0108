// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"plumbline.dev/image/archive"
)

func TestParseFile(t *testing.T) {
	for argument, want := range map[string]archive.File{
		"/agent=bin/agent":      {Path: "/agent", From: "bin/agent"},
		"/etc/x=conf/x:0440":    {Path: "/etc/x", From: "conf/x", Mode: 0o440},
		"/sbin/iptables->multi": {Path: "/sbin/iptables", Link: "multi"},
	} {
		if got, err := parseFile(argument); err != nil || got != want {
			t.Errorf("%s: %+v, %v", argument, got, err)
		}
	}
	for _, argument := range []string{"/agent", "/agent=bin:rwx"} {
		if _, err := parseFile(argument); err == nil {
			t.Errorf("%s was accepted", argument)
		}
	}
}

func TestSplit(t *testing.T) {
	own, command := split([]string{"--down", "--", "go", "test", "--", "-v"})
	if !slices.Equal(own, []string{"--down"}) || !slices.Equal(command, []string{"go", "test", "--", "-v"}) {
		t.Errorf("got %v and %v", own, command)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{{nil, 0}, {fmt.Errorf("broken"), 1}, {fmt.Errorf("%w: no", errUsage), 2}, {childExit(7), 7}} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.code)
		}
	}
}

func TestUsageNamesEveryCommand(t *testing.T) {
	for name := range commands {
		if name != "node-init" && !strings.Contains(usageText, "\n  "+name+" ") {
			t.Errorf("%s is not explained", name)
		}
	}
}

func TestEveryProfileIsValid(t *testing.T) {
	for _, name := range strings.Split(allProfiles, ",") {
		if err := profiles[name].Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
