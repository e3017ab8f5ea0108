// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of bpf(2), include/uapi/linux/bpf.h enum bpf_cmd. They are called here directly because the library that does the
// rest neither shows a batch's position, without which a dump can't be resumed, nor a map's type ids, nor a BTF blob.
const (
	commandInfoByFD    = 15
	commandLookupBatch = 24
)

// errNotSupported is the kernel's ENOTSUPP, which has no name in user space.
const errNotSupported = unix.Errno(524)

// batchAttribute is union bpf_attr's `batch`.
type batchAttribute struct {
	inBatch, outBatch, keys, values unsafe.Pointer
	count, mapFD                    uint32
	elemFlags, flags                uint64
}

// lookupBatch reads up to count entries after position (nil: from the start) and writes the position to go on from to next.
// At the map's end the error is ENOENT, together with the last entries.
func lookupBatch(fd int, position, next, keys, values []byte, count uint32) (uint32, error) {
	attribute := batchAttribute{
		outBatch: unsafe.Pointer(unsafe.SliceData(next)), keys: unsafe.Pointer(unsafe.SliceData(keys)),
		values: unsafe.Pointer(unsafe.SliceData(values)), count: count, mapFD: uint32(fd),
	}
	if position != nil {
		attribute.inBatch = unsafe.Pointer(unsafe.SliceData(position))
	}
	_, _, errno := unix.Syscall(unix.SYS_BPF, commandLookupBatch, uintptr(unsafe.Pointer(&attribute)), unsafe.Sizeof(attribute))
	switch errno {
	case 0:
		return attribute.count, nil
	case unix.ENOENT:
		return attribute.count, errno
	}
	return 0, errno // the kernel may not have touched count
}

// infoAttribute is union bpf_attr's `info`.
type infoAttribute struct {
	fd, size uint32
	info     unsafe.Pointer
}

// mapInfo is struct bpf_map_info, up to what is read of it.
type mapInfo struct {
	kind, id, keySize, valueSize, maxEntries, flags uint32
	name                                            [16]byte
	ifindex, vmlinuxValueType                       uint32
	netnsDevice, netnsInode                         uint64
	btf, btfKeyType, btfValueType, btfVmlinux       uint32
}

// btfInfo is struct bpf_btf_info, up to what is read of it.
type btfInfo struct {
	data     unsafe.Pointer
	size, id uint32
}

func infoByFD[T any](fd int, info *T) error {
	attribute := infoAttribute{fd: uint32(fd), size: uint32(unsafe.Sizeof(*info)), info: unsafe.Pointer(info)}
	_, _, errno := unix.Syscall(unix.SYS_BPF, commandInfoByFD, uintptr(unsafe.Pointer(&attribute)), unsafe.Sizeof(attribute))
	if errno != 0 {
		return errno
	}
	return nil
}

// blob reads a whole BTF object; nil when it is larger than limit.
func blob(fd int, limit uint32) ([]byte, error) {
	var info btfInfo
	if err := infoByFD(fd, &info); err != nil {
		return nil, fmt.Errorf("BTF: %w", err)
	}
	if info.size == 0 || info.size > limit {
		return nil, nil
	}
	data := make([]byte, info.size)
	info = btfInfo{data: unsafe.Pointer(unsafe.SliceData(data)), size: info.size}
	if err := infoByFD(fd, &info); err != nil {
		return nil, fmt.Errorf("BTF: %w", err)
	}
	return data, nil
}

func text(name []byte) string {
	end := bytes.IndexByte(name, 0)
	if end < 0 {
		end = len(name)
	}
	return string(name[:end])
}
