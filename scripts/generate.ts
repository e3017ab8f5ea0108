// SPDX-License-Identifier: Apache-2.0

/**
 * Generates gen/ with the pinned buf: types and services of the agent's contract (protocol/agent.proto), and of Hubble's API from
 * the proto files of the Cilium release that lab/cilium/go.mod pins, so that there is one version of it in the project.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

const HUBBLE = ['flow', 'observer', 'relay']

const buf = (...args: readonly string[]) =>
  execFileSync('node_modules/.bin/buf', ['generate', '--template', 'scripts/buf.gen.ts.yaml', ...args], { stdio: 'inherit' })

/** Folder of the pinned Cilium module, downloaded once into Go's module cache. */
function ciliumModule(): string {
  const go = (...args: readonly string[]) => execFileSync('go', args, { cwd: 'lab/cilium', encoding: 'utf8' }).trim()
  const version = /^\s*github\.com\/cilium\/cilium (v\S+)/m.exec(go('mod', 'edit', '-print'))?.[1]
  if (version === undefined) throw new Error('lab/cilium/go.mod does not require github.com/cilium/cilium')
  return (JSON.parse(go('mod', 'download', '-json', `github.com/cilium/cilium@${version}`)) as { Dir: string }).Dir
}

rmSync('gen', { recursive: true, force: true })
buf('protocol', '--output', 'gen')
const api = join(ciliumModule(), 'api/v1')
buf(api, '--output', 'gen/hubble', ...HUBBLE.flatMap((name) => ['--path', join(api, name)]))
