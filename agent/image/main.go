// SPDX-License-Identifier: Apache-2.0

// Command image writes the agent's container image as an archive, out of the agent and of the tools installed on this
// machine, each with the shared libraries it needs. There is no shell in it and no package manager.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"plumbline.dev/image/archive"
)

// The same program under several names: it does what its name says.
var tools = map[string][]string{
	"xtables-legacy-multi": {"iptables-legacy-save", "ip6tables-legacy-save"},
	"xtables-nft-multi":    {"iptables-nft-save", "ip6tables-nft-save"},
	"nft":                  nil,
	"ipset":                nil,
}

const toolFolder = "/usr/sbin"

func main() {
	agent := flag.String("agent", "", "the static agent `binary`")
	version := flag.String("version", "", "the agent's `version`, which becomes the image's tag")
	out := flag.String("out", "", "`archive` to write")
	flag.Parse()
	if *agent == "" || *version == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := build(*agent, *version, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func build(agent, version, out string) error {
	files, err := collect(agent)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(out), ".image-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	err = archive.Write(temporary, archive.Image{
		Tags: []string{"plumbline-agent:" + version}, Files: files,
		Entrypoint: []string{"/plumbline-agent"}, Cmd: []string{"serve"}, Env: []string{"PATH=" + toolFolder},
		Labels: map[string]string{"org.opencontainers.image.title": "plumbline-agent", "org.opencontainers.image.version": version},
	})
	if err == nil {
		err = temporary.Chmod(0o644)
	}
	if err == nil {
		err = temporary.Close()
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), out)
}

// collect lists the image's files.
func collect(agent string) ([]archive.File, error) {
	files := []archive.File{{Path: "/plumbline-agent", From: agent}}
	var binaries []string
	for tool, names := range tools {
		path, err := exec.LookPath(tool)
		if err != nil {
			return nil, fmt.Errorf("%s is needed (Debian packages iptables, nftables, ipset): %w", tool, err)
		}
		binaries = append(binaries, path)
		files = append(files, archive.File{Path: filepath.Join(toolFolder, tool), From: path})
		for _, name := range names {
			files = append(files, archive.File{Path: filepath.Join(toolFolder, name), Link: tool})
		}
	}
	extensions, err := xtablesExtensions()
	if err != nil {
		return nil, err
	}
	for _, extension := range extensions {
		file, err := linkOrFile(extension)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	libraries, err := libraries(append(binaries, extensions...))
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		files = append(files, archive.File{Path: library, From: library})
	}
	// nft prints the names of protocols, if it knows them.
	const protocols = "/etc/protocols"
	if _, err := os.Stat(protocols); err != nil {
		return nil, fmt.Errorf("%s is needed (Debian package netbase): %w", protocols, err)
	}
	return append(files, archive.File{Path: protocols, From: protocols, Mode: 0o644}), nil
}

// linkOrFile keeps links as they are: one extension serves several names, and tools behave otherwise when each name is a
// copy that registers all of them again.
func linkOrFile(path string) (archive.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return archive.File{}, err
	}
	if info.Mode()&os.ModeSymlink == 0 {
		return archive.File{Path: path, From: path, Mode: 0o644}, nil
	}
	target, err := os.Readlink(path)
	if err == nil && filepath.Base(target) != target {
		err = fmt.Errorf("%s leads out of its folder, to %s", path, target)
	}
	return archive.File{Path: path, Link: target}, err
}

// xtablesExtensions are loaded by name when a rule uses them. Those of arptables and ebtables are left out.
func xtablesExtensions() ([]string, error) {
	var extensions []string
	for _, folder := range libraryFolders() {
		for _, kind := range []string{"libxt_*.so", "libipt_*.so", "libip6t_*.so"} {
			matches, err := filepath.Glob(filepath.Join(folder, "xtables", kind))
			if err != nil {
				return nil, err
			}
			extensions = append(extensions, matches...)
		}
	}
	if len(extensions) == 0 {
		return nil, fmt.Errorf("no iptables extensions below %v", libraryFolders())
	}
	return extensions, nil
}
