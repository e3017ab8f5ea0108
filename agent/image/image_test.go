// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// unpack writes the image's only layer into a folder.
func unpack(t *testing.T, image, into string) {
	t.Helper()
	file, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	outer := tar.NewReader(file)
	for {
		header, err := outer.Next()
		if err != nil {
			t.Fatal("no layer in the archive: ", err)
		}
		if strings.HasSuffix(header.Name, ".tar") {
			extract(t, tar.NewReader(outer), into)
			return
		}
	}
}

func extract(t *testing.T, layer *tar.Reader, into string) {
	t.Helper()
	for {
		header, err := layer.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(into, header.Name)
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(path, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(header.Linkname, path)
		default:
			var content []byte
			if content, err = io.ReadAll(layer); err == nil {
				err = os.WriteFile(path, content, os.FileMode(header.Mode))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestToolsRunFromTheImageAlone(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("skipped: changing the root folder needs root")
	}
	if _, err := exec.LookPath("ipset"); err != nil {
		t.Skip("skipped: the tools that go into the image are not installed")
	}
	folder := t.TempDir()
	agent := filepath.Join(folder, "agent")
	if err := os.WriteFile(agent, []byte("stands for the agent, which needs nothing of the image"), 0o755); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(folder, "image.tar")
	if err := build(agent, "1.2.3", image); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(folder, "root")
	unpack(t, image, root)
	for _, tool := range []string{"iptables-legacy-save", "ip6tables-legacy-save", "iptables-nft-save", "ip6tables-nft-save", "nft", "ipset"} {
		command := exec.Command("/usr/sbin/"+tool, "--version")
		command.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Cloneflags: syscall.CLONE_NEWNET}
		command.Dir = "/"
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", tool, err, output)
		}
	}
	for _, shell := range []string{"bin/sh", "usr/bin/sh", "bin/bash", "usr/bin/apt", "usr/bin/dpkg"} {
		if _, err := os.Stat(filepath.Join(root, shell)); err == nil {
			t.Errorf("the image has %s", shell)
		}
	}
}

func TestEqualInputsGiveAnEqualImage(t *testing.T) {
	if _, err := exec.LookPath("ipset"); err != nil {
		t.Skip("skipped: the tools that go into the image are not installed")
	}
	folder := t.TempDir()
	agent := filepath.Join(folder, "agent")
	if err := os.WriteFile(agent, []byte("agent"), 0o755); err != nil {
		t.Fatal(err)
	}
	var contents [2]string
	for i := range contents {
		path := filepath.Join(folder, "image.tar")
		if err := build(agent, "1.2.3", path); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents[i] = string(content)
	}
	if contents[0] != contents[1] {
		t.Error("two builds differ")
	}
}
