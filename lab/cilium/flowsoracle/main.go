// SPDX-License-Identifier: Apache-2.0

// Command flowsoracle makes random flows with Hubble's own types and says what Hubble's own filters make of them. It is the
// judge of Plumbline's reading, writing and filtering of flows. It prints one JSON document:
//
//	{"flows": [{"wire": BASE64, "line": TEXT}], "questions": [{"allow": [FILTER], "deny": [FILTER], "matches": [INDEX]}],
//	 "enums": {NAME: {VALUE: NUMBER}}}
//
// "wire" is a GetFlowsResponse, "line" what the hubble client prints of it with -o json.
//
//	flowsoracle [-flows N] [-questions N] [-seed S]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"os"

	"google.golang.org/protobuf/proto"

	flowpb "github.com/cilium/cilium/api/v1/flow"
	observerpb "github.com/cilium/cilium/api/v1/observer"
	relaypb "github.com/cilium/cilium/api/v1/relay"
	v1 "github.com/cilium/cilium/pkg/hubble/api/v1"
	"github.com/cilium/cilium/pkg/hubble/filters"
)

type flowRow struct {
	Wire []byte `json:"wire"`
	Line string `json:"line"`
}

type question struct {
	Allow   []*flowpb.FlowFilter `json:"allow"`
	Deny    []*flowpb.FlowFilter `json:"deny"`
	Matches []int                `json:"matches"`
}

type document struct {
	Flows     []flowRow                   `json:"flows"`
	Questions []question                  `json:"questions"`
	Enums     map[string]map[string]int32 `json:"enums"`
}

func main() {
	log.SetFlags(0)
	flows := flag.Int("flows", 2000, "flows")
	questions := flag.Int("questions", 500, "questions about all of them")
	seed := flag.Uint64("seed", 1, "of the random values")
	flag.Parse()

	g := generator{rand.New(rand.NewPCG(*seed, 0))}
	doc := document{Enums: enums()}
	var responses []*observerpb.GetFlowsResponse
	for range *flows {
		response := g.response()
		row, err := rowOf(response)
		if err != nil {
			log.Fatalf("flowsoracle: %v", err)
		}
		responses = append(responses, response)
		doc.Flows = append(doc.Flows, row)
	}
	for len(doc.Questions) < *questions {
		q := question{Allow: g.filters(3), Deny: g.filters(1)}
		// Some combinations are refused by Hubble: others are asked in their place.
		if err := q.answer(responses); err == nil {
			doc.Questions = append(doc.Questions, q)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(doc); err != nil {
		log.Fatalf("flowsoracle: %v", err)
	}
}

// rowOf writes a response as it travels, and as the hubble client prints it (hubble/pkg/printer).
func rowOf(response *observerpb.GetFlowsResponse) (flowRow, error) {
	wire, err := proto.Marshal(response)
	if err != nil {
		return flowRow{}, fmt.Errorf("marshal: %w", err)
	}
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(response); err != nil {
		return flowRow{}, fmt.Errorf("print: %w", err)
	}
	return flowRow{wire, string(bytes.TrimSuffix(line.Bytes(), []byte("\n")))}, nil
}

func (q *question) answer(responses []*observerpb.GetFlowsResponse) error {
	all := filters.DefaultFilters(slog.New(slog.DiscardHandler))
	allow, err := filters.BuildFilterList(context.Background(), q.Allow, all)
	if err != nil {
		return err
	}
	deny, err := filters.BuildFilterList(context.Background(), q.Deny, all)
	if err != nil {
		return err
	}
	q.Matches = []int{}
	for index, response := range responses {
		event := &v1.Event{Timestamp: response.GetTime(), Event: response.GetFlow()}
		if response.GetFlow() != nil && filters.Apply(allow, deny, event) {
			q.Matches = append(q.Matches, index)
		}
	}
	return nil
}

func enums() map[string]map[string]int32 {
	return map[string]map[string]int32{
		"VERDICT":                  flowpb.Verdict_value,
		"DROP_REASON":              flowpb.DropReason_value,
		"AUTH_TYPE":                flowpb.AuthType_value,
		"FLOW_TYPE":                flowpb.FlowType_value,
		"TRACE_OBSERVATION_POINT":  flowpb.TraceObservationPoint_value,
		"TRACE_REASON":             flowpb.TraceReason_value,
		"TRAFFIC_DIRECTION":        flowpb.TrafficDirection_value,
		"DEBUG_CAPTURE_POINT":      flowpb.DebugCapturePoint_value,
		"SOCKET_TRANSLATION_POINT": flowpb.SocketTranslationPoint_value,
		"L7_FLOW_TYPE":             flowpb.L7FlowType_value,
		"IP_VERSION":               flowpb.IPVersion_value,
		"LOST_EVENT_SOURCE":        flowpb.LostEventSource_value,
		"TUNNEL_PROTOCOL":          flowpb.Tunnel_Protocol_value,
		"NODE_STATE":               relaypb.NodeState_value,
	}
}
