// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// seen is the answer to every request: who answered, and which addresses the server itself saw. The client address is
// the one after every translation on the way.
type seen struct {
	Host     string `json:"host"`
	Node     string `json:"node,omitempty"`
	Protocol string `json:"protocol"`
	Client   string `json:"client"`
	Server   string `json:"server"`
}

func answer(protocol string, client, server net.Addr) []byte {
	host, _ := os.Hostname()
	line, err := json.Marshal(seen{host, os.Getenv("NODE_NAME"), protocol, client.String(), server.String()})
	if err != nil {
		panic(err) // strings always marshal
	}
	return append(line, '\n')
}

// addresses is a flag that may be given several times.
type addresses []string

func (a *addresses) String() string         { return strings.Join(*a, ",") }
func (a *addresses) Set(value string) error { *a = append(*a, value); return nil }

// serve listens on all given addresses and ends at the first error or on SIGTERM.
func serve(arguments []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	var web, tcp, udp addresses
	flags.Var(&web, "http", "address of an HTTP server")
	flags.Var(&tcp, "tcp", "address of a TCP echo server")
	flags.Var(&udp, "udp", "address of a UDP echo server")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	failed := make(chan error, 1)
	for _, address := range web {
		go func() { failed <- serveHTTP(address) }()
	}
	for _, address := range tcp {
		go func() { failed <- serveTCP(address) }()
	}
	for _, address := range udp {
		go func() { failed <- serveUDP(address) }()
	}
	fmt.Println("serving http", web, "tcp", tcp, "udp", udp)
	select {
	case err := <-failed:
		return err
	case <-terminated():
		return nil
	}
}

func serveHTTP(address string) error {
	handler := func(w http.ResponseWriter, r *http.Request) {
		server := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		client, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer("tcp", client, server))
	}
	server := http.Server{Addr: address, Handler: http.HandlerFunc(handler), ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func serveTCP(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(connection)
	}
}

// echo returns every byte, except that an HTTP request is answered like the HTTP servers do: the dialer then needs no
// knowledge of which kind of port it met.
func echo(connection net.Conn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	start, err := reader.Peek(4)
	if err == nil && string(start) == "GET " {
		body := answer("tcp", connection.RemoteAddr(), connection.LocalAddr())
		fmt.Fprintf(connection, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		return
	}
	_, _ = io.Copy(connection, reader)
}

func serveUDP(address string) error {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	for {
		_, client, err := packets.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := packets.WriteTo(answer("udp", client, packets.LocalAddr()), client); err != nil {
			fmt.Fprintln(os.Stderr, err) // this client is unreachable; the others are not
		}
	}
}
