// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"plumbline.dev/image/archive"
	"plumbline.dev/lab/internal/cluster"
)

func imageLoadCommand(arguments []string) error {
	if len(arguments) == 0 {
		return errUsage
	}
	for _, archive := range arguments {
		if err := cluster.LoadImage(archive); err != nil {
			return err
		}
	}
	return nil
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// imagePackCommand writes an image archive from files of this machine.
func imagePackCommand(arguments []string) error {
	flags := flag.NewFlagSet("image-pack", flag.ContinueOnError)
	var tags, entrypoint, env list
	flags.Var(&tags, "tag", "name of the image, may be repeated")
	flags.Var(&entrypoint, "entrypoint", "program and fixed arguments, one per flag")
	flags.Var(&env, "env", "NAME=VALUE, may be repeated")
	out := flags.String("out", "", "archive to write")
	user := flags.String("user", "", "user of the process")
	if err := flags.Parse(arguments); err != nil || *out == "" || len(tags) == 0 {
		return errUsage
	}
	contents := archive.Image{Tags: tags, Entrypoint: entrypoint, Env: env, User: *user}
	for _, argument := range flags.Args() {
		file, err := parseFile(argument)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		contents.Files = append(contents.Files, file)
	}
	return writeArchive(*out, contents)
}

// writeArchive writes beside the final name first: a half-written archive must not be taken for a whole one.
func writeArchive(path string, contents archive.Image) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err := archive.Write(file, contents); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// parseFile reads PATH=FILE, PATH=FILE:MODE (octal) or PATH->TARGET.
func parseFile(argument string) (archive.File, error) {
	if path, target, ok := strings.Cut(argument, "->"); ok {
		return archive.File{Path: path, Link: target}, nil
	}
	path, from, ok := strings.Cut(argument, "=")
	if !ok {
		return archive.File{}, fmt.Errorf("%q is neither PATH=FILE nor PATH->TARGET", argument)
	}
	file := archive.File{Path: path, From: from}
	if name, digits, ok := strings.Cut(from, ":"); ok {
		mode, err := strconv.ParseInt(digits, 8, 32)
		if err != nil {
			return archive.File{}, fmt.Errorf("%q: mode is not octal", argument)
		}
		file.From, file.Mode = name, mode
	}
	return file, nil
}
