// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"path/filepath"
	"strings"

	"plumbline.dev/lab/internal/host"
)

// startOperator starts what registers Cilium's kinds of objects and keeps them tidy. It gets a /run of its own: it
// insists on a socket in /run/cilium, which would stay on the machine.
func (l *lab) startOperator() error {
	const own = RunDir + "/operator"
	inside := filepath.Join(own, strings.TrimPrefix(RunDir, "/run")) // where its kubeconfig stays visible
	prepare := strings.Join([]string{
		"mkdir -p " + inside,
		"mount --bind " + RunDir + " " + inside,
		"mount --rbind " + own + " /run",
		`exec "$@"`,
	}, " && ")
	command := []string{
		"nsenter", "--net=" + host.NamespacePath(cpSpace), "unshare", "--mount", "--propagation", "slave", "sh", "-c", prepare, "sh",
		filepath.Join(l.Cilium, "cilium-operator-generic"),
	}
	flags := append(ciliumFlags(), "--cilium-pod-namespace=kube-system", "--operator-k8s-client-qps=50", "--unmanaged-pod-watcher-interval=0")
	return l.start("cilium-operator", cpSpace, nil, append(command, flags...))
}
