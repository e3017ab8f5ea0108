// SPDX-License-Identifier: Apache-2.0

// Package netns runs code inside network namespaces. Threads of a Go program are shared, so a thread that could not be
// brought back to its own namespace is never given back: it stays locked to its goroutine and ends with it.
package netns

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Handle holds a network namespace open: it exists as long as the handle does, even without processes.
type Handle struct {
	file  *os.File
	inode uint64
}

// Open opens the namespace file at path, for example /proc/1/ns/net.
func Open(path string) (*Handle, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		file.Close()
		return nil, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return &Handle{file: file, inode: stat.Ino}, nil
}

// Own opens the namespace of the calling thread.
func Own() (*Handle, error) { return Open("/proc/thread-self/ns/net") }

// Inode is the namespace's number, unique while it exists.
func (h *Handle) Inode() uint64 { return h.inode }

// FD stays valid until Close.
func (h *Handle) FD() int { return int(h.file.Fd()) }

// Close releases the namespace.
func (h *Handle) Close() error { return h.file.Close() }

// Do runs work on a thread that is inside the namespace. Sockets opened and processes started there belong to it.
func (h *Handle) Do(work func() error) error {
	return onOwnThread(func() (func() error, error) {
		return back(func() error { return unix.Setns(h.FD(), unix.CLONE_NEWNET) })
	}, work)
}

// DoInNew runs work inside a new, empty namespace, which vanishes afterwards unless work kept it open.
func DoInNew(work func() error) error {
	return onOwnThread(func() (func() error, error) {
		return back(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	}, work)
}

// back performs the move and returns how to undo it.
func back(move func() error) (func() error, error) {
	own, err := Own()
	if err != nil {
		return nil, err
	}
	if err := move(); err != nil {
		own.Close()
		return nil, fmt.Errorf("enter network namespace: %w", err)
	}
	return func() error {
		defer own.Close()
		return unix.Setns(own.FD(), unix.CLONE_NEWNET)
	}, nil
}

func onOwnThread(enter func() (leave func() error, err error), work func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		leave, err := enter()
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		result <- protect(work)
		if leave() == nil {
			runtime.UnlockOSThread()
		}
	}()
	return <-result
}

// protect turns a panic into an error, so that it neither ends the process nor skips the way back.
func protect(work func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("internal error: %v", reason)
		}
	}()
	return work()
}

// Cookie reads the namespace's cookie (SO_NETNS_COOKIE, kernel 5.14): unlike the inode it is never used twice. It must be
// called from inside.
func Cookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
}
