// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"context"
	"strconv"

	"github.com/vishvananda/netlink"
	"plumbline.dev/agent/internal/facts"
	"plumbline.dev/agent/internal/netns"
	"plumbline.dev/agent/internal/network"
	"plumbline.dev/agent/internal/scope"
)

func (r *run) network(ctx context.Context, folder string, namespace scope.Namespace) error {
	for _, part := range []struct {
		name string
		read func() (any, error)
	}{
		{"netns.json", func() (any, error) { return describe(namespace), nil }},
		{"sysctl.json", func() (any, error) { return network.Sysctls() }},
		{"links.json", func() (any, error) { return r.links(namespace) }},
		{"addresses.json", func() (any, error) { return network.Addresses() }},
		{"routes.json", func() (any, error) { return network.Routes() }},
		{"rules.json", func() (any, error) { return network.Rules() }},
		{"neighbours.json", func() (any, error) { return network.Neighbours() }},
	} {
		if err := r.read(ctx, folder+"/"+part.name, part.read); err != nil {
			return err
		}
	}
	return nil
}

func describe(namespace scope.Namespace) facts.Netns {
	result := facts.Netns{Inode: strconv.FormatUint(namespace.Handle.Inode(), 10), Pods: namespace.Pods}
	if cookie, err := netns.Cookie(); err == nil {
		result.Cookie = strconv.FormatUint(cookie, 10)
	}
	return result
}

// links lists the devices and names the namespaces in which their peers are.
func (r *run) links(namespace scope.Namespace) ([]facts.Link, error) {
	list, err := network.Links()
	if err != nil {
		return nil, err
	}
	peers := r.peers(list)
	result := make([]facts.Link, 0, len(list))
	for _, link := range list {
		if link.PeerIfindex != 0 {
			link.PeerNetns = namespace.ID
			if link.PeerNetnsID >= 0 {
				link.PeerNetns = peers[link.PeerNetnsID]
			}
		}
		result = append(result, link.Link)
	}
	return result, nil
}

// peers maps the numbers under which the thread's namespace knows others (RTM_GETNSID) to their folders. Namespaces out
// of scope stay unknown.
func (r *run) peers(links []network.Link) map[int]string {
	wanted := map[int]bool{}
	for _, link := range links {
		if link.PeerNetnsID >= 0 {
			wanted[link.PeerNetnsID] = true
		}
	}
	result := map[int]string{}
	for _, namespace := range r.view.Namespaces {
		if len(result) == len(wanted) {
			break
		}
		if id, err := netlink.GetNetNsIdByFd(namespace.Handle.FD()); err == nil && wanted[id] {
			result[id] = namespace.ID
		}
	}
	return result
}
