// SPDX-License-Identifier: Apache-2.0

package cilium

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, root, content string) {
	t.Helper()
	folder := filepath.Join(root, "run/cilium/state")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "agent-runtime-config.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsOfTheDatapathAreKeptAndNothingElse(t *testing.T) {
	root := t.TempDir()
	write(t, root, `{"RoutingMode":"native","EnableIPv4":true,"KVStoreOpt":{"etcd.password":"hunter2"}}`)
	file, config, err := read(root)
	content, _ := json.Marshal(config)
	if err != nil || file != "/run/cilium/state/agent-runtime-config.json" || string(content) != `{"EnableIPv4":true,"RoutingMode":"native"}` {
		t.Error(file, string(content), err)
	}
}

func TestAConfigurationThatIsNoneIsAnErrorAndNoneIsNot(t *testing.T) {
	root := t.TempDir()
	if file, _, err := read(root); file != "" || err != nil {
		t.Error(file, err)
	}
	for _, content := range []string{"{", "{}", "[]"} {
		write(t, root, content)
		if _, _, err := read(root); err == nil || !strings.Contains(err.Error(), "agent-runtime-config.json") {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	write(t, outside, `{"EnableIPv4":true}`)
	if err := os.Symlink(filepath.Join(outside, "run"), filepath.Join(root, "run")); err != nil {
		t.Fatal(err)
	}
	if file, _, err := read(root); file != "" || err != nil {
		t.Error(file, err)
	}
}
