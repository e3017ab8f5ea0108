#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# update-modules.sh VERSION: rewrites go.mod and go.sum for another Kubernetes release, e.g. `update-modules.sh 1.34.4`.
#
# k8s.io/kubernetes replaces its staging modules (client-go, kubelet, …) by folders of its own repository. Those
# replacements do not reach us, so each of them is pinned here to the release published from the same commit:
# Kubernetes v1.X.Y is k8s.io/client-go v0.X.Y. Modules of k8s.io that are not staged (kube-openapi, utils) stay as
# Kubernetes requires them.
set -eu
version=${1:?usage: update-modules.sh VERSION}
staging=v0.${version#1.}
cd "$(dirname "$0")"
upstream=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/^.*"GoMod": "\(.*\)",*$/\1/p')
staged=$(sed -n 's/^[[:space:]]*\(replace \)*\(k8s\.io\/[^ ]*\) => \.\/staging.*$/\2/p' "$upstream" | sort -u)
if [ -z "$staged" ]; then # since 1.35 the staging modules are required at v0.0.0 and joined by a go.work file
	staged=$(sed -n 's/^[[:space:]]*\(k8s\.io\/[^ ]*\) v0\.0\.0\( .*\)*$/\1/p' "$upstream" | sort -u)
fi
{
	printf 'module plumbline.dev/lab/kubelab\n\ngo 1.26\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$version"
	for module in $staged; do printf '\t%s => %s %s\n' "$module" "$module" "$staging"; done
	printf ')\n'
} >go.mod
rm -f go.sum
go mod tidy
