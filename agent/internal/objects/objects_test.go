// SPDX-License-Identifier: Apache-2.0

package objects

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/nstest"
	"plumbline.dev/agent/internal/scope"
)

// load makes the smallest program of a kind.
func load(t *testing.T, name string, kind ebpf.ProgramType, attach ebpf.AttachType, result int32) (*ebpf.Program, uint32) {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: kind, AttachType: attach, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, result), asm.Return()},
	})
	if err != nil {
		t.Skip("skipped: the kernel refuses the program: ", err)
	}
	t.Cleanup(func() { program.Close() })
	info, err := program.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, _ := info.ID()
	return program, uint32(id)
}

func attachments(t *testing.T, view *scope.View, root string) []facts.Attachment {
	t.Helper()
	list, err := Attachments(t.Context(), view, root)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func viewOf(namespace *nstest.Namespace) *scope.View {
	return &scope.View{Namespaces: []scope.Namespace{{ID: "42", Handle: namespace.Handle}}}
}

func TestDevicesShowTheirProgramsInOrder(t *testing.T) {
	here := nstest.New(t, "tc")
	first, firstID := load(t, "first", ebpf.SchedCLS, 0, -1)
	second, secondID := load(t, "second", ebpf.SchedCLS, 0, -1)
	xdp, xdpID := load(t, "third", ebpf.XDP, 0, 2)
	var links []link.Link
	here.Inside(func() error {
		for _, options := range []link.TCXOptions{
			{Program: second, Interface: 1, Attach: ebpf.AttachTCXIngress},
			{Program: first, Interface: 1, Attach: ebpf.AttachTCXIngress, Anchor: link.Head()},
		} {
			attached, err := link.AttachTCX(options)
			if err != nil {
				return err
			}
			links = append(links, attached)
		}
		attached, err := link.AttachXDP(link.XDPOptions{Program: xdp, Interface: 1, Flags: link.XDPGenericMode})
		links = append(links, attached)
		return err
	})
	t.Cleanup(func() {
		for _, link := range links {
			link.Close()
		}
	})
	var got []facts.Attachment
	for _, fact := range attachments(t, viewOf(here), "") {
		if fact.Netns == "42" {
			if fact.ID == 0 || fact.Ifindex != 1 {
				t.Errorf("%+v", fact)
			}
			got = append(got, fact)
		}
	}
	if len(got) != 3 || got[0].ProgramID != firstID || *got[0].Position != 0 || got[1].ProgramID != secondID || *got[1].Position != 1 ||
		got[0].Attach != "tcx_ingress" || got[2].ProgramID != xdpID || got[2].Attach != "xdp_generic" {
		t.Errorf("%+v", got)
	}
}

func TestClassicFiltersAreShownByPriority(t *testing.T) {
	here := nstest.New(t, "tc")
	folder := bpfFolder(t)
	program, id := load(t, "classic", ebpf.SchedCLS, 0, 0)
	path := filepath.Join(folder, "classic")
	if err := program.Pin(path); err != nil {
		t.Fatal(err)
	}
	here.Run("tc qdisc add dev lo clsact")
	here.Run("tc filter add dev lo egress prio 7 bpf da pinned " + path)
	here.Run("tc filter add dev lo egress prio 3 bpf da pinned " + path)
	var got []facts.Attachment
	for _, fact := range attachments(t, viewOf(here), "") {
		if fact.Netns == "42" {
			got = append(got, fact)
		}
	}
	if len(got) != 2 || got[0].ProgramID != id || got[0].Attach != "tc_egress" || got[0].ID != 0 || *got[1].Position != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCgroupsShowTheirPrograms(t *testing.T) {
	mount := ""
	for _, candidate := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(candidate + "/cgroup.procs"); err == nil && mount == "" {
			mount = candidate
		}
	}
	folder := filepath.Join(mount, "plumbline-test-objects")
	if os.Getuid() != 0 || mount == "" || os.Mkdir(folder, 0o755) != nil {
		t.Skip("skipped: no control group can be made")
	}
	t.Cleanup(func() { os.Remove(folder) })
	program, id := load(t, "connect", ebpf.CGroupSockAddr, ebpf.AttachCGroupInet4Connect, 1)
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: folder, Attach: ebpf.AttachCGroupInet4Connect, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	defer attached.Close()
	list := attachments(t, &scope.View{}, "/plumbline-test-objects")
	if !slices.ContainsFunc(list, func(f facts.Attachment) bool {
		return f.ProgramID == id && f.Attach == "cgroup_connect4" && f.Cgroup == "/plumbline-test-objects" && f.Position != nil && f.ID != 0
	}) {
		t.Errorf("%+v", list)
	}
	for _, fact := range attachments(t, &scope.View{}, "/plumbline-test-another-node") {
		if fact.ProgramID == id {
			t.Errorf("another node shows %+v", fact)
		}
	}
}

// bpfFolder mounts a file system for pins.
func bpfFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := unix.Mount("bpf", folder, "bpf", 0, ""); err != nil {
		t.Skip("skipped: no bpffs can be mounted: ", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	return folder
}

func TestProgramsMapsAndPinsAreListed(t *testing.T) {
	folder := bpfFolder(t)
	program, programID := load(t, "listed", ebpf.SchedCLS, 0, 0)
	table, err := ebpf.NewMap(&ebpf.MapSpec{Name: "listed_map", Type: ebpf.LRUHash, KeySize: 4, ValueSize: 8, MaxEntries: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	if err := os.Mkdir(filepath.Join(folder, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, pin := range map[string]func(string) error{"program": program.Pin, "deep/map": table.Pin} {
		if err := pin(filepath.Join(folder, path)); err != nil {
			t.Fatal(err)
		}
	}
	here := nstest.New(t, "pins")
	var attached link.Link
	here.Inside(func() (err error) {
		attached, err = link.AttachTCX(link.TCXOptions{Program: program, Interface: 1, Attach: ebpf.AttachTCXIngress})
		return err
	})
	defer attached.Close()
	if err := attached.Pin(filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	info, err := attached.Info()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := Programs(func(id uint32) bool { return id == programID })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(programs, func(p facts.Program) bool {
		return p.ID == programID && p.Name == "listed" && p.Type == "sched_cls" && p.Own && len(p.Tag) == 16 && p.LoadedAt != ""
	}) {
		t.Errorf("%+v", programs)
	}
	maps, err := Maps()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(maps, func(m facts.Map) bool { return m.Name == "listed_map" })
	if at < 0 || maps[at].Type != "lru_hash" || maps[at].KeySize != 4 || maps[at].ValueSize != 8 || maps[at].MaxEntries != 100 || maps[at].MemoryBytes == "" {
		t.Fatalf("%+v", maps)
	}
	pins, err := Pins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []facts.Pin{
		{Path: filepath.Join(folder, "program"), Kind: "program", ID: programID}, {Path: filepath.Join(folder, "deep/map"), Kind: "map", ID: maps[at].ID},
		{Path: filepath.Join(folder, "link"), Kind: "link", ID: uint32(info.ID)},
	} {
		if !slices.Contains(pins, want) {
			t.Errorf("no %+v in %+v", want, pins)
		}
	}
}
