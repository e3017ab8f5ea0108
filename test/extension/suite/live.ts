// SPDX-License-Identifier: Apache-2.0

/** Against the live lab: connect, deploy, look, trace, prove, remove. */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as vscode from 'vscode'
import { AgentDeployment } from '../../../cluster/agentDeployment.ts'
import { readManifests } from '../../../cluster/manifests.ts'
import { ClusterSession } from '../../../cluster/session.ts'
import type { LiveSource } from '../../../src/sources/liveSource.ts'
import type { TracePanel } from '../../../src/trace/tracePanel.ts'
import { environment, plumbline, rowAt, rows, runTests } from './harness.ts'

const folder = environment('PLUMBLINE_TEST_FOLDER')
const CONTEXT = environment('PLUMBLINE_TEST_CONTEXT')

async function live(): Promise<LiveSource> {
  const { app } = await plumbline()
  await app.sources.load()
  const source = app.sources.contexts.find((context) => context.name === CONTEXT)
  assert.ok(source, `context ${CONTEXT} is listed`)
  return source
}

async function connects(): Promise<void> {
  const { app } = await plumbline()
  const source = await live()
  assert.deepEqual(
    (await rows()).find((row) => row.label === CONTEXT)?.context,
    'plumbline.context+idle',
    'nothing connects before it is asked to',
  )
  await vscode.commands.executeCommand('plumbline.cluster.connect', { kind: 'source', source })
  assert.equal(source.failure, undefined, String(source.failure))
  assert.equal(source.state, 'connected')
  assert.match(app.status.text, /no agent/)
  assert.deepEqual(
    (await rows(await rowAt(CONTEXT))).map((row) => row.label),
    ['The agent is not deployed', 'Nodes', 'Namespaces'],
  )
  assert.deepEqual(
    (await rows(await rowAt(CONTEXT, 'Nodes'))).map((row) => row.label),
    ['n1', 'n2'],
  )
  const services = await rows(await rowAt(CONTEXT, 'Namespaces', 'shop', 'Services'))
  assert.ok(services.some((row) => row.label === 'web' && row.description.startsWith('10.96.0.20')))
}

async function doesNotDeployUnasked(): Promise<void> {
  const { answer } = await plumbline()
  let asked = ''
  answer({
    confirm: async ({ detail }) => {
      asked = detail
      return false
    },
  })
  await vscode.commands.executeCommand('plumbline.agent.deploy', await rowAt(CONTEXT))
  assert.match(asked, /create: Namespace plumbline\n(.+\n)*create: DaemonSet plumbline\/plumbline-agent/)
  assert.equal((await live()).agents.length, 0)
}

async function deploys(): Promise<void> {
  const { app, answer } = await plumbline()
  answer({ confirm: async () => true })
  await vscode.commands.executeCommand('plumbline.agent.deploy', await rowAt(CONTEXT))
  const { agents } = await live()
  assert.deepEqual(
    agents.map(({ node, ready, reason }) => ({ node, ready, reason })),
    ['n1', 'n2'].map((node) => ({ node, ready: true, reason: '' })),
  )
  assert.match(app.status.text, /agent 2\/2/)
}

async function showsNode(): Promise<void> {
  const below = await rows(await rowAt(CONTEXT, 'Nodes', 'n1'))
  const facts = new Map(below.map((row) => [row.label, row.description]))
  assert.ok(facts.get('Kernel'), (await live()).current?.partial.join('\n'))
  assert.equal(facts.get('Services by'), 'kube-proxy iptables')
  assert.match(facts.get('Conntrack') ?? '', / % of /)
  const interfaces = (await rows(await rowAt(CONTEXT, 'Nodes', 'n1', 'Interfaces and Hooks'))).map((row) => row.label)
  assert.ok(interfaces.includes('eth0') && interfaces.includes('cni0'), interfaces.join())
  const rules = await rows(await rowAt(CONTEXT, 'Nodes', 'n1', 'Rules'))
  assert.ok(rules.some((row) => row.label === 'kube-proxy'))
  assert.ok(
    rules.some((row) => row.label === 'unknown owner' && row.context.endsWith('+warning')),
    'the house rules of the lab',
  )
  const n2 = new Map((await rows(await rowAt(CONTEXT, 'Nodes', 'n2'))).map((row) => [row.label, row.description]))
  assert.equal(n2.get('Services by'), 'kube-proxy nftables')
}

async function trace(from: string, to: string): Promise<TracePanel> {
  const { app } = await plumbline()
  const panel = await app.traces.open(await live(), { from, to })
  assert.ok(panel, 'a panel opened')
  return panel
}

async function tracesAndProves(): Promise<void> {
  const { app } = await plumbline()
  const panel = await trace('pod:shop/client-n1', 'svc:shop/web:80/TCP')
  const answer = panel.traced?.answer
  assert.equal(answer?.question.destination.ip, '10.96.0.20')
  const lane = answer?.lanes.find((each) => each.lane === 'netfilter')
  assert.equal(lane?.outcomes.length, 3, 'three backends')
  for (const outcome of lane?.outcomes ?? []) assert.equal(outcome.verdict, 'delivered')
  const proof = await panel.prove(new AbortController().signal)
  assert.equal(proof.result, 'confirmed', proof.text)
  assert.ok(proof.attempts.length >= 5)
  const [record] = app.history.records
  assert.deepEqual(record?.asked, { from: 'pod:shop/client-n1', to: 'svc:shop/web:80/TCP' })
}

async function opensEvidence(): Promise<void> {
  const { app } = await plumbline()
  const panel = app.traces.panels[0]
  const steps = panel?.traced?.answer.lanes.find((lane) => lane.lane === 'netfilter')?.outcomes[0]?.steps ?? []
  const step = steps.find((each) => each.effect === 'dnat' && each.evidence?.kind === 'file')
  assert.ok(panel && step?.evidence?.kind === 'file', 'the step that chose the backend points at a line')
  const evidence = app.traces.evidence
  const editor = await evidence.openText(panel.id, step.evidence)
  const line = editor.document.lineAt(editor.selection.active.line)
  assert.equal(editor.selection.active.line, step.evidence.line - 1)
  assert.ok(line.text.includes(step.evidence.text.trim().slice(0, 40)), `${line.text} is ${step.evidence.text}`)
  assert.equal(editor.document.uri.scheme, 'plumbline-evidence')
}

async function tracesRejection(): Promise<void> {
  const { app } = await plumbline()
  const panel = await trace('pod:shop/client-n1', 'svc:shop/ghost:80/TCP')
  const verdicts = panel.traced?.answer.lanes.flatMap((lane) => lane.outcomes.map((outcome) => outcome.verdict))
  assert.deepEqual(new Set(verdicts), new Set(['rejected']), 'a service without endpoints')
  assert.equal((await panel.prove(new AbortController().signal)).result, 'confirmed')
  assert.equal(app.history.records[0]?.mood, 'bad')
}

async function refusesUnknownPlaces(): Promise<void> {
  const { app } = await plumbline()
  const open = app.traces.panels.length
  assert.equal(await app.traces.open(await live(), { from: 'pod:shop/nobody', to: 'svc:shop/web:80/TCP' }), undefined)
  await assert.rejects(app.traces.open(await live(), { from: 'svc:shop/web', to: '10.0.0.1:80/TCP' }), /packets are sent by pods/)
  assert.equal(app.traces.panels.length, open, 'no empty panel stays')
}

async function savesBundle(): Promise<void> {
  const { app, answer } = await plumbline()
  const target = vscode.Uri.file(join(folder, 'saved.zip'))
  answer({ save: async () => target })
  await vscode.commands.executeCommand('plumbline.bundle.save', await rowAt(CONTEXT))
  assert.ok(existsSync(target.fsPath))
  const bundle = await app.sources.openBundle(target)
  assert.deepEqual([...(bundle.current?.cluster.nodes.keys() ?? [])], ['n1', 'n2'])
  const panel = await app.traces.open(bundle, { from: 'pod:shop/client-n1', to: 'svc:shop/web:80/TCP' })
  assert.equal(panel?.view(panel.traced ?? assert.fail('answered')).canProve.possible, false)
  await app.sources.closeBundle(bundle)
}

async function removes(): Promise<void> {
  const { app, answer } = await plumbline()
  answer({ confirm: async () => true })
  await vscode.commands.executeCommand('plumbline.agent.remove', await rowAt(CONTEXT))
  const source = await live()
  assert.deepEqual(source.agents, [])
  // Asked through a connection of the test's own, so that it doesn't believe the extension.
  const session = await ClusterSession.open(source.context)
  const manifests = await readManifests(join(app.extensionUri.fsPath, 'agent/deploy'))
  assert.deepEqual(await new AgentDeployment(session.server, manifests).leftovers(), [])
  session.close()
}

async function disconnects(): Promise<void> {
  const { app } = await plumbline()
  await vscode.commands.executeCommand('plumbline.cluster.disconnect', await rowAt(CONTEXT))
  assert.equal((await live()).state, 'idle')
  assert.equal(app.sources.usable.length, 0)
}

export async function run(): Promise<void> {
  await runTests([
    ['connects when asked, and shows nodes and services', connects],
    ['shows a plan and deploys nothing without a yes', doesNotDeployUnasked],
    ['deploys the agent to every node', deploys],
    ['shows what a node holds', showsNode],
    ['traces a service and proves the answer', tracesAndProves],
    ['opens evidence at the line that decided', opensEvidence],
    ['traces and proves a rejection', tracesRejection],
    ['refuses places that do not exist', refusesUnknownPlaces],
    ['saves a bundle that answers the same questions', savesBundle],
    ['removes the agent and leaves nothing', removes],
    ['disconnects', disconnects],
  ])
}
