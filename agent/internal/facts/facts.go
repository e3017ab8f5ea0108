// SPDX-License-Identifier: Apache-2.0

// Package facts holds the JSON shapes of a node's snapshot files, field by field as core/facts/node.ts declares them.
package facts

// Node is node.json.
type Node struct {
	Schema        string            `json:"schema"`
	Node          string            `json:"node"`
	AgentVersion  string            `json:"agentVersion"`
	CapturedAt    string            `json:"capturedAt"`
	KernelRelease string            `json:"kernelRelease"`
	Architecture  string            `json:"architecture"`
	BootID        string            `json:"bootId"`
	OSRelease     map[string]string `json:"osRelease,omitempty"`
	Capabilities  []Capability      `json:"capabilities"`
	Tools         map[string]string `json:"tools"`
	KernelConfig  map[string]string `json:"kernelConfig,omitempty"`
	Problems      []Problem         `json:"problems"`
}

// NodeSchema is the value of Node.Schema.
const NodeSchema = "plumbline.node/v1"

// Capability is one thing the agent can or can't do here, and why.
type Capability struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Reason    string `json:"reason"`
}

// Problem is a part that is missing or incomplete. Path is relative to the node's folder.
type Problem struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Pods is pods.json.
type Pods struct {
	Pods []Pod `json:"pods"`
}

// Pod is one pod of the node.
type Pod struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	UID       string   `json:"uid"`
	Netns     string   `json:"netns,omitempty"`
	Cgroups   []string `json:"cgroups"`
}

// PodName is a pod's name and namespace.
type PodName struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Netns is netns/<id>/netns.json.
type Netns struct {
	Inode  string    `json:"inode"`
	Cookie string    `json:"cookie,omitempty"`
	Pods   []PodName `json:"pods"`
}

// Link is an entry of netns/<id>/links.json.
type Link struct {
	Ifindex     int        `json:"ifindex"`
	Ifname      string     `json:"ifname"`
	Flags       []string   `json:"flags"`
	MTU         int        `json:"mtu"`
	Operstate   string     `json:"operstate"`
	Kind        string     `json:"kind"`
	Address     string     `json:"address,omitempty"`
	Master      int        `json:"master,omitempty"`
	PeerIfindex int        `json:"peerIfindex,omitempty"`
	PeerNetns   string     `json:"peerNetns,omitempty"`
	Altnames    []string   `json:"altnames,omitempty"`
	VXLAN       *VXLAN     `json:"vxlan,omitempty"`
	Bridge      *Bridge    `json:"bridge,omitempty"`
	Port        *Port      `json:"port,omitempty"`
	FDB         []FDBEntry `json:"fdb,omitempty"`
}

// VXLAN is what a vxlan device is made of.
type VXLAN struct {
	ID       int    `json:"id"`
	Port     int    `json:"port"`
	Local    string `json:"local,omitempty"`
	Group    string `json:"group,omitempty"`
	Learning bool   `json:"learning"`
	External bool   `json:"external"`
}

// Bridge holds a bridge's switches.
type Bridge struct {
	VLANFiltering   bool `json:"vlanFiltering"`
	NFCallIptables  bool `json:"nfCallIptables"`
	NFCallIP6tables bool `json:"nfCallIp6tables"`
}

// Port is a bridge's port. State is BR_STATE_*, include/uapi/linux/if_bridge.h.
type Port struct {
	Hairpin  bool `json:"hairpin"`
	Isolated bool `json:"isolated"`
	State    int  `json:"state"`
}

// FDBEntry is a forwarding entry of a bridge port or VXLAN device.
type FDBEntry struct {
	LLAddr string `json:"lladdr"`
	Dst    string `json:"dst,omitempty"`
	VLAN   int    `json:"vlan,omitempty"`
}

// Address is an entry of netns/<id>/addresses.json.
type Address struct {
	Ifindex int      `json:"ifindex"`
	Family  int      `json:"family"`
	Address string   `json:"address"`
	Peer    string   `json:"peer,omitempty"`
	Scope   string   `json:"scope"`
	Flags   []string `json:"flags"`
}

// Route is an entry of netns/<id>/routes.json.
type Route struct {
	Family   int       `json:"family"`
	Table    int       `json:"table"`
	Dst      string    `json:"dst"`
	Src      string    `json:"src,omitempty"`
	Type     string    `json:"type"`
	Scope    string    `json:"scope"`
	Protocol string    `json:"protocol"`
	Metric   int       `json:"metric"`
	TOS      int       `json:"tos,omitempty"`
	Prefsrc  string    `json:"prefsrc,omitempty"`
	MTU      int       `json:"mtu,omitempty"`
	Nexthops []Nexthop `json:"nexthops"`
}

// Nexthop is one way of a route. Weight counts from 1.
type Nexthop struct {
	Ifindex int      `json:"ifindex,omitempty"`
	Via     string   `json:"via,omitempty"`
	Weight  int      `json:"weight"`
	Flags   []string `json:"flags"`
}

// Rule is an entry of netns/<id>/rules.json.
type Rule struct {
	Family               int     `json:"family"`
	Priority             uint32  `json:"priority"`
	Not                  bool    `json:"not"`
	Src                  string  `json:"src,omitempty"`
	Dst                  string  `json:"dst,omitempty"`
	Iif                  string  `json:"iif,omitempty"`
	Oif                  string  `json:"oif,omitempty"`
	Fwmark               *uint32 `json:"fwmark,omitempty"`
	Fwmask               *uint32 `json:"fwmask,omitempty"`
	TOS                  int     `json:"tos,omitempty"`
	IPProtocol           int     `json:"ipProtocol,omitempty"`
	SportRange           *[2]int `json:"sportRange,omitempty"`
	DportRange           *[2]int `json:"dportRange,omitempty"`
	UIDRange             *[2]int `json:"uidRange,omitempty"`
	SuppressPrefixLength *int    `json:"suppressPrefixLength,omitempty"`
	L3mdev               bool    `json:"l3mdev,omitempty"`
	Action               string  `json:"action"`
	Table                int     `json:"table,omitempty"`
	GotoPriority         uint32  `json:"gotoPriority,omitempty"`
}

// Neighbour is an entry of netns/<id>/neighbours.json.
type Neighbour struct {
	Ifindex int    `json:"ifindex"`
	Family  int    `json:"family"`
	Address string `json:"address"`
	LLAddr  string `json:"lladdr,omitempty"`
	State   string `json:"state"`
}

// Conntrack is netns/<id>/conntrack.json.
type Conntrack struct {
	Count   int              `json:"count"`
	Max     int              `json:"max"`
	Omitted int              `json:"omitted"`
	Entries []ConntrackEntry `json:"entries"`
}

// ConntrackEntry is one tracked connection. Timeout is in seconds.
type ConntrackEntry struct {
	Protocol int    `json:"protocol"`
	Original Tuple  `json:"original"`
	Reply    Tuple  `json:"reply"`
	Status   uint32 `json:"status"`
	Mark     uint32 `json:"mark"`
	Zone     int    `json:"zone"`
	TCPState string `json:"tcpState,omitempty"`
	Timeout  uint32 `json:"timeout"`
}

// Tuple is one direction of a connection. Protocols with ports have Sport and Dport, ICMP has the other three.
type Tuple struct {
	Src      string  `json:"src"`
	Dst      string  `json:"dst"`
	Sport    *uint16 `json:"sport,omitempty"`
	Dport    *uint16 `json:"dport,omitempty"`
	ICMPType *uint8  `json:"icmpType,omitempty"`
	ICMPCode *uint8  `json:"icmpCode,omitempty"`
	ICMPID   *uint16 `json:"icmpId,omitempty"`
}

// Program is an entry of bpf/programs.json.
type Program struct {
	ID             uint32   `json:"id"`
	Type           string   `json:"type"`
	Name           string   `json:"name"`
	Tag            string   `json:"tag"`
	MapIDs         []uint32 `json:"mapIds"`
	LoadedAt       string   `json:"loadedAt,omitempty"`
	RunNanoseconds string   `json:"runNanoseconds,omitempty"`
	RunCount       string   `json:"runCount,omitempty"`
	Own            bool     `json:"own"`
}

// Map is an entry of bpf/maps.json.
type Map struct {
	ID          uint32 `json:"id"`
	Type        string `json:"type"`
	Name        string `json:"name"`
	KeySize     uint32 `json:"keySize"`
	ValueSize   uint32 `json:"valueSize"`
	MaxEntries  uint32 `json:"maxEntries"`
	Flags       uint32 `json:"flags"`
	MemoryBytes string `json:"memoryBytes,omitempty"`
	BTFID       uint32 `json:"btfId,omitempty"`
}

// Attachment is an entry of bpf/links.json. ID is 0 for what is attached without a link.
type Attachment struct {
	ID        uint32 `json:"id"`
	ProgramID uint32 `json:"programId"`
	Attach    string `json:"attach"`
	Netns     string `json:"netns,omitempty"`
	Ifindex   int    `json:"ifindex,omitempty"`
	Cgroup    string `json:"cgroup,omitempty"`
	Target    string `json:"target,omitempty"`
	Position  *int   `json:"position,omitempty"`
}

// Pin is an entry of bpf/pins.json.
type Pin struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
	ID   uint32 `json:"id"`
}

// MapDump is an entry of bpf/maps/index.json: what bpf/maps/<name>.bin holds.
type MapDump struct {
	Name           string `json:"name"`
	File           string `json:"file"`
	Path           string `json:"path"`
	ID             uint32 `json:"id"`
	Type           string `json:"type"`
	KeySize        uint32 `json:"keySize"`
	ValueSize      uint32 `json:"valueSize"`
	ValuesPerEntry uint32 `json:"valuesPerEntry"`
	MaxEntries     uint32 `json:"maxEntries"`
	Flags          uint32 `json:"flags"`
	Count          uint64 `json:"count"`
	Truncated      bool   `json:"truncated"`
	Incomplete     string `json:"incomplete,omitempty"`
}

// Cilium is bpf/cilium.json: whether Cilium's agent runs on the node, and how it is configured.
type Cilium struct {
	Running bool `json:"running"`
	// ConfigFile is where Config was read, as the node sees it; "" if there is none.
	ConfigFile string         `json:"configFile,omitempty"`
	Config     map[string]any `json:"config,omitempty"`
}
