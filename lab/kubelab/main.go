// SPDX-License-Identifier: Apache-2.0

// Command kubelab is every Kubernetes component in one binary: etcd, the control plane, the kubelet, kube-proxy and
// kubectl, linked once from the published Go modules. One link instead of seven keeps the first build short, and no
// container registry or package repository is needed to get a cluster.
//
//	kubelab kube-apiserver --etcd-servers=…
//	kubelab kubectl get pods
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// components are the cobra-based programs. They are functions, because each constructor registers global flags and
// only one component runs per process.
var components = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	name := os.Args[1]
	os.Args = os.Args[1:] // the components read their own name and arguments from os.Args
	switch name {
	case "etcd":
		exitOn(runEtcd(os.Args[1:]))
	case "kubectl":
		// kubectl prints its own errors; cli.Run would print them a second time.
		exitOn(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
	default:
		component, known := components[name]
		if !known {
			usage()
		}
		os.Exit(cli.Run(component()))
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: kubelab etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kube-proxy|kubectl [flags]")
	os.Exit(2)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
