// SPDX-License-Identifier: Apache-2.0

package main

import (
	"reflect"
	"unsafe"
)

// sizeOf is the size in memory of what a pointer points at: Cilium hands its structs to the kernel as they lie in memory.
func sizeOf(pointer any) uint32 {
	return uint32(reflect.TypeOf(pointer).Elem().Size())
}

func bytesOf(pointer any) []byte {
	v := reflect.ValueOf(pointer)
	return append([]byte(nil), unsafe.Slice((*byte)(v.UnsafePointer()), v.Type().Elem().Size())...)
}
