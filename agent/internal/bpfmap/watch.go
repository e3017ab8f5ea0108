// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Bounds of the time between two readings.
const (
	MinInterval     = 100 * time.Millisecond
	MaxInterval     = time.Minute
	DefaultInterval = time.Second
)

// watchBytes bounds what a watch remembers, bookkeeping included.
const (
	watchBytes         = 96 << 20
	watchEntryOverhead = 112
)

// ErrTooLarge says that a watch would have to remember too much.
var ErrTooLarge = errors.New("too many entries to watch")

// Difference is what one reading has and the one before has not, and so on: whole entries, key|value|….
type Difference struct {
	Added, Changed, Removed []byte
	Entries                 uint64
	At                      time.Time
}

// Empty tells that nothing is different.
func (d *Difference) Empty() bool { return len(d.Added)+len(d.Changed)+len(d.Removed) == 0 }

// Watch hands over all entries as added, then differences, until the map is gone: then the reason is returned without an
// error. The map is open only while it is read, so that watching doesn't keep it alive.
func Watch(ctx context.Context, reference Reference, id uint32, filters Filters, interval time.Duration, emit func(*Difference) error) (string, error) {
	var before map[string]string
	for {
		now, end, err := read(ctx, reference, id, filters)
		switch {
		case errors.Is(err, ErrGone):
			return err.Error(), nil
		case err != nil:
			return "", err
		}
		// A reading that is known to be incomplete would show removals that never happened.
		if difference := compare(before, now); before == nil || (end.Incomplete == "" && !difference.Empty()) {
			if err := emit(difference); err != nil {
				return "", err
			}
			before = now
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(interval):
		}
	}
}

func read(ctx context.Context, reference Reference, id uint32, filters Filters) (map[string]string, End, error) {
	opened, err := Open(reference)
	if err != nil {
		return nil, End{}, err
	}
	defer opened.Close()
	if opened.ID != id {
		return nil, End{}, fmt.Errorf("%s holds another map now: %w", reference.Path, ErrGone)
	}
	entries, size, key := map[string]string{}, opened.EntrySize(), int(opened.KeySize)
	room := watchBytes / (size + watchEntryOverhead)
	end, err := opened.Dump(ctx, Request{Filters: filters}, func(chunk []byte, count uint32, _ uint64) error {
		for ; len(chunk) > 0; chunk = chunk[size:] {
			entries[string(chunk[:key])] = string(chunk[key:size])
		}
		if len(entries) > room {
			return fmt.Errorf("map %d: more than %d entries match: %w; narrow the filter", id, room, ErrTooLarge)
		}
		return nil
	})
	return entries, end, err
}

func compare(before, now map[string]string) *Difference {
	difference := &Difference{Entries: uint64(len(now)), At: time.Now()}
	for key, value := range now {
		switch old, known := before[key]; {
		case !known:
			difference.Added = append(append(difference.Added, key...), value...)
		case old != value:
			difference.Changed = append(append(difference.Changed, key...), value...)
		}
	}
	for key, value := range before {
		if _, still := now[key]; !still {
			difference.Removed = append(append(difference.Removed, key...), value...)
		}
	}
	return difference
}
