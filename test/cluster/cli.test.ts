// SPDX-License-Identifier: Apache-2.0

/** The command line against a real cluster: install, status, snapshot, trace with proof, remove. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TraceAnswer } from '../../core/path/answer.ts'
import { type CliResult, plumbline } from '../support/cli.ts'
import { schemaErrors } from '../../core/text/jsonSchema.ts'
import { holdLab, type Lab, whyNoLab } from './lab.ts'

const reason = whyNoLab()
const SCHEMA: unknown = JSON.parse(readFileSync('protocol/trace.schema.json', 'utf8'))
const CONTEXT = 'plumbline-lab'
const ENDS = ['--from', 'pod:shop/client-n1', '--to', 'svc:shop/web:80/TCP']

describe('the command line in a live cluster', { skip: reason ?? false }, () => {
  let lab: Lab
  let folder: string
  const run = (...args: string[]): Promise<CliResult> =>
    plumbline(args, { env: { KUBECONFIG: lab.kubeconfig }, timeout: 240_000 })

  async function answered(...args: string[]): Promise<CliResult> {
    const result = await run(...args)
    assert.equal(result.code, 0, `${args.join(' ')}: ${result.stderr}`)
    return result
  }

  async function ask(...args: string[]): Promise<TraceAnswer> {
    const answer: TraceAnswer = JSON.parse((await answered('trace', ...ENDS, '--json', ...args)).stdout)
    assert.deepEqual(schemaErrors(SCHEMA, answer), [])
    return answer
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plumbline-live-'))
    lab = await holdLab('mixed')
    await answered('agent', 'remove', '--yes')
  })

  after(async () => {
    await lab?.release()
    rmSync(folder, { recursive: true, force: true })
  })

  test('without an agent, objects alone answer, and the absence is said', async () => {
    assert.equal((await answered('agent', 'status')).stdout, 'The agent is not installed\n')
    assert.deepEqual(JSON.parse((await answered('agent', 'status', '--json')).stdout), {
      schema: 'plumbline.agent-status/v1',
      agents: [],
    })
    const { stdout, stderr } = await answered('trace', '--context', CONTEXT, ...ENDS)
    assert.match(stdout, /eBPF \(planned from the API\)/)
    assert.match(stderr, /^Incomplete: nodes\/n1: no agent is deployed on this node$/m)
    assert.equal((await run('trace', '--context', CONTEXT, ...ENDS, '--lane', 'netfilter')).code, 3)
    const proof = await run('trace', '--context', CONTEXT, ...ENDS, '--prove')
    assert.equal(proof.code, 4, proof.stderr)
  })

  test('installs only what was agreed to', async () => {
    const planned = await answered('agent', 'install', '--dry-run')
    assert.match(planned.stderr, /create\s+Namespace plumbline/)
    const unasked = await run('agent', 'install')
    assert.equal(unasked.code, 2)
    assert.match(unasked.stderr, /nothing was changed: there is no terminal to ask on, so add `--yes`/)
    const nowhere = await run('agent', 'install', '--node', 'n3', '--yes')
    assert.equal(nowhere.code, 3)
    assert.match(nowhere.stderr, /there is no node `n3` in plumbline-lab; did you mean `n1` or `n2`\?/)
    assert.equal((await answered('agent', 'status')).stdout, 'The agent is not installed\n')
  })

  test('installs on one node, then on all, and says how they fare', async () => {
    assert.equal((await answered('agent', 'install', '--node', 'n1', '--yes')).stdout, 'The agent is ready on n1\n')
    assert.equal((await answered('agent', 'install', '--yes')).stdout, 'The agent is ready on n1, n2\n')
    const { agents } = JSON.parse((await answered('agent', 'status', '--json')).stdout)
    assert.deepEqual(
      agents.map(({ node, ready }: { node: string; ready: boolean }) => [node, ready]),
      [
        ['n1', true],
        ['n2', true],
      ],
    )
    assert.ok(agents[0].capabilities.length > 0 && agents[0].kernelRelease !== '')
    assert.match((await answered('agent', 'status')).stdout, /^n1 {2}\S+ {2}ready {2}kernel /)
  })

  test('proves its answer with real packets', async () => {
    const { lanes, difference, proof } = await ask('--context', CONTEXT, '--prove')
    assert.deepEqual(
      lanes.map(({ lane }) => lane),
      ['netfilter', 'ebpf'],
    )
    assert.ok(difference !== null)
    assert.equal(proof?.result, 'confirmed', JSON.stringify(proof))
    assert.ok(proof.attempts.length >= 1 && proof.attempts.every((attempt) => attempt.outcome !== null))
    const text = (await answered('trace', '--context', CONTEXT, ...ENDS, '--prove')).stdout
    assert.match(text, /^Proof {2}✔ /m)
  })

  test('a snapshot answers as the cluster does, wherever it is read', async () => {
    const zip = join(folder, 'lab.zip')
    const { stdout } = await answered('snapshot', '--context', CONTEXT, '-o', zip, '--json')
    const { schema, nodes, problems } = JSON.parse(stdout)
    assert.deepEqual({ schema, nodes, problems }, { schema: 'plumbline.snapshot/v1', nodes: ['n1', 'n2'], problems: [] })
    const again = join(folder, 'unpacked')
    await answered('snapshot', '--bundle', zip, '-o', again)
    const ends = ({ lanes }: TraceAnswer) =>
      lanes.map((lane) =>
        lane.outcomes.map(({ verdict, probability, destination, source }) => ({ verdict, probability, destination, source })),
      )
    const live = ends(await ask('--context', CONTEXT))
    assert.deepEqual(ends(await ask('--bundle', zip)), live)
    assert.deepEqual(ends(await ask('--bundle', again)), live)
  })

  test("a context that can't be found lists those there are", async () => {
    const { code, stderr } = await run('trace', '--context', 'prod', ...ENDS)
    assert.equal(code, 3)
    assert.match(stderr, /no context `prod`; there are `plumbline-lab`/)
  })

  test('removes everything, and says when there is nothing left', async () => {
    assert.equal((await run('agent', 'remove')).code, 2)
    assert.match((await answered('agent', 'remove', '--yes')).stdout, /^Removed; nothing is left of \d+ objects\n$/)
    assert.equal((await answered('agent', 'remove', '--yes')).stdout, 'Nothing to remove\n')
  })
})
