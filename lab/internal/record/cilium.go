// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"plumbline.dev/lab/internal/cluster"
	"plumbline.dev/lab/internal/host"
)

// perCilium are the questions put to Cilium's own diagnosis, by file name. They only read.
var perCilium = map[string]string{
	"status":           "status",
	"config":           "config",
	"services":         "service list",
	"endpoints":        "endpoint list",
	"identities":       "identity list",
	"nodes":            "node list",
	"policy":           "policy get",
	"policy-selectors": "policy selectors",
	"bpf-lb":           "bpf lb list",
	"bpf-lb-frontends": "bpf lb list --frontends",
	"bpf-lb-backends":  "bpf lb list --backends",
	"bpf-lb-revnat":    "bpf lb list --revnat",
	"bpf-lb-sources":   "bpf lb list --source-ranges",
	"bpf-ct":           "bpf ct list global",
	"bpf-nat":          "bpf nat list",
	"bpf-policy":       "bpf policy get --all",
	"bpf-ipcache":      "bpf ipcache list",
	"bpf-endpoints":    "bpf endpoint list",
	"bpf-metrics":      "bpf metrics list",
}

// ciliumKinds are Cilium's own API objects.
var ciliumKinds = []string{
	"ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies", "ciliumendpoints", "ciliumidentities", "ciliumnodes",
}

const (
	pinnedMaps  = "/sys/fs/bpf/tc/globals"
	pinnedLinks = "/sys/fs/bpf/cilium"
)

// makeCiliumTraffic meets Cilium's policies, both ways, and sends something in from outside.
func makeCiliumTraffic() error {
	app, err := cluster.App()
	if err != nil {
		return err
	}
	outside, err := cluster.Outside(app, "dial", "tcp", "10.200.0.11:30080", "--count", "6")
	if err != nil {
		return err
	}
	_, _ = host.Run(outside[0], outside[1:]...)
	return dialFrom([]string{"locked", "stranger"}, []string{
		"tcp 10.96.0.20:80 --count 3", "tcp 10.96.0.30:80", "tcp 10.200.0.100:9000", "tcp 10.200.0.100:8080",
	})
}

// rawCilium records what Cilium says about a node, and the bytes in the maps it says it from.
func rawCilium(name, dir string) error {
	diagnosis := filepath.Join(dir, "cilium")
	if err := fresh(diagnosis); err != nil {
		return err
	}
	for file, line := range perCilium {
		command, err := cluster.Cilium(name, append(strings.Fields(line), "-o", "json")...)
		if err != nil {
			return err
		}
		output, err := host.Run(command[0], command[1:]...)
		if err != nil {
			return err
		}
		var dense bytes.Buffer // most of what it prints is indentation
		if err := json.Compact(&dense, []byte(output)); err != nil {
			return fmt.Errorf("cilium-dbg %s: %w", line, err)
		}
		if err := os.WriteFile(filepath.Join(diagnosis, file+".json"), dense.Bytes(), 0o644); err != nil {
			return err
		}
	}
	maps := filepath.Join(dir, "bpf")
	if err := fresh(maps); err != nil {
		return err
	}
	if err := rawMaps(name, maps); err != nil {
		return err
	}
	return rawLinks(name, filepath.Join(maps, "links.json"))
}

// rawMaps writes one file a map with its entries, and maps.json with what kind of map each is.
func rawMaps(name, dir string) error {
	pins, err := onNode(name, "ls "+pinnedMaps)
	if err != nil {
		return err
	}
	shown := map[string]json.RawMessage{}
	for _, pin := range strings.Fields(pins) {
		show, err := onNode(name, "bpftool --json map show pinned "+path.Join(pinnedMaps, pin))
		if err != nil {
			return err
		}
		shown[pin] = json.RawMessage(show)
		var about struct {
			Type string
		}
		if err := json.Unmarshal([]byte(show), &about); err != nil {
			return fmt.Errorf("map %s: %w", pin, err)
		}
		if about.Type == "perf_event_array" { // descriptors of the agent's buffers: nothing is stored in them
			continue
		}
		entries, err := onNode(name, "bpftool --json map dump pinned "+path.Join(pinnedMaps, pin))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, pin+".json"), []byte(entries), 0o644); err != nil {
			return err
		}
	}
	return writeJSON(filepath.Join(dir, "maps.json"), shown)
}

// rawLinks writes where Cilium's programs are attached: the links by the names they are pinned under, with their
// programs. bpftool knows no names for tcx (type 11); the pins' names say which device or pod it is.
func rawLinks(name, file string) error {
	pins, err := onNode(name, "find "+pinnedLinks+" -type f")
	if err != nil {
		return err
	}
	type attached struct {
		Link    json.RawMessage `json:"link"`
		Program json.RawMessage `json:"program"`
	}
	links := map[string]attached{}
	for _, pin := range strings.Fields(pins) {
		link, err := onNode(name, "bpftool --json link show pinned "+pin)
		if err != nil {
			return err
		}
		var about struct {
			Program int `json:"prog_id"`
		}
		if err := json.Unmarshal([]byte(link), &about); err != nil {
			return fmt.Errorf("link %s: %w", pin, err)
		}
		program, err := onNode(name, fmt.Sprintf("bpftool --json prog show id %d", about.Program))
		if err != nil {
			return err
		}
		links[strings.TrimPrefix(pin, pinnedLinks+"/")] = attached{json.RawMessage(link), json.RawMessage(program)}
	}
	return writeJSON(file, links)
}

// rawFlows writes what Hubble saw of the clients' connections, and what was dropped, one flow a line.
func rawFlows(dir string) error {
	if err := fresh(dir); err != nil {
		return err
	}
	for file, filter := range map[string]string{
		"clients": "--last 60 --pod shop/client-n1 --pod shop/client-n2 --pod shop/locked --pod shop/stranger",
		"dropped": "--last 40 --verdict DROPPED --protocol tcp",
	} {
		// Hubble's default selection of fields leaves the direction out.
		arguments := append([]string{"observe", "-o", "jsonpb", "--use-default-field-masks=false"}, strings.Fields(filter)...)
		command, err := cluster.Hubble(arguments...)
		if err != nil {
			return err
		}
		output, err := host.Run(command[0], command[1:]...)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file+".jsonl"), []byte(output), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(file string, value any) error {
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
