// SPDX-License-Identifier: Apache-2.0

// Package lab holds the workloads of the lab. The lab itself is in internal/, its command line in cmd/lab.
package lab

import (
	"embed"
	"io/fs"
	"strings"

	"plumbline.dev/lab/internal/cluster"
)

//go:embed workloads
var workloads embed.FS

// Workloads returns the manifests.
func Workloads() (cluster.Manifests, error) {
	all, err := documents("workloads/*.yaml")
	if err != nil {
		return cluster.Manifests{}, err
	}
	cilium, err := documents("workloads/cilium/*.yaml")
	return cluster.Manifests{All: all, Cilium: cilium}, err
}

// documents returns files as one stream of YAML documents.
func documents(pattern string) (string, error) {
	files, err := fs.Glob(workloads, pattern)
	if err != nil {
		return "", err
	}
	var texts []string
	for _, file := range files {
		text, err := workloads.ReadFile(file)
		if err != nil {
			return "", err
		}
		texts = append(texts, string(text))
	}
	return strings.Join(texts, "---\n"), nil
}
