// SPDX-License-Identifier: Apache-2.0

// Package bpfmap reads the contents of eBPF maps: whole, filtered, in pieces, and again and again.
package bpfmap

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/objects"
)

// ErrGone says that there is no such map (any more).
var ErrGone = errors.New("no such map")

// ErrUnreadable says that the kernel does not show the contents of such a map.
var ErrUnreadable = errors.New("contents can't be read")

// A map's own types take a few KiB; more than this doesn't fit an answer.
const maxBTF = 2 << 20

// Reference names a map: by its id, or by an absolute path where it is pinned.
type Reference struct {
	ID   uint32
	Path string
}

// Info is what a map is made of.
type Info struct {
	ID                                    uint32
	Type                                  string
	Name                                  string
	KeySize, ValueSize, MaxEntries, Flags uint32
	BTF, BTFKeyType, BTFValueType         uint32
	// ValuesPerEntry is the number of possible CPUs for per-CPU maps, 1 for others.
	ValuesPerEntry uint32
}

// EntrySize is the size of a key with its values, in bytes.
func (i *Info) EntrySize() int { return int(i.KeySize) + i.SlotSize() }

// SlotSize is the size of an entry's values together, in bytes.
func (i *Info) SlotSize() int {
	if !perCPU(i.Type) {
		return int(i.ValueSize)
	}
	return int((i.ValueSize+7)&^7) * int(i.ValuesPerEntry)
}

func perCPU(kind string) bool {
	switch kind {
	case "percpu_hash", "percpu_array", "lru_percpu_hash", "percpu_cgroup_storage":
		return true
	}
	return false
}

// Map is an open map. It stays alive, even if nobody else uses it, until Close.
type Map struct {
	Info
	loaded *ebpf.Map
}

// Open opens a map for reading.
func Open(reference Reference) (*Map, error) {
	loaded, err := load(reference)
	if err != nil {
		return nil, err
	}
	opened := &Map{loaded: loaded}
	if err := opened.describe(); err != nil {
		loaded.Close()
		return nil, err
	}
	return opened, nil
}

func load(reference Reference) (*ebpf.Map, error) {
	if reference.Path == "" {
		loaded, err := ebpf.NewMapFromID(ebpf.MapID(reference.ID))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("map %d: %w", reference.ID, ErrGone)
		}
		if err != nil {
			return nil, fmt.Errorf("map %d: %w", reference.ID, err)
		}
		return loaded, nil
	}
	if !filepath.IsAbs(reference.Path) || filepath.Clean(reference.Path) != reference.Path {
		return nil, fmt.Errorf("%q is not an absolute, clean path: %w", reference.Path, fs.ErrInvalid)
	}
	loaded, err := ebpf.LoadPinnedMap(reference.Path, &ebpf.LoadPinOptions{ReadOnly: true})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return nil, fmt.Errorf("%s: %w", reference.Path, ErrGone)
	case err != nil:
		return nil, fmt.Errorf("%s holds no map: %w: %w", reference.Path, err, ErrGone)
	}
	return loaded, nil
}

func (m *Map) describe() error {
	var info mapInfo
	if err := infoByFD(m.loaded.FD(), &info); err != nil {
		return fmt.Errorf("map info: %w", err)
	}
	m.Info = Info{
		ID: info.id, Type: objects.MapType(info.kind), Name: text(info.name[:]), KeySize: info.keySize, ValueSize: info.valueSize,
		MaxEntries: info.maxEntries, Flags: info.flags, BTF: info.btf, BTFKeyType: info.btfKeyType, BTFValueType: info.btfValueType,
		ValuesPerEntry: 1,
	}
	if !perCPU(m.Type) {
		return nil
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("possible CPUs: %w", err)
	}
	m.ValuesPerEntry = uint32(cpus)
	return nil
}

// Types returns the BTF blob that the map's type ids are of; nil when there is none, or it is too large for a message.
func (m *Map) Types() ([]byte, error) {
	if m.BTF == 0 {
		return nil, nil
	}
	handle, err := btf.NewHandleFromID(btf.ID(m.BTF))
	if err != nil {
		return nil, fmt.Errorf("BTF %d: %w", m.BTF, err)
	}
	defer handle.Close()
	return blob(handle.FD(), maxBTF)
}

// Close lets go of the map.
func (m *Map) Close() { m.loaded.Close() }
