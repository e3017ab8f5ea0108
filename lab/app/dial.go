// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// attempt is one line of the dialer's output.
type attempt struct {
	Number  int     `json:"n"`
	OK      bool    `json:"ok"`
	Local   string  `json:"local,omitempty"`
	Port    int     `json:"port,omitempty"` // the local one, known for failures too
	Remote  string  `json:"remote"`
	Answer  *seen   `json:"answer,omitempty"`
	Error   string  `json:"error,omitempty"` // refused, timeout, unreachable, reset, denied, other
	Detail  string  `json:"detail,omitempty"`
	Elapsed float64 `json:"ms"`
}

// dial tries an address several times and prints one JSON line each. It fails when any attempt failed.
func dial(arguments []string) error {
	if len(arguments) < 2 {
		usage()
	}
	protocol, address := arguments[0], arguments[1]
	flags := flag.NewFlagSet("dial", flag.ExitOnError)
	count := flags.Int("count", 1, "number of attempts")
	timeout := flags.Duration("timeout", time.Second, "time limit of one attempt")
	interval := flags.Duration("interval", 0, "pause between attempts")
	from := flags.String("from", "", "local address:port to use")
	if err := flags.Parse(arguments[2:]); err != nil {
		return err
	}
	if protocol != "tcp" && protocol != "udp" {
		usage()
	}
	failures := 0
	output := json.NewEncoder(os.Stdout)
	for number := 1; number <= *count; number++ {
		result := try(protocol, address, *from, *timeout)
		result.Number = number
		if !result.OK {
			failures++
		}
		if err := output.Encode(result); err != nil {
			return err
		}
		if number < *count {
			time.Sleep(*interval)
		}
	}
	if failures > 0 {
		return fmt.Errorf("%d of %d attempts failed", failures, *count)
	}
	return nil
}

// try makes one connection, asks who is there, and reads the answer.
func try(protocol, address, from string, timeout time.Duration) attempt {
	start := time.Now()
	result := attempt{Remote: address}
	connection, port, err := connect(protocol, address, from, timeout)
	result.Port = port
	if err == nil {
		defer connection.Close()
		result.Local = connection.LocalAddr().String()
		_ = connection.SetDeadline(start.Add(timeout))
		result.Answer, err = whoami(protocol, connection)
	}
	result.Elapsed = float64(time.Since(start).Microseconds()) / 1000
	result.OK = err == nil
	if err != nil {
		result.Error, result.Detail = kind(err), err.Error()
	}
	return result
}

// connect also returns the local port: it is taken before connecting, because a socket that failed to connect has none
// left to ask for.
func connect(protocol, address, from string, timeout time.Duration) (net.Conn, int, error) {
	var port int
	dialer := net.Dialer{Timeout: timeout}
	if from == "" {
		dialer.Control = func(network, _ string, socket syscall.RawConn) error { return takePort(network, socket, &port) }
	} else {
		var err error
		if protocol == "tcp" {
			dialer.LocalAddr, err = net.ResolveTCPAddr(protocol, from)
		} else {
			dialer.LocalAddr, err = net.ResolveUDPAddr(protocol, from)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	connection, err := dialer.Dial(protocol, address)
	return connection, port, err
}

// takePort binds a socket to a free port of every local address.
func takePort(network string, socket syscall.RawConn, port *int) error {
	var failed error
	err := socket.Control(func(fd uintptr) {
		var any syscall.Sockaddr = &syscall.SockaddrInet4{}
		if strings.HasSuffix(network, "6") {
			any = &syscall.SockaddrInet6{}
		}
		if failed = syscall.Bind(int(fd), any); failed != nil {
			return
		}
		var own syscall.Sockaddr
		if own, failed = syscall.Getsockname(int(fd)); failed != nil {
			return
		}
		switch own := own.(type) {
		case *syscall.SockaddrInet4:
			*port = own.Port
		case *syscall.SockaddrInet6:
			*port = own.Port
		}
	})
	return errors.Join(err, failed)
}

func whoami(protocol string, connection net.Conn) (*seen, error) {
	if _, err := io.WriteString(connection, "GET /whoami HTTP/1.0\r\n\r\n"); err != nil {
		return nil, err
	}
	var body io.Reader = connection
	if protocol == "tcp" {
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		body = response.Body
	}
	var who seen
	if err := json.NewDecoder(body).Decode(&who); err != nil {
		return nil, err
	}
	return &who, nil
}

// kind names what the network did, as far as the socket tells.
func kind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return "denied"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "other"
}

// stream keeps one TCP connection to an echo port busy and prints a line per round trip, until its time is over or the
// connection breaks. It shows what a change of the datapath does to connections that exist already.
func stream(arguments []string) error {
	if len(arguments) < 1 {
		usage()
	}
	flags := flag.NewFlagSet("stream", flag.ExitOnError)
	length := flags.Duration("for", 30*time.Second, "how long")
	interval := flags.Duration("interval", 200*time.Millisecond, "pause between lines")
	timeout := flags.Duration("timeout", 2*time.Second, "time limit of one round trip")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	connection, err := net.DialTimeout("tcp", arguments[0], *timeout)
	if err != nil {
		return err
	}
	defer connection.Close()
	reader := bufio.NewReader(connection)
	for number, end := 1, time.Now().Add(*length); time.Now().Before(end); number++ {
		start := time.Now()
		_ = connection.SetDeadline(start.Add(*timeout))
		fmt.Fprintf(connection, "line %d\n", number)
		if _, err := reader.ReadString('\n'); err != nil {
			return fmt.Errorf("line %d: %s: %w", number, kind(err), err)
		}
		fmt.Printf("{\"n\":%d,\"ms\":%.3f}\n", number, float64(time.Since(start).Microseconds())/1000)
		time.Sleep(*interval)
	}
	return nil
}
