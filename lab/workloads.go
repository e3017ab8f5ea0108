// SPDX-License-Identifier: Apache-2.0

// Package lab holds the workloads of the lab. The lab itself is in internal/, its command line in cmd/lab.
package lab

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed workloads/*.yaml
var workloads embed.FS

// Workloads returns all manifests as one stream of YAML documents.
func Workloads() (string, error) {
	files, err := fs.Glob(workloads, "workloads/*.yaml")
	if err != nil {
		return "", err
	}
	var documents []string
	for _, file := range files {
		text, err := workloads.ReadFile(file)
		if err != nil {
			return "", err
		}
		documents = append(documents, string(text))
	}
	return strings.Join(documents, "---\n"), nil
}
