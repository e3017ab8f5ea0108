// SPDX-License-Identifier: Apache-2.0

package mounts

import (
	"slices"
	"strings"
	"testing"
)

const sample = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 /sub /sys/fs/cgroup ro,nosuid shared:9 - cgroup2 cgroup2 rw
31 22 0:26 / /host/with\040space ro,nosuid master:3 propagate_from:2 - cgroup2 cgroup2 rw
32 22 0:27 / /sys/fs/bpf rw - bpf bpf rw,mode=700
broken line
33 22 0:28 / /x rw -
`

func TestParseReadsOptionalFieldsAndEscapes(t *testing.T) {
	list, err := parse(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	want := []mount{{"/", "/", "ext4"}, {"/sub", "/sys/fs/cgroup", "cgroup2"}, {"/", "/host/with space", "cgroup2"}, {"/", "/sys/fs/bpf", "bpf"}}
	if !slices.Equal(list, want) {
		t.Errorf("%+v", list)
	}
}

func TestFindNamesWhatIsMissing(t *testing.T) {
	if _, err := Find("no-such-kind"); err == nil || !strings.Contains(err.Error(), "no-such-kind") {
		t.Errorf("%v", err)
	}
	if point, err := Find("proc"); err != nil || point == "" {
		t.Errorf("%q, %v", point, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parse(strings.NewReader(text))
		if err == nil && len(list) > strings.Count(text, "\n")+1 {
			t.Errorf("%d mounts in %q", len(list), text)
		}
	})
}
