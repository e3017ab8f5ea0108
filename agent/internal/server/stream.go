// SPDX-License-Identifier: Apache-2.0

package server

import (
	"time"

	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
	"plumbline.dev/agent/internal/usage"
)

const chunkSize = 64 << 10

// streamSink sends files in chunks. Send blocks while the client's window is full, and with it the reading.
type streamSink struct {
	stream  pb.Agent_SnapshotServer
	end     pb.SnapshotEnd
	started time.Time
	cpu     time.Duration
}

func newStreamSink(stream pb.Agent_SnapshotServer) *streamSink {
	return &streamSink{stream: stream, started: time.Now(), cpu: usage.CPU()}
}

// File implements snapshot.Sink.
func (s *streamSink) File(path string, content []byte) error {
	s.end.Files++
	if err := s.stream.Send(&pb.SnapshotChunk{Content: &pb.SnapshotChunk_File{File: &pb.FileStart{Path: path}}}); err != nil {
		return err
	}
	for rest := content; len(rest) > 0; {
		part := rest[:min(chunkSize, len(rest))]
		rest = rest[len(part):]
		if err := s.stream.Send(&pb.SnapshotChunk{Content: &pb.SnapshotChunk_Data{Data: part}}); err != nil {
			return err
		}
	}
	return s.stream.Send(&pb.SnapshotChunk{Content: &pb.SnapshotChunk_End{End: &pb.FileEnd{Size: uint64(len(content))}}})
}

// Problem implements snapshot.Sink.
func (s *streamSink) Problem(path, reason string) error {
	s.end.Problems++
	return s.stream.Send(&pb.SnapshotChunk{Content: &pb.SnapshotChunk_Problem{Problem: &pb.Problem{Path: path, Reason: reason}}})
}

func (s *streamSink) done() error {
	s.end.CpuNanoseconds = uint64(max(0, usage.CPU()-s.cpu).Nanoseconds())
	s.end.WallNanoseconds = uint64(time.Since(s.started).Nanoseconds())
	return s.stream.Send(&pb.SnapshotChunk{Content: &pb.SnapshotChunk_Done{Done: &s.end}})
}
