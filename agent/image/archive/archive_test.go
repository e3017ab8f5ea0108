// SPDX-License-Identifier: Apache-2.0

package archive

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func sample(t *testing.T) Image {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(binary, []byte("\x7fELF not really"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Image{
		Tags: []string{"plumbline.lab/app:1", "plumbline.lab/pause:1"},
		Files: []File{
			{Path: "/usr/sbin/tool", From: binary},
			{Path: "/usr/sbin/alias", Link: "tool"},
			{Path: "/etc/secret", From: binary, Mode: 0o400},
		},
		Entrypoint: []string{"/usr/sbin/tool"},
	}
}

// entries reads a tar into its headers and contents.
func entries(t *testing.T, archive []byte) (map[string]*tar.Header, map[string][]byte) {
	t.Helper()
	headers, contents := map[string]*tar.Header{}, map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if err == io.EOF {
			return headers, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		headers[header.Name] = header
		if contents[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

func TestArchiveIsConsistent(t *testing.T) {
	var out bytes.Buffer
	image := sample(t)
	if err := Write(&out, image); err != nil {
		t.Fatal(err)
	}
	_, parts := entries(t, out.Bytes())
	var manifest []manifestEntry
	if err := json.Unmarshal(parts["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(manifest[0].RepoTags, image.Tags) {
		t.Errorf("names %v", manifest[0].RepoTags)
	}
	configuration := parts[manifest[0].Config]
	if manifest[0].Config != digest(configuration)+".json" {
		t.Errorf("configuration %s is not named after its digest", manifest[0].Config)
	}
	var parsed config
	if err := json.Unmarshal(configuration, &parsed); err != nil {
		t.Fatal(err)
	}
	if want := "sha256:" + digest(parts[manifest[0].Layers[0]]); parsed.RootFS.DiffIDs[0] != want {
		t.Errorf("layer digest %s, want %s", parsed.RootFS.DiffIDs[0], want)
	}
}

func TestLayerKeepsModesLinksAndParents(t *testing.T) {
	layer, err := layerOf(sample(t).Files)
	if err != nil {
		t.Fatal(err)
	}
	headers, contents := entries(t, layer)
	if headers["usr/sbin/tool"].Mode != 0o755 || headers["etc/secret"].Mode != 0o400 {
		t.Error("modes are lost")
	}
	if headers["usr/sbin/alias"].Linkname != "tool" {
		t.Error("link is lost")
	}
	if headers["usr/"] == nil || headers["usr/sbin/"].Typeflag != tar.TypeDir || headers["tmp/"].Mode != 0o1777 {
		t.Error("folders are missing")
	}
	if string(contents["usr/sbin/tool"]) != "\x7fELF not really" {
		t.Error("content is lost")
	}
}

func TestEqualInputsGiveEqualBytes(t *testing.T) {
	image := sample(t)
	var first, second bytes.Buffer
	if err := Write(&first, image); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(image.Files)
	if err := Write(&second, image); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the files changes the archive")
	}
}

func TestImageNeedsANameAndItsFiles(t *testing.T) {
	if err := Write(io.Discard, Image{}); err == nil {
		t.Error("an image without a name was written")
	}
	missing := Image{Tags: []string{"a:1"}, Files: []File{{Path: "/app", From: "/does/not/exist"}}}
	if err := Write(io.Discard, missing); err == nil {
		t.Error("a missing file went unnoticed")
	}
}
