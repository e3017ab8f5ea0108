#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Records one running lab as the bundle $OUT.zip, the way a user would: install the agent, take a snapshot, remove the agent.
# Run by `make lab-record`, once for every kind of lab.
set -euo pipefail
cd "$(dirname "$0")/.."

lab/lab image-load dist/agent-image.tar >&2
node dist/cli.js agent install --yes
node dist/cli.js snapshot --context plumbline-lab --kubeconfig "$KUBECONFIG" -o "$OUT.zip"
node dist/cli.js agent remove --yes
