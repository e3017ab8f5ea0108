// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import type { Proof } from '../../core/path/answer.ts'
import { parsePlace } from '../../core/path/place.ts'
import { trace } from '../../core/path/trace.ts'
import type { TraceView } from '../../protocol/tracePanel.ts'
import { rawCluster } from '../support/rawFixtures.ts'
import {
  confirmedProof,
  contradictedProof,
  droppedAnswer,
  HOSTILE,
  hostileAnswer,
  longAnswer,
  serviceAnswer,
  undecidedAnswer,
  view,
} from './answers.ts'
import { axeViolations } from './harness/axe.ts'
import { launchBrowser } from './harness/browser.ts'
import { type PanelOptions, PanelUnderTest, pending, readTheme } from './harness/panel.ts'
import { THEME_NAMES } from './harness/workbench.ts'

let browser: Browser
let panel: PanelUnderTest | undefined

before(async () => {
  browser = await launchBrowser()
})
afterEach(async () => {
  const faults = panel?.faults ?? []
  await panel?.close()
  panel = undefined
  assert.deepEqual(faults, [])
})
after(() => browser.close())

async function show(shown: TraceView | null, options: Partial<PanelOptions> = {}): Promise<Page> {
  panel = await PanelUnderTest.open(browser, { panel: 'trace', ...options })
  if (shown !== null) {
    await panel.tell('answer', shown)
    await panel.page.locator('h1').waitFor()
  }
  return panel.page
}

function current(): PanelUnderTest {
  assert.ok(panel)
  return panel
}

async function text(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? '').replace(/\s+/g, ' ').trim()
}

/** The step or cell the keyboard is at. */
function focused(page: Page): Promise<string> {
  return page.evaluate('(document.activeElement?.innerText ?? "").replace(/\\s+/g, " ").trim()')
}

/** What the engine answers about a recorded cluster. */
function recorded(from: string, to: string): TraceView {
  return view(trace(rawCluster('iptables'), { from: parsePlace(from), to: parsePlace(to) }), { facts: 'iptables (recorded)' })
}

const SHOWN: Readonly<Record<string, () => TraceView | null>> = {
  waiting: () => null,
  'recorded service': () => recorded('pod:shop/client-n1', 'svc:shop/web:80/TCP'),
  'recorded drop': () => recorded('pod:shop/client-n2', 'svc:vault/safe:8200/TCP'),
  service: () =>
    view({ ...serviceAnswer(), proof: confirmedProof() }, { partial: ['node-b has no eBPF maps.', 'node-c is missing.'] }),
  dropped: () => view(droppedAnswer(), { canProve: { possible: false, reason: 'A bundle has no running pods.' } }),
  undecided: () => view(undecidedAnswer()),
  contradicted: () => view({ ...serviceAnswer(), proof: contradictedProof() }),
  hostile: () => view(hostileAnswer()),
  long: () => view(longAnswer()),
  empty: () => view({ ...serviceAnswer(), lanes: [], difference: null }),
}

describe('accessible in every theme, wide and narrow', () => {
  for (const theme of THEME_NAMES) {
    for (const width of theme === 'dark' ? [1280, 480] : [1280]) {
      for (const [name, shown] of Object.entries(SHOWN)) {
        test(`${name}, ${theme}, ${width} px`, async () => {
          const page = await show(shown(), { theme, width })
          assert.deepEqual(await axeViolations(page), [])
          const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
          assert.ok(overflow <= 0, `the page is ${overflow} px too wide`)
        })
      }
    }
  }
})

describe('the answer', () => {
  test('comes first, in words', async () => {
    const page = await show(view(serviceAnswer()))
    assert.match(await text(page.locator('h1')), /Both lanes deliver, to the same 3 backends \(⅓ each\)\./)
    assert.match(
      await text(page.locator('.differences')),
      /bypass 7 rules the packet meets, 2 of them of unknown owner\. Show where Show rules$/,
    )
  })

  test('a drop says why and what would help, and ends its lane with a wall', async () => {
    const page = await show(view(droppedAnswer()))
    const failure = page.locator('.failure')
    assert.match(await text(failure), /eBPF dropped: no ingress rule of NetworkPolicy/)
    assert.match(await text(failure), /Would let it through: an ingress rule for pods/)
    assert.equal(await page.locator('td.lane-1 div.wall').count(), 1)
    assert.match(await text(page.locator('td.lane-1 div.wall')), /Dropped here/)
    await failure.getByRole('button', { name: 'Show where it ends' }).click()
    assert.match(await focused(page), /no ingress rule of NetworkPolicy/)
  })

  test('a contradiction stands before the headline', async () => {
    const page = await show(view({ ...serviceAnswer(), proof: contradictedProof() }))
    const shown = await text(page.locator('main'))
    assert.ok(shown.indexOf('Proof: contradicted') < shown.indexOf('Both lanes deliver'))
    const rows = page.locator('.proof tbody tr')
    assert.match(await text(rows.first()), /not predicted/)
    await page.getByRole('button', { name: 'Report' }).click()
    assert.equal(current().requests('report').length, 1)
  })

  test('an undecided match names the missing fact where it matters', async () => {
    const page = await show(view(undecidedAnswer()))
    assert.match(await text(page.locator('h1')), /Netfilter accepts or drops: 1 fact is missing\./)
    assert.match(await text(page.locator('td .missing')), /collect bpf\/programs\.json/)
  })

  test('another answer to the same question keeps what was chosen, another question does not', async () => {
    const page = await show(view(serviceAnswer()))
    await page.getByRole('radio', { name: /shop\/db-2/ }).click()
    await current().tell('answer', view(serviceAnswer()))
    await page.getByRole('radio', { name: /shop\/db-2/, checked: true }).waitFor()
    const other = serviceAnswer()
    await current().tell('answer', view({ ...other, question: { ...other.question, to: 'svc:shop/other:1/TCP' } }))
    await page.getByRole('radio', { name: /shop\/db-0/, checked: true }).waitFor()
  })
})

describe('a recorded cluster', () => {
  test('every step, bypass and end the engine tells of has its place in the picture', async () => {
    const shown = recorded('pod:shop/client-n1', 'svc:shop/web:80/TCP')
    const page = await show(shown)
    for (let folds = page.locator('[aria-expanded="false"]'); (await folds.count()) > 0; ) await folds.first().click()
    for (const [lane, { outcomes }] of shown.answer.lanes.entries()) {
      const steps = await page.locator(`[data-step^="${lane}."] .said > bdi`).allTextContents()
      assert.deepEqual(
        steps,
        outcomes[0]?.steps.map((step) => step.text),
      )
    }
    const bypassed = shown.answer.difference?.bypassedRules.length ?? 0
    assert.ok(bypassed > 0)
    await page.getByRole('button', { name: 'Show rules that are bypassed' }).click()
    assert.equal(await page.locator('.rule').count(), bypassed)
  })

  test('what stops it, and what would help, come before the lanes', async () => {
    const page = await show(recorded('pod:shop/client-n2', 'svc:vault/safe:8200/TCP'))
    assert.match(await text(page.locator('h1')), /eBPF drops at n1 · policy-ingress\.$/)
    assert.match(await text(page.locator('.failure')), /NetworkPolicy vault\/default-deny/)
    assert.match(await text(page.locator('.failure')), /Would let it through: an ingress rule/)
  })
})

describe('the lanes', () => {
  test('read row by row: place, netfilter, eBPF', async () => {
    const page = await show(view(serviceAnswer()))
    const row = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: /nat\/POSTROUTING/ }) })
    const cells = await row.getByRole('gridcell').allInnerTexts()
    assert.equal(cells.length, 2)
    assert.match(
      cells[0] ?? '',
      /Changed or decided:\s+CORP-EGRESS: MASQUERADE to 10\.0\.0\.11\s+source 10\.244\.1\.23:43512\s+→/,
    )
    assert.match(cells[1] ?? '', /bypassed \(2 rules, 1 of unknown owner\)/)
    assert.equal(await page.getByRole('grid').getAttribute('role'), 'grid')
  })

  test('each lane’s way is drawn through all of its steps, dashed past what it bypasses', async () => {
    const page = await show(view(serviceAnswer()))
    for (const lane of [0, 1]) {
      const shapes = await page.locator(`svg.glyph[data-way="${lane}"]`).count()
      assert.equal(await page.locator(`svg.connectors path.lane-${lane}`).count(), shapes - 1)
      assert.ok((await page.locator(`svg.connectors path.lane-${lane}.past`).count()) > 0)
    }
  })

  test('arrows move by step and lane, Enter opens the evidence', async () => {
    const page = await show(view(serviceAnswer()))
    await page.locator('trace-lanes [tabindex="0"]').focus()
    assert.match(await focused(page), /connect\(\) to 10\.96\.4\.20:5432/)
    await page.keyboard.press('ArrowRight')
    assert.match(await focused(page), /socket load balancer picks/)
    assert.match(await text(page.locator('.details')), /cilium_lb4_backends_v3/)
    await page.keyboard.press('Enter')
    assert.deepEqual(current().requests('openEvidence'), [
      { evidence: { kind: 'map', map: 'cilium_lb4_backends_v3', key: 'backend_id 11', value: '10.244.1.7:5432 state active' } },
    ])
    await page.keyboard.press('ArrowDown')
    assert.match(await focused(page), /default via/)
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('End')
    assert.match(await focused(page), /Delivered to pod shop\/db-0/)
    await page.keyboard.press('Home')
    assert.match(await focused(page), /connect\(\)/)
    await page.keyboard.press('ArrowUp')
    assert.match(await focused(page), /connect\(\)/)
  })

  test('one Tab stop, however long the way', async () => {
    const page = await show(view(longAnswer()))
    assert.equal(await page.locator('trace-lanes [tabindex="0"]').count(), 1)
    for (let presses = 0; presses < 60; presses++) await page.keyboard.press('ArrowDown')
    assert.equal(await page.locator('trace-lanes [tabindex="0"]').count(), 1)
  })

  test('what decided nothing folds into a count; Enter unfolds, Escape folds', async () => {
    const page = await show(view(serviceAnswer()))
    const fold = page.getByRole('button', { name: /9 steps passed/ })
    await fold.focus()
    await page.keyboard.press('Enter')
    assert.equal(await fold.getAttribute('aria-expanded'), 'true')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    assert.match(await focused(page), /rule 2 does not match/)
    await page.keyboard.press('Escape')
    assert.equal(await fold.getAttribute('aria-expanded'), 'false')
    assert.match(await focused(page), /9 steps passed/)
  })

  test('narrow panels put the lanes under each other and name them in each cell', async () => {
    const page = await show(view(serviceAnswer()), { width: 480 })
    const [first, second] = await Promise.all([0, 1].map((lane) => page.locator(`tbody td.lane-${lane}`).first().boundingBox()))
    assert.ok(first && second && second.y >= first.y + first.height - 1)
    const label = await page.evaluate('getComputedStyle(document.querySelector("td.lane-1"), "::after").content')
    assert.equal(label, '"eBPF"')
  })

  test('two hundred steps a lane are drawn at once', async () => {
    const page = await show(null)
    const started = performance.now()
    await current().tell('answer', view(longAnswer()))
    await page.locator('svg.connectors path').first().waitFor({ state: 'attached' })
    const took = performance.now() - started
    assert.ok(took < 2000, `${took.toFixed(0)} ms`)
  })
})

describe('bypassed rules', () => {
  test('Show opens the list, unknown owners first; Escape closes it', async () => {
    const page = await show(view(serviceAnswer()))
    await page.getByRole('button', { name: 'Show rules that are bypassed' }).click()
    const owners = await page.locator('.owner h3').allInnerTexts()
    assert.match(owners[0] ?? '', /Unknown owner 2 rules/)
    assert.match(owners[1] ?? '', /kube-proxy 4 rules/)
    await page.locator('.rule').first().click()
    assert.deepEqual(current().requests('openEvidence').length, 1)
    await page.keyboard.press('Escape')
    assert.equal(await page.locator('details.bypassed[open]').count(), 0)
  })
})

describe('hostile names', () => {
  test('stay text', async () => {
    const page = await show(view(hostileAnswer()))
    await page.getByRole('button', { name: 'Show rules that are bypassed' }).click()
    assert.equal(await page.locator('main img, main script').count(), 0)
    assert.notEqual(await page.title(), 'owned')
    const shown = await text(page.locator('main'))
    assert.ok(shown.includes(HOSTILE[0] ?? ''), 'markup is shown as it is')
    assert.ok(shown.includes('\\u202eevil\\u2066\\x07\\x1b[31mred'), 'control characters are shown')
    assert.doesNotMatch(shown, /[\u202E\u2066\u0007\u001b]/)
  })
})

describe('actions', () => {
  test('Prove It shows progress, then the proof', async () => {
    let finish: (proof: Proof) => void = () => {}
    const proof = new Promise<Proof>((resolve) => {
      finish = resolve
    })
    const page = await show(view(serviceAnswer()), { answer: (method) => (method === 'prove' ? proof : null) })
    await page.getByRole('button', { name: 'Prove It' }).click()
    await current().tell('proving', { text: 'Connecting', done: 3, of: 9 })
    await page.getByText('3 of 9').waitFor()
    finish(confirmedProof())
    await page.getByRole('heading', { name: 'Proof: confirmed' }).waitFor()
    assert.equal(await page.getByText('seen 3×').count(), 3)
  })

  test('a proof can be cancelled', async () => {
    const page = await show(view(serviceAnswer()), { answer: (method) => (method === 'prove' ? pending : null) })
    await page.getByRole('button', { name: 'Prove It' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('.proving').waitFor({ state: 'detached' })
    assert.deepEqual(current().sent.at(-1), { kind: 'cancel', id: 1 })
    assert.equal(await text(page.getByRole('alert')), '')
  })

  test('what can’t be proven says why and asks nothing', async () => {
    const page = await show(view(serviceAnswer(), { canProve: { possible: false, reason: 'A bundle has no running pods.' } }))
    const prove = page.getByRole('button', { name: 'Prove It' })
    assert.equal(await prove.isDisabled(), true)
    await page.getByText('can’t be proven: A bundle has no running pods.').waitFor()
    await prove.click({ force: true })
    assert.deepEqual(current().requests('prove'), [])
  })

  test('Copy as CLI says what was copied, errors are read at once, both go away', async () => {
    const page = await show(view(serviceAnswer()), {
      answer: (method) => {
        if (method === 'copyAsCli') return { command: 'plumbline trace --from pod:shop/web-7d9f4' }
        throw new Error('The cluster `prod-eu` is unreachable.')
      },
    })
    await page.getByRole('button', { name: 'Copy as CLI' }).click()
    await page.getByText('Copied: plumbline trace --from pod:shop/web-7d9f4').waitFor()
    await page.getByRole('button', { name: 'Refresh' }).click()
    await page.getByRole('alert').getByText('The cluster `prod-eu` is unreachable.').waitFor()
    await page.getByRole('button', { name: 'Dismiss message' }).click()
    assert.equal(await text(page.getByRole('alert')), '')
  })

  test('outcomes are chosen by arrow keys, and remembered', async () => {
    const page = await show(view(serviceAnswer()))
    await page.getByRole('radio', { checked: true }).focus()
    await page.keyboard.press('ArrowRight')
    await page.getByText('KUBE-SEP-DB-1: DNAT to 10.244.2.4:5432').first().waitFor()
    const state = await current().state()
    assert.deepEqual((state as { choice: number }).choice, 1)
    assert.equal(JSON.stringify(state).includes('10.244'), false, 'answers are not remembered, only what was chosen')
    await current().close()
    const again = await show(view(serviceAnswer()), { state })
    await again.getByRole('radio', { name: /shop\/db-1/, checked: true }).waitFor()
  })
})

test('the captured themes have every colour the panel relies on', async () => {
  const sheet = await readFile('dist/media/trace.css', 'utf8')
  // Some themes leave colours out; those that the sheet uses have another one behind them.
  const relied = new Set([...sheet.matchAll(/var\((--vscode-[\w-]+)\)/g)].map(([, name]) => name))
  for (const theme of THEME_NAMES) {
    const { variables } = await readTheme(theme)
    const missing = [...relied].filter((name) => name !== undefined && !(name in variables))
    assert.deepEqual(missing, [], `${theme}: run test/ui/harness/captureThemes.ts`)
  }
})
