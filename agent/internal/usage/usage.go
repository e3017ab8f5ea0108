// SPDX-License-Identifier: Apache-2.0

// Package usage measures what the agent itself costs.
package usage

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the time spent by the agent and by the tools it ran, since its start.
func CPU() time.Duration {
	var total time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var spent unix.Rusage
		if err := unix.Getrusage(who, &spent); err == nil {
			total += time.Duration(spent.Utime.Nano() + spent.Stime.Nano())
		}
	}
	return total
}

// ResidentBytes is the memory that the agent occupies.
func ResidentBytes() uint64 {
	content, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
