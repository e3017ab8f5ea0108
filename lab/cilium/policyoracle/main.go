// SPDX-License-Identifier: Apache-2.0

// Command policyoracle lets the kernel run a release's own decision about policies: it loads the program that was compiled from that
// release's headers, fills its policy map and runs it once a question. The job is read as JSON from standard input, the packets that
// the program leaves are printed as JSON, one a question.
//
//	policyoracle OBJECT < job.json
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/cilium/ebpf"
)

// job is what to ask. Bytes are hexadecimal.
type job struct {
	// Program of the object, and the map of it that is filled.
	Program string `json:"program"`
	Map     string `json:"map"`
	// Settings are variables of the object that the loader sets, by name; one that the object lacks is an error.
	Settings map[string]uint32 `json:"settings"`
	Rounds   []round           `json:"rounds"`
}

// round is one content of the map, and the packets to run with it.
type round struct {
	Entries []struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	} `json:"entries"`
	Packets []string `json:"packets"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: policyoracle OBJECT < job.json")
	}
	var asked job
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatalf("policyoracle: read job: %v", err)
	}
	answers, err := answer(os.Args[1], asked)
	if err != nil {
		log.Fatalf("policyoracle: %v", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatalf("policyoracle: %v", err)
	}
}

func answer(object string, asked job) ([][]string, error) {
	collection, err := load(object, asked)
	if err != nil {
		return nil, err
	}
	defer collection.Close()
	answers := make([][]string, 0, len(asked.Rounds))
	for index, each := range asked.Rounds {
		line, err := run(collection.Programs[asked.Program], collection.Maps[asked.Map], each)
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", index, err)
		}
		answers = append(answers, line)
	}
	return answers, nil
}

// dataSection begins the names of maps that hold an object's variables.
const dataSection = "."

// load leaves out every map that the program doesn't use, and pins none.
func load(object string, asked job) (*ebpf.Collection, error) {
	spec, err := ebpf.LoadCollectionSpec(object)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", object, err)
	}
	program, found := spec.Programs[asked.Program]
	if !found || spec.Maps[asked.Map] == nil {
		return nil, fmt.Errorf("%s has no program %s or no map %s", object, asked.Program, asked.Map)
	}
	for name, value := range asked.Settings {
		if err := set(spec, name, value); err != nil {
			return nil, err
		}
	}
	used := map[string]bool{}
	for _, instruction := range program.Instructions {
		used[instruction.Reference()] = true
	}
	for name, each := range spec.Maps {
		each.Pinning = ebpf.PinNone
		if !used[name] && !strings.HasPrefix(name, dataSection) {
			delete(spec.Maps, name)
		}
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{asked.Program: program}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", object, err)
	}
	return collection, nil
}

// set gives a variable its value, in as many bytes as it has.
func set(spec *ebpf.CollectionSpec, name string, value uint32) error {
	variable, found := spec.Variables[name]
	if !found {
		return fmt.Errorf("no variable %s", name)
	}
	var err error
	switch variable.Size() {
	case 1:
		err = variable.Set(uint8(value))
	case 2:
		err = variable.Set(uint16(value))
	default:
		err = variable.Set(value)
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

func run(program *ebpf.Program, policies *ebpf.Map, asked round) ([]string, error) {
	keys := make([][]byte, 0, len(asked.Entries))
	for _, entry := range asked.Entries {
		key, err := hex.DecodeString(entry.Key)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", entry.Key, err)
		}
		value, err := hex.DecodeString(entry.Value)
		if err != nil {
			return nil, fmt.Errorf("value %q: %w", entry.Value, err)
		}
		if err := policies.Update(key, value, ebpf.UpdateNoExist); err != nil {
			return nil, fmt.Errorf("write %s: %w", entry.Key, err)
		}
		keys = append(keys, key)
	}
	answers := make([]string, 0, len(asked.Packets))
	for _, text := range asked.Packets {
		packet, err := hex.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("packet %q: %w", text, err)
		}
		code, left, err := program.Test(packet)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", text, err)
		}
		if code != 0 {
			return nil, fmt.Errorf("the program could not read %s: %d", text, int32(code))
		}
		answers = append(answers, hex.EncodeToString(left))
	}
	for _, key := range keys {
		if err := policies.Delete(key); err != nil {
			return nil, fmt.Errorf("delete %x: %w", key, err)
		}
	}
	return answers, nil
}
