// SPDX-License-Identifier: Apache-2.0

// Package netfilter asks the kernel, cheaply, which rule tables and sets the calling thread's network namespace has. What
// is in them is read by their own tools.
package netfilter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	wire "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// include/uapi/linux/netfilter/ipset/ip_set.h
const (
	subsystemIPSet   = 6 << 8
	ipsetCommandList = 7
	ipsetProtocol    = 1
	ipsetFlags       = 6
	ipsetSetName     = 2
	ipsetVersion     = 6
	ipsetOnlyNames   = 1 << 1

	subsystemNFTables = unix.NFNL_SUBSYS_NFTABLES << 8
)

// Table is one nftables table. Family is an NFPROTO_ number.
type Table struct {
	Family uint8
	Name   string
}

var iptablesTables = []string{"filter", "nat", "mangle", "raw", "security"}

// OfIptables tells the tables in which iptables-nft keeps its rules.
func (t Table) OfIptables() bool { return slices.Contains(iptablesTables, t.Name) }

// attempts to list tables while they change: the kernel says when that happened.
const attempts = 4

// NFTables lists the tables. A kernel without nf_tables has none.
func NFTables() (tables []Table, err error) {
	for range attempts {
		if tables, err = listTables(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return tables, err
}

func listTables() ([]Table, error) {
	request := nl.NewNetlinkRequest(subsystemNFTables|unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	messages, err := request.Execute(unix.NETLINK_NETFILTER, subsystemNFTables|unix.NFT_MSG_NEWTABLE)
	if unsupported(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list nftables tables: %w", err)
	}
	var tables []Table
	for _, message := range messages {
		name, err := attribute(message, unix.NFTA_TABLE_NAME)
		if err != nil {
			return nil, err
		}
		tables = append(tables, Table{Family: message[0], Name: unix.ByteSliceToString(name)})
	}
	return tables, nil
}

// Generation is a number that changes with every change of the namespace's nftables rules.
func Generation() (uint32, error) {
	request := nl.NewNetlinkRequest(subsystemNFTables|unix.NFT_MSG_GETGEN, 0)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC})
	messages, err := request.Execute(unix.NETLINK_NETFILTER, subsystemNFTables|unix.NFT_MSG_NEWGEN)
	if err != nil {
		return 0, fmt.Errorf("nftables generation: %w", err)
	}
	if len(messages) == 0 {
		return 0, errors.New("nftables generation: no answer")
	}
	value, err := attribute(messages[0], unix.NFTA_GEN_ID)
	if err != nil || len(value) < 4 {
		return 0, errors.Join(errors.New("nftables generation: malformed answer"), err)
	}
	return binary.BigEndian.Uint32(value), nil
}

// HasIPSets tells if there is at least one set. A kernel without ip_set has none.
func HasIPSets() (bool, error) {
	request := nl.NewNetlinkRequest(subsystemIPSet|ipsetCommandList, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET})
	request.AddData(nl.NewRtAttr(ipsetProtocol, []byte{ipsetVersion}))
	request.AddData(nl.NewRtAttr(ipsetFlags|unix.NLA_F_NET_BYTEORDER, binary.BigEndian.AppendUint32(nil, ipsetOnlyNames)))
	messages, err := request.Execute(unix.NETLINK_NETFILTER, subsystemIPSet|ipsetCommandList)
	if unsupported(err) {
		return false, nil
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return false, fmt.Errorf("list sets: %w", err)
	}
	for _, message := range messages {
		if name, err := attribute(message, ipsetSetName); err == nil && len(name) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// unsupported tells if the kernel has no such netfilter subsystem.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)
}

// attribute finds an attribute of a message that begins with struct nfgenmsg.
func attribute(message []byte, kind uint16) ([]byte, error) {
	if len(message) < nl.SizeofNfgenmsg {
		return nil, fmt.Errorf("malformed netfilter message of %d bytes", len(message))
	}
	list, err := wire.UnmarshalAttributes(message[nl.SizeofNfgenmsg:])
	if err != nil {
		return nil, fmt.Errorf("malformed netfilter message: %w", err)
	}
	for _, attribute := range list {
		if attribute.Type&nl.NLA_TYPE_MASK == kind {
			return attribute.Data, nil
		}
	}
	return nil, nil
}
