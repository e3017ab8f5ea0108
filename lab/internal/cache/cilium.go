// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const ciliumModule = "github.com/cilium/cilium"

// ciliumProgram is one of Cilium's programs, under the name its own image has for it.
type ciliumProgram struct{ name, pkg, tags string }

var ciliumPrograms = []ciliumProgram{
	{name: "cilium-agent", pkg: "daemon"},
	{name: "cilium-cni", pkg: "plugins/cilium-cni"},
	{name: "cilium-dbg", pkg: "cilium-dbg"},
	{name: "cilium-operator-generic", pkg: "operator", tags: "ipam_provider_operator"},
	{name: "hubble", pkg: "hubble"},
	{name: "hubble-relay", pkg: "hubble-relay"},
}

// Cilium builds (or finds) Cilium's programs and returns the folder that holds them, with the sources of its kernel
// programs, which the agent compiles on each node, in "bpf". root is the lab's source folder. The first build on a
// machine takes minutes; progress says so.
func Cilium(root string, progress func(string)) (string, error) {
	source := filepath.Join(root, "cilium")
	version, err := requiredVersion(filepath.Join(source, "go.mod"), ciliumModule)
	if err != nil {
		return "", err
	}
	flags := ciliumFlags(version)
	key, err := ciliumKey(source, flags)
	if err != nil {
		return "", err
	}
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	for _, program := range ciliumPrograms {
		_, err := Produce(dir, key, program.name, func(tmp string) error {
			progress("building " + program.name + " " + version + " from source: minutes the first time")
			return goBuild(source, tmp, flags, program.tags, ciliumModule+"/"+program.pkg)
		})
		if err != nil {
			return "", err
		}
	}
	sources, err := Produce(dir, key, "bpf", func(tmp string) error { return copyDatapath(source, tmp) })
	return filepath.Dir(sources), err
}

// MapOracle builds (or finds) the program that says what the bytes of Cilium's maps mean.
func MapOracle(root string) (string, error) {
	module := filepath.Join(root, "cilium")
	return goBinary(filepath.Join(module, "maporacle"), "maporacle", "-s -w", func() {}, moduleFiles(module)...)
}

// FlowsOracle builds (or finds) the program that makes random flows and filters them as Hubble does.
func FlowsOracle(root string) (string, error) {
	module := filepath.Join(root, "cilium")
	return goBinary(filepath.Join(module, "flowsoracle"), "flowsoracle", "-s -w", func() {}, moduleFiles(module)...)
}

// PolicyOracle builds (or finds) the program that lets the kernel run a release's decision about policies.
func PolicyOracle(root string) (string, error) {
	module := filepath.Join(root, "cilium")
	return goBinary(filepath.Join(module, "policyoracle"), "policyoracle", "-s -w", func() {}, moduleFiles(module)...)
}

func ciliumKey(source, flags string) (string, error) {
	settings := []string{"cilium", goVersion(), runtime.GOARCH, flags}
	for _, program := range ciliumPrograms {
		settings = append(settings, program.name, program.pkg, program.tags)
	}
	return Key(moduleFiles(source), settings)
}

// ciliumFlags stamps the release as Cilium's own build does: version, revision and date, without which `cilium-dbg
// status` knows no version.
func ciliumFlags(version string) string {
	stamp := strings.TrimPrefix(version, "v") + " lab 2026-01-01T00:00:00+00:00"
	return fmt.Sprintf(`-s -w -X "%s/pkg/version.ciliumVersion=%s" -X %s/hubble/pkg.Version=%s`, ciliumModule, stamp, ciliumModule, version)
}

// copyDatapath copies the sources of Cilium's kernel programs, without their tests, which are most of it.
func copyDatapath(source, target string) error {
	command := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", ciliumModule)
	command.Dir = source
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("where is %s: %w", ciliumModule, err)
	}
	if err := os.CopyFS(target, os.DirFS(filepath.Join(strings.TrimSpace(string(output)), "bpf"))); err != nil {
		return err
	}
	for _, tests := range []string{"tests", "complexity-tests"} {
		if err := os.RemoveAll(filepath.Join(target, tests)); err != nil {
			return err
		}
	}
	return nil
}
