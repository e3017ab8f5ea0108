// SPDX-License-Identifier: Apache-2.0

package bpfmap

import "fmt"

// Bounds of what a caller may ask to compare with every entry.
const (
	maxFilters     = 16
	maxFilterBytes = 64
)

// Filter compares bytes of an entry: `(byte & Mask) == Value` for each byte from Offset on. A nil Mask counts every bit.
type Filter struct {
	InValue     bool
	Offset      uint32
	Mask, Value []byte
}

// Filters keep an entry that matches all of them.
type Filters []Filter

// Check says what is wrong with filters for entries of such sizes.
func (f Filters) Check(keySize, valueSize int) error {
	if len(f) > maxFilters {
		return fmt.Errorf("%d filters are more than %d", len(f), maxFilters)
	}
	for i, filter := range f {
		part, size := "key", keySize
		if filter.InValue {
			part, size = "value", valueSize
		}
		switch {
		case len(filter.Value) == 0 || len(filter.Value) > maxFilterBytes:
			return fmt.Errorf("filter %d: value has %d bytes; it needs 1 to %d", i, len(filter.Value), maxFilterBytes)
		case len(filter.Mask) != 0 && len(filter.Mask) != len(filter.Value):
			return fmt.Errorf("filter %d: mask has %d bytes, value %d", i, len(filter.Mask), len(filter.Value))
		case uint64(filter.Offset)+uint64(len(filter.Value)) > uint64(size):
			return fmt.Errorf("filter %d: bytes %d to %d are outside of a %s of %d", i, filter.Offset, uint64(filter.Offset)+uint64(len(filter.Value)), part, size)
		}
	}
	return nil
}

// Match tells whether an entry passes. The filters were checked.
func (f Filters) Match(key, value []byte) bool {
	for i := range f {
		part := key
		if f[i].InValue {
			part = value
		}
		if !f[i].match(part[f[i].Offset:]) {
			return false
		}
	}
	return true
}

func (f *Filter) match(part []byte) bool {
	for i, want := range f.Value {
		got := part[i]
		if len(f.Mask) != 0 {
			got &= f.Mask[i]
		}
		if got != want {
			return false
		}
	}
	return true
}
