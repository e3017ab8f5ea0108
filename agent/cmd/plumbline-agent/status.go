// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	pb "plumbline.dev/agent/internal/gen/plumbline/v1"
)

func showStatus(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	socket := flags.String("socket", defaultSocket, "`path` of the agent's unix socket")
	timeout := flags.Duration("timeout", 5*time.Second, "how long to wait for an answer")
	if err := parse(flags, arguments); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	connection, err := grpc.NewClient("unix:"+*socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	info, err := pb.NewAgentClient(connection).GetNodeInfo(ctx, &pb.GetNodeInfoRequest{})
	if err != nil {
		return err
	}
	fmt.Printf("node %s, agent %s, kernel %s, scope %q\n", info.NodeName, info.AgentVersion, info.KernelRelease, info.Scope.GetCgroupRoot())
	for _, capability := range info.Capabilities {
		mark := "no "
		if capability.Available {
			mark = "yes"
		}
		fmt.Printf("  %s %-28s %s\n", mark, capability.Name, capability.Reason)
	}
	return nil
}
