// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"plumbline.dev/agent/internal/netfilter"
	"plumbline.dev/agent/internal/tools"
)

// output is a file that a tool prints.
type output struct {
	file    string
	command []string
}

// Reading again costs more than it is worth when rules change all the time.
const ruleAttempts = 3

var errChanging = errors.New("the rules kept changing while they were read: the files show different moments")

func (r *run) netfilter(ctx context.Context, folder string) error {
	for _, legacy := range []struct{ names, file, tool string }{
		{"/proc/thread-self/net/ip_tables_names", "iptables-legacy-save.4.txt", "iptables-legacy-save"},
		{"/proc/thread-self/net/ip6_tables_names", "iptables-legacy-save.6.txt", "ip6tables-legacy-save"},
	} {
		// The tool creates the tables it looks at, so it must not be asked about any that are not there.
		tables, err := os.ReadFile(legacy.names)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && len(strings.TrimSpace(string(tables))) == 0) {
			continue
		}
		if err == nil {
			err = r.tool(ctx, folder, output{legacy.file, []string{legacy.tool, "-c"}})
		} else {
			err = r.problem(folder+"/"+legacy.file, err)
		}
		if err != nil {
			return err
		}
	}
	if err := r.nftables(ctx, folder); err != nil {
		return err
	}
	sets, err := netfilter.HasIPSets()
	if err != nil {
		return r.problem(folder+"/ipset.txt", err)
	}
	if !sets {
		return nil
	}
	return r.tool(ctx, folder, output{"ipset.txt", []string{"ipset", "save"}})
}

// nftables reads the same rules through up to four tools. All of them must show one moment, which the kernel's generation
// number tells.
func (r *run) nftables(ctx context.Context, folder string) error {
	tables, err := netfilter.NFTables()
	if err != nil {
		return r.problem(folder+"/nft.json", err)
	}
	wanted := outputs(tables)
	contents := make([][]byte, len(wanted))
	failures := make([]error, len(wanted))
	for attempt := 1; len(wanted) > 0; attempt++ {
		before, err := netfilter.Generation()
		if err != nil {
			return r.problem(folder+"/nft.json", err)
		}
		for i, output := range wanted {
			contents[i], failures[i] = tools.Run(ctx, output.command[0], output.command[1:]...)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if after, err := netfilter.Generation(); err == nil && before == after {
			break
		}
		if attempt == ruleAttempts {
			if err := r.problem(folder+"/nft.json", errChanging); err != nil {
				return err
			}
			break
		}
	}
	for i, output := range wanted {
		if err := r.printed(folder+"/"+output.file, contents[i], failures[i]); err != nil {
			return err
		}
	}
	return nil
}

// outputs selects the tools that have something to say about the tables. iptables keeps its rules in tables of its own
// names, which nft can't show in full.
func outputs(tables []netfilter.Table) []output {
	var result []output
	for _, family := range []struct {
		number     uint8
		file, tool string
	}{
		{unix.NFPROTO_IPV4, "iptables-nft-save.4.txt", "iptables-nft-save"},
		{unix.NFPROTO_IPV6, "iptables-nft-save.6.txt", "ip6tables-nft-save"},
	} {
		for _, table := range tables {
			if table.Family == family.number && table.OfIptables() {
				result = append(result, output{family.file, []string{family.tool, "-c"}})
				break
			}
		}
	}
	if len(tables) > 0 {
		result = append(result,
			output{"nft.json", []string{"nft", "-j", "-a", "list", "ruleset"}}, output{"nft.txt", []string{"nft", "-a", "list", "ruleset"}})
	}
	return result
}

func (r *run) tool(ctx context.Context, folder string, output output) error {
	content, err := tools.Run(ctx, output.command[0], output.command[1:]...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return r.printed(folder+"/"+output.file, content, err)
}

func (r *run) printed(path string, content []byte, failure error) error {
	if failure != nil {
		return r.problem(path, failure)
	}
	return r.raw(path, content)
}
