#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints a two-lane trace of a recorded cluster (LIVE=1: of the live lab cluster), then opens the same in VS Code.
set -euo pipefail
cd "$(dirname "$0")/.."

FROM=${FROM:-pod:shop/client-n1}
TO=${TO:-svc:shop/web:80/TCP}
PROXY=${PROXY:-iptables}
OUT=out/demo
mkdir -p "$OUT"

say() { printf '\n── %s\n' "$*" >&2; }

if [ "${LIVE:-}" = 1 ]; then
  say "starting the lab cluster (kube-proxy: $PROXY)"
  make -s lab-up PROXY="$PROXY" agent-image
  lab/lab image-load dist/agent-image.tar >&2
  KUBECONFIG=$(lab/lab kubeconfig)
  export KUBECONFIG
  node dist/cli.js agent install --yes
  place=(--kubeconfig "$KUBECONFIG")
  facts=("${place[@]}" --prove)
else
  place=(--bundle "test/fixtures/bundles/$PROXY.zip")
  facts=("${place[@]}")
fi

say "plumbline trace ${facts[*]} --from $FROM --to $TO"
node dist/cli.js trace "${facts[@]}" --from "$FROM" --to "$TO"
node dist/cli.js trace "${facts[@]}" --from "$FROM" --to "$TO" --json >"$OUT/demo.plumbline-trace.json"

if [ "${LIVE:-}" != 1 ]; then
  recording=(--bundle test/fixtures/bundles/half.zip)
  half=("${recording[@]}" --from pod:shop/client-n2 --to "$TO")
  say "a cluster half-way: n1 on Cilium without kube-proxy, n2 still on kube-proxy: plumbline trace ${half[*]} --lane ebpf"
  node dist/cli.js trace "${half[@]}" --lane ebpf
  node dist/cli.js trace "${half[@]}" --json >"$OUT/half-migrated.plumbline-trace.json"
  say "$OUT/half-migrated.plumbline-trace.json is that trace with both lanes; docs/half-migrated.md walks through it"
  place+=("${recording[@]}")
fi

[ "${DEMO_OPEN:-1}" = 1 ] || exit 0
make -s vsix packages-ui
exec node scripts/demo-open.ts "$OUT/demo.plumbline-trace.json" "${place[@]}"
