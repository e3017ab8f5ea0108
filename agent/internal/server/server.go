// SPDX-License-Identifier: Apache-2.0

// Package server answers plumbline.v1.Agent on a unix socket.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
)

const (
	// Requests are small: a probe's payload is the largest part of any.
	maxRequest = 64 << 10
	// Chunks are 64 KiB; the rest is room for other answers.
	maxResponse = 4 << 20
	maxStreams  = 32
	// Time for running calls to end after SIGTERM.
	grace = 3 * time.Second
)

// Serve listens on a socket that only its owner may use, until the context ends. The socket is removed afterwards.
func Serve(ctx context.Context, path string, agent pb.AgentServer, log *slog.Logger) error {
	listener, err := listen(path)
	if err != nil {
		return err
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxRequest), grpc.MaxSendMsgSize(maxResponse), grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(unary(log)), grpc.ChainStreamInterceptor(stream(log)),
	)
	pb.RegisterAgentServer(server, agent)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("listening", "socket", path)
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	select {
	case <-stopped:
	case <-time.After(grace): // neither a long call nor a client that never spoke can hold the agent back
	}
	return nil
}

// listen takes over a socket that a killed agent left behind, but not one that still answers.
func listen(path string) (net.Listener, error) {
	if connection, err := net.Dial("unix", path); err == nil {
		connection.Close()
		return nil, fmt.Errorf("another agent listens on %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove old socket: %w", err)
	}
	previous := syscall.Umask(0o177) // so that the socket never exists with wider permissions
	listener, err := net.Listen("unix", path)
	syscall.Umask(previous)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

func unary(log *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
		defer finish(log, info.FullMethod, time.Now(), &err)
		return handler(ctx, request)
	}
}

func stream(log *slog.Logger) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer finish(log, info.FullMethod, time.Now(), &err)
		return handler(service, stream)
	}
}

// finish logs a call, and turns a panic into its failure: one bad call must not end the agent.
func finish(log *slog.Logger, method string, started time.Time, err *error) {
	if reason := recover(); reason != nil {
		log.Error("call panicked", "method", method, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
		*err = status.Errorf(codes.Internal, "internal error: %v", reason)
		return
	}
	log.Info("call", "method", method, "code", status.Code(*err).String(), "milliseconds", time.Since(started).Milliseconds())
}
