// SPDX-License-Identifier: Apache-2.0

/** Generates gen/ (TypeScript types and service of the agent's contract) from protocol/agent.proto with the pinned buf. */
import { execFileSync } from 'node:child_process'

execFileSync('node_modules/.bin/buf', ['generate', '--template', 'scripts/buf.gen.ts.yaml'], { stdio: 'inherit' })
