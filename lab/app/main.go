// SPDX-License-Identifier: Apache-2.0

// Command app is the workload of the lab's pods: servers that say who answered and whom they saw, and a dialer that
// reports what a connection met.
//
//	app pause                                     sleep, reaping orphans (the sandbox container)
//	app serve --http :8080 --tcp :9000 --udp :9001
//	app dial tcp|udp ADDRESS [--count N] [--timeout D] [--interval D]
//	app ask [--count N] [--timeout D] TARGET…     dials many, written as tcp/ADDRESS, udp/ADDRESS or icmp/IP
//	app stream ADDRESS [--for D] [--interval D]   one long TCP connection, a line each interval
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var err error
	switch arguments := os.Args[2:]; os.Args[1] {
	case "pause":
		pause()
	case "serve":
		err = serve(arguments)
	case "dial":
		err = dial(arguments)
	case "ask":
		err = ask(arguments)
	case "stream":
		err = stream(arguments)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: app pause | serve [flags] | dial tcp|udp ADDRESS [flags] | ask [flags] TARGET… | stream ADDRESS [flags]")
	os.Exit(2)
}

// terminated is closed-over by the long-running modes: as process 1 of a container nothing dies of a signal by default.
func terminated() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	return signals
}

// pause holds a pod's namespaces and, as its process 1, reaps whatever is left to it.
func pause() {
	go func() {
		for {
			if _, err := syscall.Wait4(-1, nil, 0, nil); err != nil {
				time.Sleep(time.Second)
			}
		}
	}()
	<-terminated()
}
