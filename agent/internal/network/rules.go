// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
)

// include/uapi/linux/fib_rules.h: what x/sys leaves out.
const (
	fibRuleInvert = 0x2
	fraDSCP       = 25
)

var ruleActions = map[uint8]string{
	nl.FR_ACT_TO_TBL: "lookup", nl.FR_ACT_GOTO: "goto", nl.FR_ACT_NOP: "nop", nl.FR_ACT_BLACKHOLE: "blackhole",
	nl.FR_ACT_UNREACHABLE: "unreachable", nl.FR_ACT_PROHIBIT: "prohibit",
}

// Rules lists the policy routing rules, IPv4 first, in order of evaluation.
func Rules() ([]facts.Rule, error) {
	result := []facts.Rule{}
	for _, family := range families {
		messages, err := dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(family.af)}})
		if err != nil {
			return nil, err
		}
		for _, message := range messages {
			rule, err := ruleOf(message, family.number)
			if err != nil {
				return nil, err
			}
			result = append(result, rule)
		}
	}
	return result, nil
}

// ruleOf decodes struct fib_rule_hdr, whose layout is that of struct rtmsg with `action` for the type.
func ruleOf(message []byte, family int) (facts.Rule, error) {
	if len(message) < unix.SizeofRtMsg {
		return facts.Rule{}, fmt.Errorf("malformed netlink message of %d bytes", len(message))
	}
	header := nl.DeserializeRtMsg(message)
	all, err := parse(message[header.Len():])
	if err != nil {
		return facts.Rule{}, err
	}
	rule := facts.Rule{
		Family: family, Priority: all.uint32(nl.FRA_PRIORITY), Not: header.Flags&fibRuleInvert != 0,
		Iif: all.text(nl.FRA_IIFNAME), Oif: all.text(nl.FRA_OIFNAME), TOS: int(header.Tos),
		IPProtocol: all.uint8(nl.FRA_IP_PROTO), L3mdev: all.uint8(nl.FRA_L3MDEV) != 0,
		SportRange: portRange(all[nl.FRA_SPORT_RANGE]), DportRange: portRange(all[nl.FRA_DPORT_RANGE]), UIDRange: uidRange(all[nl.FRA_UID_RANGE]),
		Action: ruleAction(header.Type), Table: int(header.Table), GotoPriority: all.uint32(nl.FRA_GOTO),
	}
	if all.has(nl.FRA_TABLE) {
		rule.Table = int(all.uint32(nl.FRA_TABLE))
	}
	if header.Src_len > 0 {
		rule.Src = all.prefix(nl.FRA_SRC, family, int(header.Src_len))
	}
	if header.Dst_len > 0 {
		rule.Dst = all.prefix(nl.FRA_DST, family, int(header.Dst_len))
	}
	if all.has(fraDSCP) {
		rule.TOS = all.uint8(fraDSCP) << 2
	}
	// The kernel leaves out a mark of zero, but not its mask.
	if all.has(nl.FRA_FWMARK) || all.has(nl.FRA_FWMASK) {
		mark, mask := all.uint32(nl.FRA_FWMARK), all.uint32(nl.FRA_FWMASK)
		rule.Fwmark, rule.Fwmask = &mark, &mask
	}
	if length := int(int32(all.uint32(nl.FRA_SUPPRESS_PREFIXLEN))); all.has(nl.FRA_SUPPRESS_PREFIXLEN) && length >= 0 {
		rule.SuppressPrefixLength = &length
	}
	return rule, nil
}

func ruleAction(number uint8) string {
	if name, ok := ruleActions[number]; ok {
		return name
	}
	return strconv.Itoa(int(number))
}

func portRange(value []byte) *[2]int {
	if len(value) < 4 {
		return nil
	}
	return &[2]int{int(binary.NativeEndian.Uint16(value)), int(binary.NativeEndian.Uint16(value[2:]))}
}

func uidRange(value []byte) *[2]int {
	if len(value) < 8 {
		return nil
	}
	return &[2]int{int(binary.NativeEndian.Uint32(value)), int(binary.NativeEndian.Uint32(value[4:]))}
}
