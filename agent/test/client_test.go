// SPDX-License-Identifier: Apache-2.0

// Package test holds the tests that need more than one part of the agent, or a cluster.
package test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
)

// dialCommand speaks to an agent through the standard input and output of a command, such as `kubectl exec … connect`.
func dialCommand(arguments ...string) (pb.AgentClient, func(), error) {
	connection, err := grpc.NewClient("passthrough:agent", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return startPipe(arguments) }))
	if err != nil {
		return nil, nil, err
	}
	return pb.NewAgentClient(connection), func() { connection.Close() }, nil
}

// pipe makes a connection out of a running command.
type pipe struct {
	io.Reader
	io.WriteCloser
	command *exec.Cmd
}

func startPipe(arguments []string) (net.Conn, error) {
	command := exec.Command(arguments[0], arguments[1:]...)
	input, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &pipe{output, input, command}, command.Start()
}

func (p *pipe) Close() error {
	err := p.WriteCloser.Close()
	p.command.Process.Kill()
	p.command.Wait()
	return err
}

func (p *pipe) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "stdio", Net: "unix"} }
func (p *pipe) RemoteAddr() net.Addr             { return p.LocalAddr() }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// received is a whole snapshot.
type received struct {
	files    map[string]string
	problems map[string]string
	end      *pb.SnapshotEnd
}

// receive takes a snapshot and checks its framing: files one after the other, each as long as it says, and an end.
func receive(ctx context.Context, agent pb.AgentClient, request *pb.SnapshotRequest) (*received, error) {
	stream, err := agent.Snapshot(ctx, request)
	if err != nil {
		return nil, err
	}
	result := &received{files: map[string]string{}, problems: map[string]string{}}
	open, content := "", []byte(nil)
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the stream ended without its last message")
		}
		if err != nil {
			return nil, err
		}
		switch part := chunk.Content.(type) {
		case *pb.SnapshotChunk_File:
			if open != "" {
				return nil, fmt.Errorf("%s begins inside %s", part.File.Path, open)
			}
			open, content = part.File.Path, nil
		case *pb.SnapshotChunk_Data:
			content = append(content, part.Data...)
		case *pb.SnapshotChunk_End:
			if part.End.Size != uint64(len(content)) {
				return nil, fmt.Errorf("%s: %d bytes, announced %d", open, len(content), part.End.Size)
			}
			if _, twice := result.files[open]; twice {
				return nil, fmt.Errorf("%s came twice", open)
			}
			result.files[open], open = string(content), ""
		case *pb.SnapshotChunk_Problem:
			result.problems[part.Problem.Path] = part.Problem.Reason
		case *pb.SnapshotChunk_Done:
			result.end = part.Done
			if int(part.Done.Files) != len(result.files) || open != "" {
				return nil, fmt.Errorf("%d files came, %d were announced", len(result.files), part.Done.Files)
			}
			return result, nil
		}
	}
}
