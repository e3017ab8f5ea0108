// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the kernel programs of ../../../bpf, compiled for each architecture, and typed access to their maps.
package bpf

//go:generate go tool bpf2go -go-package bpf -target amd64,arm64 -type drop_key drops ../../../bpf/trace/drops.bpf.c -- -O2 -g -Wall -Werror
