// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"context"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/tools"
)

// runs makes a probe of a tool: the command must succeed in the probe's own, empty namespace.
func runs(name string, arguments ...string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		if _, err := tools.Run(ctx, name, arguments...); err != nil {
			return "", err
		}
		return tools.Version(ctx, name)
	}
}

const traceRule = `table ip plumbline_probe {
  chain output { type filter hook output priority 0; meta nftrace set 1; }
}`

// nftTrace sends one packet through a rule that asks for tracing, and waits for the kernel's report about it.
func nftTrace(ctx context.Context) (string, error) {
	events, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return "", err
	}
	defer events.Close()
	if err := events.JoinGroup(unix.NFNLGRP_NFTRACE); err != nil {
		return "", fmt.Errorf("join the trace group: %w", err)
	}
	if _, err := tools.RunWith(ctx, []byte(traceRule), "nft", "-f", "-"); err != nil {
		return "", err
	}
	if err := sendToNobody(); err != nil {
		return "", err
	}
	if err := events.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	for {
		messages, err := events.Receive()
		if err != nil {
			return "", fmt.Errorf("no trace of a traced packet: %w", err)
		}
		for _, message := range messages {
			if message.Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_TRACE {
				return "a traced packet was reported", nil
			}
		}
	}
}
