// SPDX-License-Identifier: Apache-2.0

package main

import "google.golang.org/protobuf/reflect/protoreflect"

var nodeNames = []string{"", "n1", "prod/n1", "prod/n2.example.com", "default/n1", "N1"}

var addresses = []string{"10.0.1.4", "10.0.2.5", "10.1.0.1", "192.168.7.7", "fd00::1", "fd00:0::2", "::ffff:10.0.1.4", "not an address"}

// texts are few, so that filters meet them; and some are hard to write as JSON.
var texts = map[protoreflect.FullName][]string{
	"flow.IP.source":                   addresses,
	"flow.IP.destination":              addresses,
	"flow.IP.source_xlated":            addresses,
	"flow.Ethernet.source":             {"aa:bb:cc:dd:ee:ff"},
	"flow.Ethernet.destination":        {"00:11:22:33:44:55"},
	"flow.Endpoint.namespace":          {"", "shop", "default", "kube-system"},
	"flow.Endpoint.pod_name":           {"", "web-1", "web-2", "db-0", "w"},
	"flow.Endpoint.cluster_name":       {"", "prod", "default"},
	"flow.Endpoint.labels":             {"k8s:app=web", "k8s:app=db", "app=web", "any:app=web", "reserved:world", "$host", "cidr:10.0.0.0/8", "k8s:io.kubernetes.pod.namespace=shop", "k8s:tier=9", "io.cilium.reserved.health", "k8s:flag", "reserved:=odd"},
	"flow.Flow.node_labels":            {"kubernetes.io/os=linux", "io.cilium/egress-gateway=", "zone=a", "k8s:zone=b"},
	"flow.Workload.name":               {"", "web", "db"},
	"flow.Workload.kind":               {"", "Deployment", "StatefulSet"},
	"flow.Service.name":                {"", "web", "web-internal", "db"},
	"flow.Service.namespace":           {"", "shop", "default"},
	"flow.Flow.node_name":              nodeNames,
	"flow.Flow.source_names":           {"example.com", "www.example.com", "a_b.io", "Upper.io", "10"},
	"flow.Flow.destination_names":      {"example.com", "www.example.com", "a_b.io", "x.example.com.evil", ""},
	"flow.Flow.uuid":                   {"3fa85f64-5717-4562-b3fc-2c963f66afa6", "00000000-0000-0000-0000-000000000000", "UUID", "3FA85F64-5717-4562-B3FC-2C963F66AFA6", "3fa85f6405717-4562-b3fc-2c963f66afa6"},
	"flow.TraceParent.trace_id":        {"", "4bf92f3577b34da6a3ce929d0e0e4736", "1"},
	"flow.NetworkInterface.name":       {"", "eth0", "lxc1"},
	"flow.DNS.query":                   {"example.com.", "kube-dns.svc.", "Ünïcode.", "a\nb"},
	"flow.HTTP.method":                 {"", "GET", "get", "POST", "ſ"},
	"flow.HTTP.url":                    {"", "http://web.shop/page/1?q=2", "/page/22", "http://[bad", "page", "http://h/p%20q", "//x/y", "*", "http://h/%zz", "http://u:p@h:80/a/b#f", "mailto:x", "/a b"},
	"flow.HTTPHeader.key":              {"Host", "X"},
	"flow.HTTPHeader.value":            {"web", "1"},
	"flow.Flow.Summary":                {"TCP Flags: SYN", "<b>&\u2028\u2029\u007f\\\"\t\b\x01é𝄞"},
	"flow.Policy.name":                 {"allow-web", "deny"},
	"relay.NodeStatusEvent.node_names": nodeNames,
}

func textsOf(field protoreflect.FieldDescriptor) []string {
	if values, ok := texts[field.FullName()]; ok {
		return values
	}
	return []string{"one", "two", "<3"}
}

// asked are the texts of filters, by field; "source_" and "destination_" fields ask the same.
var asked = map[protoreflect.Name][]string{
	"uuid":             texts["flow.Flow.uuid"],
	"ip":               {"10.0.1.4", "10.0.0.0/16", "10.0.2.5/32", "fd00::/64", "fd00::1", "::ffff:10.0.0.0/104", "0.0.0.0/0", "::/0"},
	"ip_xlated":        {"10.0.1.4", "192.168.0.0/16"},
	"pod":              {"shop/web", "web", "shop/", "/web", "/", "kube-system/", "db", "shop/web-1/x", "default/w"},
	"fqdn":             {"example.com", "*.example.com", "*", "A_B.io.", " example.com ", "*example*", "10"},
	"label":            {"app=web", "k8s:app=web", "any:app=web", "app in (web, db)", "app notin (web)", "!app", "reserved:world", "k8s:app", "k8s:tier>5", "tier<9", "app=web,tier", "app!=web", "k8s:io.kubernetes.pod.namespace=shop", "reserved:host", "flag", "k8s:app==db", "app=", "cidr:10.0.0.0/8", "! k8s:app", "app in (web,db),!tier", "reserved:odd", "reserved.health", "reserved:health", "unspec:app=web"},
	"service":          {"shop/web", "web", "shop/", "/db", "/"},
	"cluster_name":     {"prod", "default"},
	"http_status_code": {"200", "404", "5+", "20+", "1+", "503"},
	"protocol":         {"tcp", "UDP", "icmp", "icmpv4", "icmpv6", "sctp", "vrrp", "igmp", "dns", "http", "kafka"},
	"port":             {"53", "80", "443", "5432", "33001", "0"},
	"dns_query":        {"example", "^kube-.*\\.$", "(?i)EXAMPLE", "\\AÜ", "\\d|[[:upper:]]", "a.b", "(?s)a.b", "\\.\\z"},
	"http_method":      {"get", "POST", "s", "PUT"},
	"http_path":        {"/page/\\d+", "^/page/[0-9]{2}$", "p q", "^/$", ".*", "^/a/b$", "y"},
	"http_url":         {"http://", "\\?q=", "^page$", "(?P<x>web)"},
	"node_name":        {"n1", "*", "prod/*", "prod/", "/n1", "n*", "prod/n2.example.com", "default/n1", "N1"},
	"node_labels":      {"kubernetes.io/os=linux", "io.cilium/egress-gateway", "zone in (a,b)", "!zone", "k8s:zone", "zone=b"},
	"trace_id":         texts["flow.TraceParent.trace_id"],
}
