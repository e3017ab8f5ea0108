// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"testing"
	"time"
)

// listen starts a server on a free port and returns its address.
func listen(t *testing.T, network string, serve func(address string) error) string {
	t.Helper()
	var address string
	if network == "tcp" {
		probe, err := net.Listen(network, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = probe.Addr().String()
		probe.Close()
	} else {
		probe, err := net.ListenPacket(network, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = probe.LocalAddr().String()
		probe.Close()
	}
	go func() { _ = serve(address) }()
	return address
}

func TestEveryServerSaysWhomItSaw(t *testing.T) {
	t.Setenv("NODE_NAME", "n1")
	for _, server := range []struct {
		name, network string
		serve         func(string) error
	}{{"http", "tcp", serveHTTP}, {"echo", "tcp", serveTCP}, {"udp", "udp", serveUDP}} {
		t.Run(server.name, func(t *testing.T) {
			address := listen(t, server.network, server.serve)
			var met attempt
			for end := time.Now().Add(2 * time.Second); !met.OK && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
				met = try(server.network, address, "", 200*time.Millisecond)
			}
			if !met.OK || met.Answer.Client != met.Local || met.Answer.Protocol != server.network || met.Answer.Node != "n1" {
				t.Errorf("met %+v, answer %+v", met, met.Answer)
			}
		})
	}
}

func TestDialerTellsRefusalFromSilence(t *testing.T) {
	closed := listen(t, "tcp", func(string) error { return nil })
	if met := try("tcp", closed, "", time.Second); met.Error != "refused" {
		t.Errorf("closed TCP port: %+v", met)
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if met := try("udp", silent.LocalAddr().String(), "", 50*time.Millisecond); met.Error != "timeout" {
		t.Errorf("silent UDP port: %+v", met)
	}
	unused := listen(t, "udp", func(string) error { return nil })
	if met := try("udp", unused, "", time.Second); met.Error != "refused" {
		t.Errorf("closed UDP port: %+v", met)
	}
}

func TestManyAreAskedAtOnce(t *testing.T) {
	serving, closed := listen(t, "tcp", serveTCP), listen(t, "tcp", func(string) error { return nil })
	results := make(chan attempt)
	go func() {
		defer close(results)
		askAll([]string{"tcp/" + serving, "tcp/" + closed, "icmp/127.0.0.1", "gre/127.0.0.1"}, 2, time.Second, 8, results)
	}()
	errors := map[string][]string{}
	for result := range results {
		errors[result.Remote] = append(errors[result.Remote], result.Error)
		if result.Error == "refused" && result.Port == 0 {
			t.Errorf("a refused attempt has no local port: %+v", result)
		}
	}
	if len(errors["tcp/"+serving]) != 2 || errors["tcp/"+closed][1] != "refused" || errors["gre/127.0.0.1"][0] != "other" {
		t.Errorf("met %v", errors)
	}
	// Raw sockets need a privilege.
	if met := errors["icmp/127.0.0.1"][0]; met != "" && met != "denied" {
		t.Errorf("echo over loopback: %q", met)
	}
}
