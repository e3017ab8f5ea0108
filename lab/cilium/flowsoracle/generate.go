// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	flowpb "github.com/cilium/cilium/api/v1/flow"
	observerpb "github.com/cilium/cilium/api/v1/observer"
)

// generator fills messages by their descriptors, so that no field of the API is forgotten.
type generator struct{ *rand.Rand }

func (g generator) pick(values []string) string { return values[g.IntN(len(values))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// response mostly holds a flow; sometimes the other events of a stream.
func (g generator) response() *observerpb.GetFlowsResponse {
	response := &observerpb.GetFlowsResponse{NodeName: g.pick(nodeNames), Time: g.time()}
	switch n := g.IntN(100); {
	case n < 2:
		response.ResponseTypes = &observerpb.GetFlowsResponse_LostEvents{LostEvents: &flowpb.LostEvent{}}
		g.fill(response.GetLostEvents().ProtoReflect(), 70)
	case n < 94:
		flow := &flowpb.Flow{}
		g.fill(flow.ProtoReflect(), 60)
		if g.chance(80) {
			flow.NodeName, flow.Time = response.NodeName, response.Time
		}
		response.ResponseTypes = &observerpb.GetFlowsResponse_Flow{Flow: flow}
	default:
		// A flow that says next to nothing.
		flow := &flowpb.Flow{}
		g.fill(flow.ProtoReflect(), 8)
		response.ResponseTypes = &observerpb.GetFlowsResponse_Flow{Flow: flow}
	}
	return response
}

func (g generator) time() *timestamppb.Timestamp {
	nanos := []int32{0, 5_000_000, 5_001_000, 5_001_002, 999_999_999}
	return &timestamppb.Timestamp{Seconds: 1_700_000_000 + g.Int64N(100_000), Nanos: nanos[g.IntN(len(nanos))]}
}

// fill sets each field with the given probability in percent.
func (g generator) fill(message protoreflect.Message, percent int) {
	fields := message.Descriptor().Fields()
	oneofs := map[protoreflect.FullName]protoreflect.FieldDescriptor{}
	for i := range fields.Len() {
		field := fields.Get(i)
		if oneof := field.ContainingOneof(); oneof != nil {
			chosen, ok := oneofs[oneof.FullName()]
			if !ok {
				chosen = oneof.Fields().Get(g.IntN(oneof.Fields().Len()))
				oneofs[oneof.FullName()] = chosen
			}
			if chosen != field {
				continue
			}
		}
		// Of any type: Plumbline doesn't hold it.
		if field.Name() == "extensions" || !g.chance(percent) {
			continue
		}
		if !field.IsList() {
			message.Set(field, g.value(message.NewField(field), field, percent))
			continue
		}
		list := message.Mutable(field).List()
		for range g.IntN(3) + 1 {
			list.Append(g.value(list.NewElement(), field, percent))
		}
	}
}

func (g generator) value(empty protoreflect.Value, field protoreflect.FieldDescriptor, percent int) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.pick(textsOf(field)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(g.chance(50))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(g.number(field)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(g.number(field)))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64([]uint64{1, 7, 1 << 40, 1<<64 - 1}[g.IntN(4)])
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		// A value of a newer Hubble.
		if field.Name() != "ipVersion" && g.chance(3) {
			return protoreflect.ValueOfEnum(250)
		}
		if field.Name() == "verdict" || field.Name() == "drop_reason_desc" {
			return protoreflect.ValueOfEnum(values.Get(g.IntN(4)).Number())
		}
		return protoreflect.ValueOfEnum(values.Get(g.IntN(values.Len())).Number())
	default:
		return g.message(empty, percent)
	}
}

func (g generator) message(empty protoreflect.Value, percent int) protoreflect.Value {
	var known proto.Message
	switch empty.Message().Interface().(type) {
	case *timestamppb.Timestamp:
		known = g.time()
	case *wrapperspb.BoolValue:
		known = wrapperspb.Bool(g.chance(50))
	case *wrapperspb.Int32Value:
		known = wrapperspb.Int32(int32(g.IntN(3)))
	default:
		g.fill(empty.Message(), max(percent, 50))
		return empty
	}
	return protoreflect.ValueOfMessage(known.ProtoReflect())
}

// number is small where filters ask for it, and as the kernel has it for ports.
func (g generator) number(field protoreflect.FieldDescriptor) int {
	switch field.Name() {
	case "source_port", "destination_port":
		return []int{53, 80, 443, 5432, 33000 + g.IntN(4)}[g.IntN(5)]
	case "code":
		return []int{0, 3, 99, 200, 204, 404, 503, 512}[g.IntN(8)]
	case "identity":
		return []int{0, 1, 2, 12345, 1 << 24}[g.IntN(5)]
	case "type":
		return []int{0, 1, 4, 5, 7, 129}[g.IntN(6)]
	default:
		return g.IntN(5)
	}
}
