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
	"syscall"
	"time"
)

// attempt is one line of the dialer's output.
type attempt struct {
	Number  int     `json:"n"`
	OK      bool    `json:"ok"`
	Local   string  `json:"local,omitempty"`
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
	connection, err := connect(protocol, address, from, timeout)
	if err == nil {
		defer connection.Close()
		result.Local = connection.LocalAddr().String()
		_ = connection.SetDeadline(start.Add(timeout))
		result.Answer, err = ask(protocol, connection)
	}
	result.Elapsed = float64(time.Since(start).Microseconds()) / 1000
	result.OK = err == nil
	if err != nil {
		result.Error, result.Detail = kind(err), err.Error()
	}
	return result
}

func connect(protocol, address, from string, timeout time.Duration) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	if from != "" {
		var err error
		if protocol == "tcp" {
			dialer.LocalAddr, err = net.ResolveTCPAddr(protocol, from)
		} else {
			dialer.LocalAddr, err = net.ResolveUDPAddr(protocol, from)
		}
		if err != nil {
			return nil, err
		}
	}
	return dialer.Dial(protocol, address)
}

func ask(protocol string, connection net.Conn) (*seen, error) {
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
