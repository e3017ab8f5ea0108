// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"path/filepath"
	"time"

	"plumbline.dev/lab/internal/host"
	"plumbline.dev/lab/internal/pki"
)

// writeCertificates makes all identities of the cluster.
func writeCertificates(nodes []node) error {
	request := pki.Request{
		Dir: filepath.Join(RunDir, "pki"), Server: server, ClusterLabel: "plumbline-lab", ValidFor: 30 * 24 * time.Hour,
		ServerNames: []string{controlPlane.ip4, controlPlane.ip6, "10.96.0.1", "fd00:10:96::1"},
	}
	for _, n := range nodes {
		request.Nodes = append(request.Nodes, pki.Node{Name: n.name, Addresses: []string{n.ip4, n.ip6}})
	}
	return pki.Write(request)
}

// startControlPlane starts all its processes at once: they wait for each other by themselves.
func (l *lab) startControlPlane() error {
	for _, program := range []struct {
		name  string
		flags []string
	}{
		{"etcd", []string{"--data-dir=" + filepath.Join(DiskDir, "etcd")}},
		{"kube-apiserver", apiServerFlags()},
		{"kube-controller-manager", controllerFlags()},
		{"kube-scheduler", []string{"--kubeconfig=" + secret("scheduler.kubeconfig"), "--bind-address=127.0.0.1", "--leader-elect=false"}},
	} {
		command := []string{"nsenter", "--net=" + host.NamespacePath(cpSpace), l.Kubelab, program.name}
		if err := l.start(program.name, cpSpace, nil, append(command, program.flags...)); err != nil {
			return err
		}
	}
	return nil
}

func apiServerFlags() []string {
	return []string{
		"--etcd-servers=http://127.0.0.1:2379",
		"--bind-address=0.0.0.0",
		"--advertise-address=" + controlPlane.ip4,
		"--secure-port=6443",
		"--tls-cert-file=" + secret("apiserver.crt"),
		"--tls-private-key-file=" + secret("apiserver.key"),
		"--client-ca-file=" + secret("ca.crt"),
		"--kubelet-client-certificate=" + secret("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + secret("apiserver-kubelet-client.key"),
		"--kubelet-certificate-authority=" + secret("ca.crt"),
		// The default tries the node's host name first, which no resolver knows: exec and logs would fail.
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + secret("ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + secret("front-proxy-client.crt"),
		"--proxy-client-key-file=" + secret("front-proxy-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + secret("sa.pub"),
		"--service-account-signing-key-file=" + secret("sa.key"),
		"--service-cluster-ip-range=" + services,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
	}
}

// controllerFlags leave pod networks to the lab: the controller would hand them out in the order in which nodes
// register, and which node has which must not depend on that.
func controllerFlags() []string {
	return []string{
		"--kubeconfig=" + secret("controller-manager.kubeconfig"),
		"--bind-address=127.0.0.1",
		"--use-service-account-credentials",
		"--leader-elect=false",
		// It starts with some sixty requests, and the default of 20 in a second is for clusters with other users.
		"--kube-api-qps=500",
		"--kube-api-burst=1000",
		"--service-account-private-key-file=" + secret("sa.key"),
		"--root-ca-file=" + secret("ca.crt"),
		"--cluster-signing-cert-file=" + secret("ca.crt"),
		"--cluster-signing-key-file=" + secret("ca.key"),
		"--allocate-node-cidrs=false",
		"--cluster-cidr=" + podNets,
		"--service-cluster-ip-range=" + services,
	}
}
