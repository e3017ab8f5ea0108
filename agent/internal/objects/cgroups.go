// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/mounts"
)

// More control groups than a node has pods and services.
const maxCgroups = 20_000

// readCgroups asks the control groups below root, and those above it, whose programs run for it too.
func (c *collection) readCgroups(ctx context.Context, root string) error {
	mount, err := mounts.Find("cgroup2")
	if err != nil {
		return err
	}
	for parent := filepath.Dir(filepath.Join("/", root)); root != "" && root != "/"; parent = filepath.Dir(parent) {
		if err := c.readCgroup(mount, parent); err != nil {
			return err
		}
		if parent == "/" {
			break
		}
	}
	groups := 0
	return filepath.WalkDir(filepath.Join(mount, root), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile
		case err != nil:
			return err
		case !entry.IsDir():
			return nil
		}
		if groups++; groups > maxCgroups {
			return fmt.Errorf("more than %d control groups", maxCgroups)
		}
		return c.readCgroup(mount, strings.TrimPrefix(path, mount))
	})
}

func (c *collection) readCgroup(mount, path string) error {
	if path == "" {
		path = "/"
	}
	folder, err := os.Open(filepath.Join(mount, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer folder.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(folder.Fd()), &stat); err != nil {
		return err
	}
	for _, attachment := range cgroupAttachments {
		result, err := link.QueryPrograms(link.QueryOptions{Target: int(folder.Fd()), Attach: attachment.kind})
		if unsupported(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cgroup %s: %s: %w", path, attachment.name, err)
		}
		for position, program := range result.Programs {
			if known := c.cgroupLink(stat.Ino, uint32(program.ID), attachment.name); known != nil {
				known.Cgroup, known.Position = path, &position
				continue
			}
			c.others = append(c.others, facts.Attachment{
				ProgramID: uint32(program.ID), Attach: attachment.name, Cgroup: path, Position: &position,
			})
		}
	}
	return nil
}

// cgroupLink finds the link of a program in a control group, whose id is its folder's inode number.
func (c *collection) cgroupLink(cgroup uint64, program uint32, attach string) *facts.Attachment {
	for _, candidate := range c.byGroup {
		fact := candidate.fact
		if candidate.cgroup == cgroup && fact.ProgramID == program && fact.Attach == attach && fact.Position == nil {
			return fact
		}
	}
	return nil
}
