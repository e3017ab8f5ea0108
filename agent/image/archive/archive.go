// SPDX-License-Identifier: Apache-2.0

// Package archive writes container images as archives that `ctr images import` and `docker load` read. It needs no
// builder, daemon or registry: an image is one layer of chosen files, a configuration and a list of names.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
)

// File is one entry of the image. Either From (a file to read), Link (a symbolic link's target) or Dir is set.
type File struct {
	Path string // absolute path in the image
	From string
	Link string
	Dir  bool
	Mode int64 // permissions; 0 means 0755
}

// Image is what an archive holds.
type Image struct {
	Tags       []string
	Files      []File
	Entrypoint []string
	Cmd        []string
	Env        []string
	Labels     map[string]string
	User       string
	Arch       string // Go's name of the architecture; "" means this machine's
}

type config struct {
	Architecture string          `json:"architecture"`
	OS           string          `json:"os"`
	Config       containerConfig `json:"config"`
	RootFS       rootFS          `json:"rootfs"`
	History      []history       `json:"history"`
}

type containerConfig struct {
	User       string            `json:"User,omitempty"`
	Env        []string          `json:"Env,omitempty"`
	Entrypoint []string          `json:"Entrypoint,omitempty"`
	Cmd        []string          `json:"Cmd,omitempty"`
	WorkingDir string            `json:"WorkingDir,omitempty"`
	Labels     map[string]string `json:"Labels,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	CreatedBy string `json:"created_by"`
}

type manifestEntry struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// Write writes the archive. Equal inputs give equal bytes: no times, owners or map orders get in.
func Write(out io.Writer, image Image) error {
	if len(image.Tags) == 0 {
		return fmt.Errorf("an image needs at least one name")
	}
	layer, err := layerOf(image.Files)
	if err != nil {
		return err
	}
	arch := image.Arch
	if arch == "" {
		arch = runtime.GOARCH
	}
	configuration, err := json.Marshal(config{
		Architecture: arch, OS: "linux",
		Config: containerConfig{
			User: image.User, Env: image.Env, Entrypoint: image.Entrypoint, Cmd: image.Cmd,
			WorkingDir: "/", Labels: image.Labels,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{"sha256:" + digest(layer)}},
		History: []history{{CreatedBy: "plumbline image builder"}},
	})
	if err != nil {
		return err
	}
	configName, layerName := digest(configuration)+".json", digest(layer)+".tar"
	manifest, err := json.Marshal([]manifestEntry{{Config: configName, RepoTags: image.Tags, Layers: []string{layerName}}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(out)
	for _, part := range []struct {
		name    string
		content []byte
	}{{configName, configuration}, {layerName, layer}, {"manifest.json", manifest}} {
		header := tar.Header{Typeflag: tar.TypeReg, Name: part.name, Size: int64(len(part.content)), Mode: 0o644}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := archive.Write(part.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// layerOf packs the files, with every parent folder they need, sorted by path.
func layerOf(files []File) ([]byte, error) {
	var buffer bytes.Buffer
	layer := tar.NewWriter(&buffer)
	for _, file := range withParents(files) {
		if err := add(layer, file); err != nil {
			return nil, err
		}
	}
	err := layer.Close()
	return buffer.Bytes(), err
}

// withParents completes the list: container runtimes create missing parents too, but with modes of their own choice.
func withParents(files []File) []File {
	known := map[string]File{"/tmp": {Path: "/tmp", Dir: true, Mode: 0o1777}}
	for _, file := range files {
		file.Path = path.Clean("/" + file.Path)
		known[file.Path] = file
	}
	for _, file := range files {
		for dir := path.Dir(path.Clean("/" + file.Path)); dir != "/"; dir = path.Dir(dir) {
			if _, ok := known[dir]; !ok {
				known[dir] = File{Path: dir, Dir: true}
			}
		}
	}
	list := make([]File, 0, len(known))
	for _, file := range known {
		list = append(list, file)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list
}

func add(layer *tar.Writer, file File) error {
	header := tar.Header{Name: strings.TrimPrefix(file.Path, "/"), Mode: file.Mode}
	if header.Mode == 0 {
		header.Mode = 0o755
	}
	switch {
	case file.Dir:
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		return layer.WriteHeader(&header)
	case file.Link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, file.Link, 0o777
		return layer.WriteHeader(&header)
	}
	content, err := os.ReadFile(file.From)
	if err != nil {
		return fmt.Errorf("%s: %w", file.Path, err)
	}
	header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
	if err := layer.WriteHeader(&header); err != nil {
		return err
	}
	_, err = layer.Write(content)
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
