// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// echo says how a family asks for and answers echoes: RFC 792, RFC 4443.
type echoKind struct {
	network        string
	request, reply byte
}

var (
	echo4 = echoKind{"ip4:icmp", 8, 0}
	echo6 = echoKind{"ip6:ipv6-icmp", 128, 129}
)

// pinged numbers the echo requests of this process.
var pinged atomic.Uint32

// ping sends one echo request from a raw socket and waits for its answer.
func ping(address string, timeout time.Duration) attempt {
	start := time.Now()
	result := attempt{Remote: address}
	err := echoOnce(address, start.Add(timeout), &result)
	result.Elapsed = float64(time.Since(start).Microseconds()) / 1000
	result.OK = err == nil
	if err != nil {
		result.Error, result.Detail = kind(err), err.Error()
	}
	return result
}

func echoOnce(address string, deadline time.Time, result *attempt) error {
	target, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	family := echo4
	if target.Is6() {
		family = echo6
	}
	connection, err := net.DialIP(family.network, nil, &net.IPAddr{IP: target.AsSlice()})
	if err != nil {
		return err
	}
	defer connection.Close()
	result.Local = connection.LocalAddr().String()
	if err := connection.SetDeadline(deadline); err != nil {
		return err
	}
	message := echoMessage(family.request, uint16(os.Getpid()), uint16(pinged.Add(1)))
	if _, err := connection.Write(message); err != nil {
		return err
	}
	return awaitReply(connection, family.reply, message[4:8])
}

// echoMessage is a request with its checksum, which for IPv6 the kernel writes anew.
func echoMessage(request byte, id, number uint16) []byte {
	message := make([]byte, 16)
	message[0] = request
	binary.BigEndian.PutUint16(message[4:], id)
	binary.BigEndian.PutUint16(message[6:], number)
	var sum uint32
	for i := 0; i < len(message); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(message[i:]))
	}
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum+sum>>16))
	return message
}

// awaitReply reads until the answer to this request comes: a raw socket gets everybody's messages.
func awaitReply(connection *net.IPConn, reply byte, request []byte) error {
	buffer := make([]byte, 1500)
	for {
		n, _, err := connection.ReadFromIP(buffer)
		if err != nil {
			return err
		}
		if n >= 8 && buffer[0] == reply && string(buffer[4:8]) == string(request) {
			return nil
		}
	}
}
