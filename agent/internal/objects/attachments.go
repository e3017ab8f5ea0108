// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/scope"
)

// Attachments lists what is attached where. Links say themselves what they attach, but not in which namespace or in which
// order; that, and what is attached without a link, comes from asking each device and each control group.
// Parts that could not be read are named by the error, next to the rest.
func Attachments(ctx context.Context, view *scope.View, cgroupRoot string) ([]facts.Attachment, error) {
	all := &collection{links: map[link.ID]*facts.Attachment{}}
	problems := []error{all.readLinks(view)}
	for _, namespace := range view.Namespaces {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		problems = append(problems, namespace.Handle.Do(func() error { return all.readDevices(namespace.ID) }))
	}
	problems = append(problems, all.readCgroups(ctx, cgroupRoot))
	list := all.list()
	if cgroupRoot != "" && cgroupRoot != "/" {
		list = slices.DeleteFunc(list, elsewhere)
	}
	return list, joined(problems)
}

// elsewhere tells, on a kernel that several nodes share, what is attached to a device or control group of none of this
// node's namespaces and groups.
func elsewhere(fact facts.Attachment) bool {
	return fact.Netns == "" && fact.Ifindex != 0 || fact.Cgroup == "" && strings.HasPrefix(fact.Attach, "cgroup_")
}

// joined writes several errors on one line.
func joined(list []error) error {
	var texts []string
	for _, err := range list {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	if texts == nil {
		return nil
	}
	return errors.New(strings.Join(texts, "; "))
}

type collection struct {
	links   map[link.ID]*facts.Attachment
	others  []facts.Attachment
	byGroup []cgroupLink
}

type cgroupLink struct {
	cgroup uint64
	fact   *facts.Attachment
}

func (c *collection) list() []facts.Attachment {
	result := append([]facts.Attachment{}, c.others...)
	for _, fact := range c.links {
		result = append(result, *fact)
	}
	slices.SortFunc(result, func(a, b facts.Attachment) int { return strings.Compare(order(a), order(b)) })
	return result
}

// order sorts by place, then by position in it.
func order(a facts.Attachment) string {
	position := 0
	if a.Position != nil {
		position = *a.Position
	}
	return fmt.Sprintf("%s %s %08d %s %s %08d %08d %08d", a.Attach, a.Netns, a.Ifindex, a.Cgroup, a.Target, position, a.ID, a.ProgramID)
}

func (c *collection) readLinks(view *scope.View) error {
	links := link.Iterator{}
	defer links.Close()
	for links.Next() {
		info, err := links.Link.Info()
		if err != nil {
			return fmt.Errorf("link %d: %w", links.ID, err)
		}
		fact := &facts.Attachment{ID: uint32(info.ID), ProgramID: uint32(info.Program)}
		if group := describe(fact, info, view); group != 0 {
			c.byGroup = append(c.byGroup, cgroupLink{group, fact})
		}
		c.links[info.ID] = fact
	}
	if err := links.Err(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list links: %w", err)
	}
	return nil
}

// describe fills in what a link tells about itself. It returns the control group's id, if it is attached to one.
func describe(fact *facts.Attachment, info *link.Info, view *scope.View) (cgroup uint64) {
	switch info.Type {
	case link.TCXType:
		fact.Attach, fact.Ifindex = attachName(ebpf.AttachType(info.TCX().AttachType)), int(info.TCX().Ifindex)
	case link.NetkitType:
		fact.Attach, fact.Ifindex = attachName(ebpf.AttachType(info.Netkit().AttachType)), int(info.Netkit().Ifindex)
	case link.XDPType:
		fact.Attach, fact.Ifindex = "xdp", int(info.XDP().Ifindex)
	case link.CgroupType:
		fact.Attach, cgroup = attachName(ebpf.AttachType(info.Cgroup().AttachType)), info.Cgroup().CgroupId
	case link.NetNsType:
		fact.Attach, fact.Netns = attachName(ebpf.AttachType(info.NetNs().AttachType)), folder(view, uint64(info.NetNs().NetnsInode))
	case link.TracingType, link.IterType:
		fact.Attach = "iter"
		if tracing := info.Tracing(); tracing != nil {
			fact.Attach, fact.Target = attachName(ebpf.AttachType(tracing.AttachType)), tracingTarget(tracing)
		}
	case link.RawTracepointType:
		fact.Attach, fact.Target = "raw_tp", info.RawTracepoint().Name
	case link.NetfilterType:
		hook := info.Netfilter()
		fact.Attach, fact.Target = "netfilter", fmt.Sprintf("family %d hook %d priority %d", hook.ProtocolFamily, hook.Hook, hook.Priority)
	case link.PerfEventType:
		fact.Attach, fact.Target = perfEvent(info.PerfEvent())
	case link.KprobeMultiType:
		fact.Attach, fact.Target = "kprobe_multi", fmt.Sprintf("%d functions", info.KprobeMulti().Count)
	case link.UprobeMultiType:
		fact.Attach, fact.Target = "uprobe_multi", info.UprobeMulti().File
	case link.StructOpsType:
		fact.Attach = "struct_ops"
	default:
		fact.Attach = fmt.Sprintf("link_%d", info.Type)
	}
	return cgroup
}

// folder is the name under which a snapshot has a namespace; its inode when it is out of scope.
func folder(view *scope.View, inode uint64) string {
	for _, namespace := range view.Namespaces {
		if namespace.Handle.Inode() == inode {
			return namespace.ID
		}
	}
	return strconv.FormatUint(inode, 10)
}

// tracingTarget names the traced function or tracepoint, when it belongs to the kernel itself.
func tracingTarget(info *link.TracingInfo) string {
	kernel, err := btf.LoadKernelSpec()
	if err != nil || info.TargetBtfId == 0 {
		return ""
	}
	target, err := kernel.TypeByID(btf.TypeID(info.TargetBtfId))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(target.TypeName(), "btf_trace_")
}

func perfEvent(info *link.PerfEventInfo) (attach, target string) {
	switch {
	case info == nil:
		return "perf_event", ""
	case info.Kprobe() != nil:
		return "kprobe", info.Kprobe().Function
	case info.Uprobe() != nil:
		return "uprobe", info.Uprobe().File
	case info.Tracepoint() != nil:
		return "tracepoint", info.Tracepoint().Tracepoint
	}
	return "perf_event", ""
}

// place notes what a query found: under its link, or as something attached without one.
func (c *collection) place(found link.AttachedProgram, fact facts.Attachment) {
	if id, ok := found.LinkID(); ok && c.links[id] != nil {
		known := c.links[id]
		known.Netns, known.Ifindex, known.Position = fact.Netns, fact.Ifindex, fact.Position
		return
	}
	fact.ProgramID = uint32(found.ID)
	c.others = append(c.others, fact)
}

// unsupported tells if a kernel just does not know the question.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EOPNOTSUPP)
}
