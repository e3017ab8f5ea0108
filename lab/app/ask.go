// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// ask dials many addresses at once and prints one JSON line for each attempt, in no order. The first attempt at an address
// is over before the others begin, so that what a client keeps (session affinity) is the same for all of them. Silence
// costs the time limit twice, however many addresses are silent and attempts are made, and the limit can be generous.
func ask(arguments []string) error {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	count := flags.Int("count", 1, "number of attempts at each address")
	timeout := flags.Duration("timeout", time.Second, "time limit of one attempt")
	atOnce := flags.Int("at-once", 64, "addresses dialled at a time")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	results := make(chan attempt)
	go func() {
		defer close(results)
		askAll(flags.Args(), *count, *timeout, *atOnce, results)
	}()
	output := json.NewEncoder(os.Stdout)
	for result := range results {
		if err := output.Encode(result); err != nil {
			return err
		}
	}
	return nil
}

// askAll dials targets, written as "tcp/10.96.0.20:80" or "icmp/10.0.0.1".
func askAll(targets []string, count int, timeout time.Duration, atOnce int, results chan<- attempt) {
	free := make(chan struct{}, atOnce)
	var open sync.WaitGroup
	for _, target := range targets {
		free <- struct{}{}
		open.Go(func() {
			defer func() { <-free }()
			results <- askOne(target, 1, timeout)
			var others sync.WaitGroup
			for number := 2; number <= count; number++ {
				others.Go(func() { results <- askOne(target, number, timeout) })
			}
			others.Wait()
		})
	}
	open.Wait()
}

func askOne(target string, number int, timeout time.Duration) attempt {
	protocol, address, _ := strings.Cut(target, "/")
	var result attempt
	switch protocol {
	case "tcp", "udp":
		result = try(protocol, address, "", timeout)
	case "icmp":
		result = ping(address, timeout)
	default:
		result = attempt{Error: "other", Detail: fmt.Sprintf("no protocol %q", protocol)}
	}
	result.Remote, result.Number = target, number
	return result
}
