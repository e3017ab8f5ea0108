// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// GNU names of Go's architectures, as Debian's library folders use them.
var multiarch = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// libraryFolders is where Debian's dynamic linker looks without a cache.
func libraryFolders() []string { return []string{"/usr/lib/" + multiarch[runtime.GOARCH]} }

// libraries lists the shared libraries that binaries need, and those that these need, and the dynamic linker, by reading
// their headers: nothing is run.
func libraries(binaries []string) ([]string, error) {
	found := map[string]bool{}
	queue := slices.Clone(binaries)
	for len(queue) > 0 {
		needed, err := dependencies(queue[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", queue[0], err)
		}
		queue = queue[1:]
		for _, path := range needed {
			if !found[path] {
				found[path] = true
				queue = append(queue, path)
			}
		}
	}
	list := make([]string, 0, len(found))
	for path := range found {
		list = append(list, path)
	}
	slices.Sort(list)
	return list, nil
}

func dependencies(path string) ([]string, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	names, err := file.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	var result []string
	for _, name := range names {
		library, err := locate(name)
		if err != nil {
			return nil, err
		}
		result = append(result, library)
	}
	linker, err := interpreter(file)
	if linker != "" {
		result = append(result, linker)
	}
	return result, err
}

func locate(name string) (string, error) {
	for _, folder := range libraryFolders() {
		path := filepath.Join(folder, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("library %s is not in %v", name, libraryFolders())
}

// interpreter is the path of the dynamic linker that a program asks for; "" for libraries.
func interpreter(file *elf.File) (string, error) {
	for _, program := range file.Progs {
		if program.Type != elf.PT_INTERP {
			continue
		}
		content, err := io.ReadAll(program.Open())
		return strings.TrimRight(string(content), "\x00"), err
	}
	return "", nil
}
