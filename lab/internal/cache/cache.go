// SPDX-License-Identifier: Apache-2.0

// Package cache keeps what is expensive to build outside the work tree, in folders named after a hash of their inputs.
// Equal inputs find the finished result, changed inputs get a folder of their own, and no clean-up of the work tree
// throws minutes of compiling away.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"syscall"
)

// Dir is the lab's folder in Plumbline's cache.
func Dir() (string, error) {
	if dir := os.Getenv("PLUMBLINE_CACHE"); dir != "" {
		return filepath.Join(dir, "lab"), nil
	}
	dir, err := os.UserCacheDir() // XDG_CACHE_HOME, else ~/.cache
	if err != nil {
		return "", fmt.Errorf("no cache folder (set PLUMBLINE_CACHE): %w", err)
	}
	return filepath.Join(dir, "plumbline", "lab"), nil
}

// Key hashes the settings and the contents of the files, in an order of its own so that callers need not sort.
// Files count with their base name and content: where the work tree lies must not matter.
func Key(files, settings []string) (string, error) {
	hash := sha256.New()
	field := func(text string) { fmt.Fprintf(hash, "%d:%s\n", len(text), text) }
	for _, setting := range settings {
		field(setting)
	}
	sorted := append([]string(nil), files...)
	sort.Slice(sorted, func(i, j int) bool { return filepath.Base(sorted[i]) < filepath.Base(sorted[j]) })
	for _, file := range sorted {
		content, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		field(filepath.Base(file))
		field(string(content))
	}
	return hex.EncodeToString(hash.Sum(nil))[:20], nil
}

// Produce returns the path of name in the folder of key, calling build when it is not there yet. build writes to the
// temporary path it is given, a file or a folder; the result appears under its final name only when complete. Two
// processes that ask for the same key build once: the second waits and then finds the result.
func Produce(dir, key, name string, build func(tmp string) error) (string, error) {
	folder := filepath.Join(dir, key)
	final := filepath.Join(folder, name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	unlock, err := Lock(filepath.Join(folder, "."+name+".lock"), func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	tmp := fmt.Sprintf("%s.tmp%d", final, os.Getpid())
	defer os.RemoveAll(tmp)
	if err := build(tmp); err != nil {
		return "", err
	}
	return final, os.Rename(tmp, final)
}

// Lock takes an exclusive lock on a file, calling waiting once when another process holds it.
func Lock(path string, waiting func()) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	descriptor := int(file.Fd())
	if err = syscall.Flock(descriptor, syscall.LOCK_EX|syscall.LOCK_NB); err == syscall.EWOULDBLOCK {
		waiting()
		err = syscall.Flock(descriptor, syscall.LOCK_EX)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}
