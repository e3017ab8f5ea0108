// SPDX-License-Identifier: Apache-2.0

package cache

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Kubelab builds (or finds) the binary that holds every Kubernetes component. root is the lab's source folder. The
// first build on a machine compiles some 2,700 packages and takes minutes; progress says so.
func Kubelab(root string, progress func(string)) (string, error) {
	source := filepath.Join(root, "kubelab")
	version, err := requiredVersion(filepath.Join(source, "go.mod"), "k8s.io/kubernetes")
	if err != nil {
		return "", err
	}
	return goBinary(source, "kubelab", versionFlags(version), func() {
		progress("building Kubernetes " + version + " from source: some 8 minutes on two cores, once per machine")
	})
}

// App builds (or finds) the small server that the lab's pods run.
func App(root string) (string, error) {
	return goBinary(filepath.Join(root, "app"), "app", "-s -w", func() {})
}

// goBinary builds the main package in source, keyed by everything that can change its bytes. inputs are files outside of
// source that can.
func goBinary(source, name, ldflags string, starting func(), inputs ...string) (string, error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	files, err := goFiles(source)
	if err != nil {
		return "", err
	}
	key, err := Key(append(files, inputs...), []string{name, goVersion(), runtime.GOARCH, ldflags})
	if err != nil {
		return "", err
	}
	return Produce(dir, key, name, func(tmp string) error {
		starting()
		return goBuild(source, tmp, ldflags, "", ".")
	})
}

// goBuild builds a main package that is seen from the folder source.
func goBuild(source, out, ldflags, tags, pkg string) error {
	build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-tags", tags, "-ldflags", ldflags, "-o", out, pkg)
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, output)
	}
	return nil
}

// goFiles lists what a build of one folder reads: its sources and, when it is a module, the module files.
func goFiles(source string) ([]string, error) {
	sources, err := filepath.Glob(filepath.Join(source, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no Go sources in %s", source)
	}
	return append(files, moduleFiles(source)...), nil
}

// moduleFiles lists the module files of a folder; a folder without any is part of a module around it.
func moduleFiles(folder string) []string {
	var files []string
	for _, name := range []string{"go.mod", "go.sum"} {
		if file := filepath.Join(folder, name); exists(file) {
			files = append(files, file)
		}
	}
	return files
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func goVersion() string {
	output, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		return runtime.Version()
	}
	return strings.TrimSpace(string(output))
}

// requiredVersion reads which release of a module is pinned, so that go.mod stays the only place that names it.
func requiredVersion(goMod, module string) (string, error) {
	content, err := os.ReadFile(goMod)
	if err != nil {
		return "", err
	}
	required := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` (v\d+\.\d+\.\d+)`)
	match := required.FindSubmatch(content)
	if match == nil {
		return "", fmt.Errorf("%s does not require %s", goMod, module)
	}
	return string(match[1]), nil
}

// versionFlags stamps the release as Kubernetes' own build does. Without it the components call themselves
// v0.0.0-master and refuse each other over version skew.
func versionFlags(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	const pkg = "k8s.io/component-base/version"
	return strings.Join([]string{
		"-s -w",
		"-X " + pkg + ".gitVersion=" + version,
		"-X " + pkg + ".gitMajor=" + parts[0],
		"-X " + pkg + ".gitMinor=" + parts[1],
		"-X " + pkg + ".gitTreeState=clean",
		"-X k8s.io/client-go/pkg/version.gitVersion=" + version,
	}, " ")
}
