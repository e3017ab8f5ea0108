// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	flowpb "github.com/cilium/cilium/api/v1/flow"
)

// filters are at most `most`, each with up to three fields.
func (g generator) filters(most int) []*flowpb.FlowFilter {
	list := []*flowpb.FlowFilter{}
	for range g.IntN(most + 1) {
		list = append(list, g.filter())
	}
	return list
}

func (g generator) filter() *flowpb.FlowFilter {
	filter := &flowpb.FlowFilter{}
	message := filter.ProtoReflect()
	fields := message.Descriptor().Fields()
	for range g.IntN(3) + 1 {
		field := fields.Get(g.IntN(fields.Len()))
		// CEL is evaluated by Hubble's servers alone.
		if field.Name() == "experimental" {
			continue
		}
		list := message.Mutable(field).List()
		for range g.IntN(3) + 1 {
			list.Append(g.asked(list.NewElement(), field))
		}
	}
	return filter
}

func (g generator) asked(empty protoreflect.Value, field protoreflect.FieldDescriptor) protoreflect.Value {
	name := strings.TrimPrefix(strings.TrimPrefix(string(field.Name()), "source_"), "destination_")
	switch {
	case field.Kind() == protoreflect.StringKind:
		return protoreflect.ValueOfString(g.pick(asked[protoreflect.Name(name)]))
	case name == "identity":
		return protoreflect.ValueOfUint32([]uint32{0, 1, 2, 12345}[g.IntN(4)])
	case field.Message() != nil && field.Message().Name() == "TCPFlags":
		g.fill(empty.Message(), 25)
		return empty
	default:
		return g.value(empty, field, 50)
	}
}
