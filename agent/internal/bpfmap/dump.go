// SPDX-License-Identifier: Apache-2.0

package bpfmap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	// Memory for one reading of the kernel: enough that its cost per entry no longer shrinks, and the same for every map.
	batchBytes   = 4 << 20
	batchEntries = 65536
	// Size from which on collected entries are handed over.
	chunkBytes = 256 << 10
	// An interrupted batch is read again this often.
	maxInterrupts = 100
)

// Request says which entries to read.
type Request struct {
	Filters Filters
	// Limit is the number of entries to hand over; 0 for all.
	Limit uint64
	// Resume is End.Resume of an earlier dump.
	Resume []byte
}

// End says how a dump ended.
type End struct {
	Count, Scanned uint64
	// Resume is set when the limit ended the dump.
	Resume []byte
	// Incomplete says why entries may be missing or repeated; "" if nothing unusual happened.
	Incomplete string
}

// Sink takes entries, key|value|key|value…; the memory is used again after it returns.
type Sink func(entries []byte, count uint32, scanned uint64) error

// dump is one reading of a map.
type dump struct {
	*Map
	End
	request Request
	sink    Sink
	out     []byte
	held    uint32 // entries in out

	cursor        // where this batch began
	next   []byte // where the kernel would go on
	count  uint32
	keys   []byte
	values []byte
}

// ErrToken says that a dump can't go on there.
var ErrToken = errors.New("resume token is not one of map")

// errEnough ends a dump at its limit.
var errEnough = errors.New("limit reached")

// errNoBatch says that this kind of map, or the kernel, has no batches.
var errNoBatch = errors.New("no batches")

// Dump hands over the entries that are asked for. Memory does not grow with the map. A map that keeps changing can't hold it
// forever: it ends after twice as many entries as the map has room for.
func (m *Map) Dump(ctx context.Context, request Request, sink Sink) (End, error) {
	if m.KeySize == 0 {
		return End{}, fmt.Errorf("map %d is a %s, which has no keys: %w", m.ID, m.Type, ErrUnreadable)
	}
	if err := request.Filters.Check(int(m.KeySize), m.SlotSize()); err != nil {
		return End{}, err
	}
	d := &dump{Map: m, request: request, sink: sink}
	var err error
	if d.cursor, err = parseCursor(request.Resume, &m.Info); err != nil {
		return End{}, err
	}
	err = errNoBatch
	if !d.byKey {
		err = d.batches(ctx)
	}
	if errors.Is(err, errNoBatch) {
		err = d.iterate(ctx)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err != nil {
		return d.End, err
	}
	return d.End, d.flush()
}

func (d *dump) batches(ctx context.Context) error {
	d.next = make([]byte, max(4, d.KeySize))
	d.size(min(batchEntries, max(1, uint32(batchBytes/d.EntrySize())), max(1, d.MaxEntries)))
	if d.request.Limit > 0 && len(d.request.Filters) == 0 {
		d.size(uint32(min(uint64(d.count), max(d.request.Limit, 64))))
	}
	for interrupts := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		read, err := lookupBatch(d.loaded.FD(), d.position, d.next, d.keys, d.values, d.count)
		last := errors.Is(err, unix.ENOENT)
		switch {
		case err == nil || last:
		case errors.Is(err, unix.ENOSPC) && d.count < d.MaxEntries:
			// One bucket of the hash table holds more than fits: buckets are read whole or not at all.
			d.size(min(d.MaxEntries, d.count*2))
			continue
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			if interrupts++; interrupts > maxInterrupts {
				return fmt.Errorf("map %d: %w", d.ID, err)
			}
			continue
		case errors.Is(err, errNotSupported), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
			if d.position == nil {
				return errNoBatch
			}
			return fmt.Errorf("map %d: %w", d.ID, err)
		default:
			return fmt.Errorf("map %d: %w", d.ID, err)
		}
		if err := d.takeBatch(read, last); err != nil || last {
			return err
		}
		if d.tooMany() {
			return nil
		}
		d.position, d.next = d.next, make([]byte, len(d.next))
		d.skip = 0
	}
}

func (d *dump) size(count uint32) {
	d.count = count
	d.keys = make([]byte, int(count)*int(d.KeySize))
	d.values = make([]byte, int(count)*d.SlotSize())
}

func (d *dump) takeBatch(read uint32, last bool) error {
	key, slot := int(d.KeySize), d.SlotSize()
	for i := min(d.skip, read); i < read; i++ {
		at := int(i)
		err := d.take(d.keys[at*key:(at+1)*key], d.values[at*slot:(at+1)*slot])
		if errors.Is(err, errEnough) && !(last && i+1 == read) {
			d.Resume = d.token(i + 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take looks at one entry.
func (d *dump) take(key, value []byte) error {
	d.Scanned++
	if !d.request.Filters.Match(key, value) {
		return nil
	}
	d.out = append(append(d.out, key...), value...)
	d.held++
	d.Count++
	if len(d.out) >= chunkBytes {
		if err := d.flush(); err != nil {
			return err
		}
	}
	if d.request.Limit > 0 && d.Count == d.request.Limit {
		return errEnough
	}
	return nil
}

func (d *dump) flush() error {
	if d.held == 0 {
		return nil
	}
	err := d.sink(d.out, d.held, d.Scanned)
	d.out, d.held = d.out[:0], 0
	return err
}

// tooMany notices a walk that starts over again and again, as it does when the entry it stands at is removed.
func (d *dump) tooMany() bool {
	if d.Scanned < 2*uint64(d.MaxEntries)+2 {
		return false
	}
	d.Incomplete = fmt.Sprintf("the map changes faster than it can be read: ended after %d entries, of which some are repeated", d.Scanned)
	return true
}

// iterate goes from key to key, for kinds of maps and kernels without batches.
func (d *dump) iterate(ctx context.Context) error {
	key := d.position
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		next, err := d.nextKey(key)
		if err != nil || next == nil {
			return err
		}
		key = next
		value, err := d.loaded.LookupBytes(key)
		switch {
		case errors.Is(err, errNotSupported), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, ebpf.ErrNotSupported):
			return fmt.Errorf("map %d is a %s, whose values the kernel doesn't show: %w", d.ID, d.Type, ErrUnreadable)
		case err != nil:
			return fmt.Errorf("map %d: %w", d.ID, err)
		case value == nil: // removed meanwhile, or an empty place of an array of objects
			continue
		}
		d.position = key
		if err := d.take(key, value); err != nil {
			if errors.Is(err, errEnough) {
				d.byKey = true
				d.Resume = d.token(0)
			}
			return err
		}
		if d.tooMany() {
			return nil
		}
	}
}

func (d *dump) nextKey(key []byte) ([]byte, error) {
	var previous any
	if key != nil {
		previous = key
	}
	next, err := d.loaded.NextKeyBytes(previous)
	switch {
	case errors.Is(err, errNotSupported), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return nil, fmt.Errorf("map %d is a %s, whose keys the kernel doesn't list: %w", d.ID, d.Type, ErrUnreadable)
	case err != nil:
		return nil, fmt.Errorf("map %d: %w", d.ID, err)
	}
	return next, nil
}

// cursor is a place in a map: the kernel's own position of a batch and how many entries of it are done, or a key.
type cursor struct {
	byKey    bool
	position []byte // nil at the start
	skip     uint32
}

// token writes a cursor down: the map's id, by key or not, entries done, then the position.
func (d *dump) token(done uint32) []byte {
	token := binary.LittleEndian.AppendUint32(nil, d.ID)
	if d.byKey {
		token = append(token, 1)
	} else {
		token = append(token, 0)
	}
	return append(binary.LittleEndian.AppendUint32(token, done), d.position...)
}

func parseCursor(token []byte, info *Info) (cursor, error) {
	if len(token) == 0 {
		return cursor{}, nil
	}
	if len(token) < 9 || token[4] > 1 || binary.LittleEndian.Uint32(token) != info.ID {
		return cursor{}, fmt.Errorf("%w %d", ErrToken, info.ID)
	}
	at := cursor{byKey: token[4] == 1, skip: binary.LittleEndian.Uint32(token[5:])}
	want := int(max(4, info.KeySize))
	if at.byKey {
		want = int(info.KeySize)
	}
	switch position := token[9:]; {
	case len(position) == want:
		at.position = append([]byte(nil), position...)
	case len(position) != 0 || at.byKey:
		return cursor{}, fmt.Errorf("%w %d", ErrToken, info.ID)
	}
	return at, nil
}
