// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func key(t *testing.T, files, settings []string) string {
	t.Helper()
	key, err := Key(files, settings)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyDependsOnContentAndSettingsOnly(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	a, b := write(t, here, "a.go", "one"), write(t, here, "b.go", "two")
	moved := []string{write(t, there, "b.go", "two"), write(t, there, "a.go", "one")}
	base := key(t, []string{a, b}, []string{"go1.26"})
	if base != key(t, moved, []string{"go1.26"}) {
		t.Error("place or order of the files changes the key")
	}
	swapped := []string{write(t, t.TempDir(), "a.go", "two"), write(t, t.TempDir(), "b.go", "one")}
	for name, other := range map[string]string{
		"a setting":     key(t, []string{a, b}, []string{"go1.27"}),
		"fewer files":   key(t, []string{a}, []string{"go1.26"}),
		"other content": key(t, swapped, []string{"go1.26"}),
		"other borders": key(t, []string{a, b}, []string{"go1", ".26"}),
	} {
		if other == base {
			t.Errorf("%s does not change the key", name)
		}
	}
}

func TestConcurrentCallersBuildOnce(t *testing.T) {
	dir := t.TempDir()
	var builds atomic.Int32
	build := func(tmp string) error {
		builds.Add(1)
		time.Sleep(20 * time.Millisecond)
		return os.WriteFile(tmp, []byte("result"), 0o755)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			path, err := Produce(dir, "key", "tool", build)
			if err != nil {
				t.Error(err)
				return
			}
			if content, _ := os.ReadFile(path); string(content) != "result" {
				t.Errorf("found %q", content)
			}
		})
	}
	group.Wait()
	if builds.Load() != 1 {
		t.Errorf("built %d times", builds.Load())
	}
}

func TestFailedBuildLeavesNoResult(t *testing.T) {
	dir := t.TempDir()
	broken := errors.New("broken")
	_, err := Produce(dir, "key", "tool", func(tmp string) error {
		if err := os.WriteFile(tmp, []byte("half"), 0o755); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "key", "tool*"))
	if len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestVersionsComeFromGoMod(t *testing.T) {
	version, err := requiredVersion("../../kubelab/go.mod", "k8s.io/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	other := write(t, t.TempDir(), "go.mod", "module x\n\nrequire k8s.io/kubernetes v1.30.2 // pinned\n")
	if got, err := requiredVersion(other, "k8s.io/kubernetes"); err != nil || got != "v1.30.2" {
		t.Errorf("read %q, %v", got, err)
	}
	if flags := versionFlags(version); version == "" || flags == versionFlags("v1.30.2") {
		t.Errorf("flags do not depend on the version: %s", flags)
	}
	if _, err := requiredVersion(other, ciliumModule); err == nil {
		t.Error("found a module that is not required")
	}
	cilium, err := requiredVersion("../../cilium/go.mod", ciliumModule)
	if err != nil || !strings.Contains(ciliumFlags(cilium), strings.TrimPrefix(cilium, "v")+" lab ") {
		t.Errorf("%s, %v", ciliumFlags(cilium), err)
	}
}
