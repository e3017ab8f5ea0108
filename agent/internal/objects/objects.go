// SPDX-License-Identifier: Apache-2.0

// Package objects lists what is in the kernel's eBPF machine: programs, maps, where programs are attached, and pins.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/pin"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/mounts"
)

// Programs lists all programs by id. own tells which are the agent's.
func Programs(own func(id uint32) bool) ([]facts.Program, error) {
	boot, err := bootTime()
	if err != nil {
		return nil, err
	}
	result := []facts.Program{}
	var id ebpf.ProgramID
	for {
		id, err = ebpf.ProgramGetNextID(id)
		if errors.Is(err, fs.ErrNotExist) {
			return result, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list programs: %w", err)
		}
		program, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // unloaded meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("program %d: %w", id, err)
		}
		fact, err := programFact(program, uint32(id), boot)
		program.Close()
		if err != nil {
			return nil, fmt.Errorf("program %d: %w", id, err)
		}
		fact.Own = own(uint32(id))
		result = append(result, fact)
	}
}

func programFact(program *ebpf.Program, id uint32, boot time.Time) (facts.Program, error) {
	info, err := program.Info()
	if err != nil {
		return facts.Program{}, err
	}
	fact := facts.Program{ID: id, Type: name(uint32(info.Type), programTypes), Name: info.Name, Tag: info.Tag, MapIDs: []uint32{}}
	if maps, ok := info.MapIDs(); ok {
		for _, id := range maps {
			fact.MapIDs = append(fact.MapIDs, uint32(id))
		}
	}
	if loaded, ok := info.LoadTime(); ok {
		fact.LoadedAt = boot.Add(loaded).UTC().Format(time.RFC3339)
	}
	// Zero while kernel.bpf_stats_enabled is off, which says nothing.
	if stats, err := program.Stats(); err == nil && stats.RunCount > 0 {
		fact.RunCount = strconv.FormatUint(stats.RunCount, 10)
		fact.RunNanoseconds = strconv.FormatInt(stats.Runtime.Nanoseconds(), 10)
	}
	return fact, nil
}

func bootTime() (time.Time, error) {
	var sinceBoot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &sinceBoot); err != nil {
		return time.Time{}, fmt.Errorf("boot time: %w", err)
	}
	return time.Now().Add(-time.Duration(sinceBoot.Nano())), nil
}

// Maps lists all maps by id.
func Maps() ([]facts.Map, error) {
	result := []facts.Map{}
	var id ebpf.MapID
	for {
		var err error
		id, err = ebpf.MapGetNextID(id)
		if errors.Is(err, fs.ErrNotExist) {
			return result, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list maps: %w", err)
		}
		loaded, err := ebpf.NewMapFromID(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("map %d: %w", id, err)
		}
		fact, err := mapFact(loaded, uint32(id))
		loaded.Close()
		if err != nil {
			return nil, fmt.Errorf("map %d: %w", id, err)
		}
		result = append(result, fact)
	}
}

func mapFact(loaded *ebpf.Map, id uint32) (facts.Map, error) {
	info, err := loaded.Info()
	if err != nil {
		return facts.Map{}, err
	}
	fact := facts.Map{
		ID: id, Type: name(uint32(info.Type), mapTypes), Name: info.Name, KeySize: info.KeySize, ValueSize: info.ValueSize,
		MaxEntries: info.MaxEntries, Flags: info.Flags,
	}
	if bytes, ok := info.Memlock(); ok {
		fact.MemoryBytes = strconv.FormatUint(bytes, 10)
	}
	if types, ok := info.BTFID(); ok {
		fact.BTFID = uint32(types)
	}
	return fact, nil
}

// A bpffs with more files than this holds something else than pins of a network datapath.
const maxPins = 20_000

// Pins lists the objects that file systems keep alive. Those that can't be opened are left out, and the first reason is
// returned with the rest.
func Pins(ctx context.Context) ([]facts.Pin, error) {
	points, err := mounts.All("bpf")
	if err != nil {
		return nil, err
	}
	result, seen := []facts.Pin{}, map[uint64]bool{}
	var first error
	for _, point := range points {
		var stat unix.Stat_t
		if err := unix.Stat(point, &stat); err != nil || seen[stat.Dev] {
			continue // the same file system, mounted twice
		}
		seen[stat.Dev] = true
		err := filepath.WalkDir(point, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil || !entry.Type().IsRegular():
				first = earlier(first, err)
				return nil
			case len(result) == maxPins:
				first = earlier(first, fmt.Errorf("more than %d pins", maxPins))
				return fs.SkipAll
			}
			fact, err := pinFact(path)
			if err != nil {
				first = earlier(first, err)
				return nil
			}
			result = append(result, fact)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return result, first
}

// earlier keeps the first error; that something has gone is none.
func earlier(first, next error) error {
	if first != nil || errors.Is(next, fs.ErrNotExist) {
		return first
	}
	return next
}

func pinFact(path string) (facts.Pin, error) {
	object, err := pin.Load(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if errors.Is(err, unix.EINVAL) {
		object, err = pin.Load(path, nil) // links can't be opened read-only (kernel/bpf/inode.c, bpf_obj_get_user)
	}
	if err != nil {
		// The kernel's own files, maps.debug and progs.debug, are no objects.
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EINVAL) {
			return facts.Pin{}, fs.ErrNotExist
		}
		return facts.Pin{}, err
	}
	defer object.Close()
	fact := facts.Pin{Path: path}
	switch object := object.(type) {
	case *ebpf.Program:
		info, err := object.Info()
		if err != nil {
			return fact, err
		}
		id, _ := info.ID()
		fact.Kind, fact.ID = "program", uint32(id)
	case *ebpf.Map:
		info, err := object.Info()
		if err != nil {
			return fact, err
		}
		id, _ := info.ID()
		fact.Kind, fact.ID = "map", uint32(id)
	case link.Link:
		info, err := object.Info()
		if err != nil {
			return fact, err
		}
		fact.Kind, fact.ID = "link", uint32(info.ID)
	}
	return fact, nil
}
