// SPDX-License-Identifier: Apache-2.0

/** The Flows panel alone: the built page, with the extension's own store behind it and flows recorded in the lab. */

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { readHubbleLine } from '../../core/flows/hubble/hubbleJson.ts'
import type { FlowsModel } from '../../src/flows/flowsModel.ts'
import { rawCluster } from '../support/rawFixtures.ts'
import { appendLines, type FlowsOptions, FlowsUnderTest, recordedLines } from './flowsHost.ts'
import { axeViolations } from './harness/axe.ts'
import { launchBrowser } from './harness/browser.ts'
import { screenshotPath, THEME_NAMES } from './harness/workbench.ts'

let browser: Browser
let flows: FlowsUnderTest | undefined
const clients = await recordedLines('clients')
const dropped = await recordedLines('dropped')
const everything = [...clients, ...dropped]
const RELAY = { from: 'relay `hubble-relay` in `kube-system`', interrupted: [] }

before(async () => {
  browser = await launchBrowser()
})
afterEach(async () => {
  const faults = flows?.panel.faults ?? []
  await flows?.close()
  flows = undefined
  assert.deepEqual(faults, [])
})
after(() => browser.close())

function recorded(model: FlowsModel): void {
  appendLines(model, everything)
  model.following = RELAY
}

async function show(options: FlowsOptions = {}): Promise<Page> {
  flows = await FlowsUnderTest.open(browser, { before: recorded, height: 420, ...options })
  await flows.panel.page.locator('.bar').waitFor()
  return flows.panel.page
}

function current(): FlowsUnderTest {
  assert.ok(flows)
  return flows
}

async function text(locator: Locator): Promise<string> {
  return ((await locator.textContent()) ?? '').replace(/\s+/g, ' ').trim()
}

const rows = (page: Page) => page.locator('.vt-row:not([hidden]):not(.waiting)')
const grid = (page: Page) => page.getByRole('grid', { name: 'Flows' })

async function rowCount(page: Page, count: number): Promise<void> {
  await page.locator(`[role=grid][aria-rowcount="${count + 1}"]`).waitFor()
}

/** The row the keyboard is at, as it is read aloud, once it is drawn. */
async function active(page: Page): Promise<string> {
  await page.waitForTimeout(50)
  const read = await page.waitForFunction<string>(
    `(document.getElementById(document.querySelector('[role=grid]').getAttribute('aria-activedescendant'))?.innerText ?? '').replace(/\\s+/g, ' ').trim()`,
  )
  return read.jsonValue() as Promise<string>
}

const SHOWN: Readonly<Record<string, { readonly options?: FlowsOptions; readonly act?: (page: Page) => Promise<unknown> }>> = {
  flows: {},
  selected: {
    options: { facts: rawCluster('cilium') },
    act: async (page) => {
      await rows(page).last().click()
      await page.locator('.details h2').waitFor()
    },
  },
  drops: { options: { facts: rawCluster('cilium') }, act: (page) => page.getByRole('tab', { name: 'Drops' }).click() },
  map: { act: (page) => page.getByRole('tab', { name: 'Service Map' }).click() },
  account: {
    options: {
      before: (model) => {
        recorded(model)
        model.lostUnknown('CONNECTION', 'n2')
        model.append({
          kind: 'lost',
          lost: { source: 'HUBBLE_RING_BUFFER', numEventsLost: 1204n, cpu: null, first: null, last: null },
          nodeName: 'n1',
          time: null,
        })
        model.following = { from: RELAY.from, interrupted: [{ server: 'the relay', reason: 'It closed the stream.' }] }
        model.tellNodes([
          { name: 'n1', state: 'connected', reason: '' },
          { name: 'n2', state: 'unavailable', reason: 'connection refused' },
        ])
      },
    },
    act: (page) => page.locator('.stats').click(),
  },
  error: {
    act: async (page) => {
      await page.getByRole('combobox', { name: 'Filter flows' }).fill('verdict:dropped nosuch:3 port:80')
      await page.keyboard.press('Escape')
    },
  },
  'nothing matches': { act: (page) => page.getByRole('combobox', { name: 'Filter flows' }).fill('pod:none/such') },
  'not connected': { options: { before: () => {}, surroundings: { cluster: null, problem: null } } },
  'not followed yet': { options: { before: () => {} } },
  'no Hubble': {
    options: {
      before: () => {},
      surroundings: {
        cluster: 'prod-eu',
        problem: { code: 'hubble-absent', message: 'No Hubble was found in `prod-eu`.', actions: ['Choose Another Source…'] },
      },
    },
  },
}

const EMPTY = ['nothing matches', 'not connected', 'not followed yet', 'no Hubble']

describe('accessible in every theme, wide and narrow', () => {
  for (const theme of THEME_NAMES) {
    for (const width of theme === 'dark' ? [1280, 560] : [1280]) {
      for (const [name, { options, act }] of Object.entries(SHOWN)) {
        // Where there is nothing to see, themes differ in nothing but what the other pages show.
        if (theme !== 'dark' && EMPTY.includes(name)) continue
        test(`${name}, ${theme}, ${width} px`, async () => {
          const page = await show({ ...options, theme, width })
          await act?.(page)
          await page.waitForTimeout(250)
          await page.screenshot({ path: await screenshotPath(`flows-${name.replaceAll(' ', '-')}-${theme}-${width}`) })
          assert.deepEqual(await axeViolations(page), [])
          const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
          assert.ok(overflow <= 0, `the page is ${overflow} px too wide`)
        })
      }
    }
  }
})

describe('the table', () => {
  test('shows Hubble’s flows, a drop with its reason and its policy', async () => {
    const page = await show()
    await rowCount(page, everything.length)
    assert.match(await text(page.locator('.stats')), /0 lost · 132 kept/)
    await page.getByRole('combobox', { name: 'Filter flows' }).fill('verdict:dropped pod:shop/edge')
    const drop = rows(page).filter({ hasText: 'edge-not-stranger' }).first()
    await drop.waitFor()
    assert.match(await text(drop), /dropped\s?shop\/stranger\s?shop\/edge-\S+?8080\/TCP.*POLICY_DENY · shop\/edge-not-stranger/)
  })

  test('new rows never move what one reads; a pill says how many there are', async () => {
    const page = await show({ before: (model) => appendLines(model, Array.from({ length: 20 }, () => clients).flat()) })
    await rows(page).first().waitFor()
    await grid(page).focus()
    await page.keyboard.press('End')
    for (let n = 0; n < 5; n++) await page.keyboard.press('PageUp')
    await page.waitForTimeout(200)
    const seen = () =>
      page.evaluate<string>(
        `JSON.stringify([...document.querySelectorAll('.vt-row:not([hidden])')].map((row) => [row.ariaRowIndex ?? row.getAttribute('aria-rowindex'), row.getBoundingClientRect().top, row.textContent]).sort((a, b) => a[1] - b[1]))`,
      )
    const before = await seen()
    appendLines(current().model, dropped)
    const pill = page.getByRole('button', { name: `${dropped.length} new` })
    await pill.waitFor()
    assert.equal(await seen(), before)
    await pill.click()
    await rows(page).filter({ hasText: 'dropped' }).first().waitFor()
    await pill.waitFor({ state: 'detached' })
    appendLines(current().model, clients.slice(0, 3))
    await page.locator(`[role=grid][aria-rowcount="${20 * clients.length + dropped.length + 4}"]`).waitFor()
    assert.equal(await page.locator('.pill').count(), 0)
  })

  test('rows that are not kept any more go; what is in sight stays where it is', async () => {
    const page = await show({
      capacity: 400,
      before: (model) =>
        appendLines(
          model,
          Array.from({ length: 4 }, () => clients)
            .flat()
            .slice(0, 400),
        ),
    })
    await rows(page).first().waitFor()
    await grid(page).focus()
    await page.keyboard.press('End')
    for (let n = 0; n < 3; n++) await page.keyboard.press('PageUp')
    await page.waitForTimeout(200)
    const before = await active(page)
    appendLines(current().model, dropped)
    await page.getByRole('button', { name: `${dropped.length} new` }).waitFor()
    assert.equal(await active(page), before)
    assert.match(await text(page.locator('.stats')), /400 kept/)
  })

  test('is used by keyboard alone', async () => {
    const page = await show()
    await rowCount(page, everything.length)
    await grid(page).focus()
    await page.keyboard.press('Home')
    const first = await active(page)
    await page.keyboard.press('ArrowDown')
    assert.notEqual(await active(page), first)
    await page.keyboard.press('ArrowUp')
    assert.equal(await active(page), first)
    await page.keyboard.press('ArrowRight')
    assert.match(await active(page), /^\d\d:\d\d:\d\d\.\d{3}$/)
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Shift+F10')
    const menu = page.getByRole('menu', { name: 'Flow' })
    await menu.waitFor()
    assert.deepEqual(await axeViolations(page), [])
    await page.keyboard.press('Enter')
    assert.deepEqual(current().acts, [{ action: 'trace', seq: 0 }])
    await page.locator('.vt-scroll:focus').waitFor()
    await page.keyboard.press('ArrowUp')
    assert.equal(await active(page), 'Time')
    await page.keyboard.press('Shift+F10')
    await page.getByRole('menuitemcheckbox', { name: 'Summary' }).click()
    assert.ok(await page.getByRole('columnheader', { name: 'Summary' }).isHidden())
  })

  test('a column’s width and what is hidden are remembered', async () => {
    const page = await show()
    await rowCount(page, everything.length)
    await grid(page).focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowUp')
    const width = () => page.getByRole('columnheader', { name: 'Time' }).evaluate((title) => title.getBoundingClientRect().width)
    const before = await width()
    await page.keyboard.press('Alt+ArrowRight')
    await page.waitForTimeout(50)
    assert.equal(await width(), before + 16)
    const remembered = (await current().panel.state()) as { layout: { widths: Record<string, number> } }
    assert.equal(remembered.layout.widths['time'], before + 16)
  })

  test('a hostile name is text', async () => {
    const page = await show({
      before: (model) => {
        const event = readHubbleLine(dropped[0] ?? '')
        assert.ok(event.kind === 'flow' && event.flow.source)
        const source = { ...event.flow.source, podName: '<img src=x onerror=alert(1)>\u202e\u0007' }
        model.append({ ...event, flow: { ...event.flow, source } })
        model.update()
      },
    })
    assert.match(await text(rows(page).first()), /shop\/<img src=x onerror=alert\(1\)>\\u202e\\x07/)
    assert.equal(await page.locator('.vt-row img').count(), 0)
  })
})

describe('the filter', () => {
  const box = (page: Page) => page.getByRole('combobox', { name: 'Filter flows' })

  test('applies as one types; what it can’t understand is shown where it stands', async () => {
    const page = await show()
    await box(page).fill('verdict:dropped')
    await rowCount(page, everything.filter((line) => line.includes('"verdict":"DROPPED"')).length)
    await box(page).fill('verdict:dropped nosuch:3')
    const problem = page.locator('.filter-problem')
    await problem.waitFor()
    assert.match(await text(problem.locator('mark')), /^nosuch/)
    assert.equal(await box(page).getAttribute('aria-invalid'), 'true')
    await rowCount(page, everything.filter((line) => line.includes('"verdict":"DROPPED"')).length)
  })

  test('takes flags of the hubble client as they are', async () => {
    const page = await show()
    await box(page).fill('--verdict DROPPED --to-port 5432')
    await rowCount(
      page,
      everything.filter((line) => line.includes('"verdict":"DROPPED"') && line.includes('"destination_port":5432')).length,
    )
  })

  test('completes keys and values, and remembers what was used', async () => {
    const page = await show()
    await box(page).focus()
    await page.keyboard.type('verd')
    await page.getByRole('option', { name: /^verdict:/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    assert.equal(await box(page).inputValue(), 'verdict:')
    await page.keyboard.type('dr')
    await page.getByRole('option', { name: /dropped/ }).waitFor()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Tab')
    assert.match(await box(page).inputValue(), /^verdict:dropped/)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Enter')
    await rowCount(page, everything.filter((line) => line.includes('"verdict":"DROPPED"')).length)
    await box(page).fill('')
    await page.keyboard.press('Escape')
    await page.keyboard.press('ArrowUp')
    assert.match(await box(page).inputValue(), /^verdict:dropped/)
    await page.keyboard.press('ArrowDown')
    assert.equal(await box(page).inputValue(), '')
  })

  test('nothing matches: one action takes the filter away', async () => {
    const page = await show()
    await box(page).fill('pod:none/such')
    await page.getByRole('button', { name: 'Clear Filter', exact: true }).click()
    await rowCount(page, everything.length)
    assert.equal(await box(page).inputValue(), '')
  })

  test('a row’s menu narrows it, and leaves out', async () => {
    const page = await show()
    await rows(page).filter({ hasText: '5432/TCP' }).first().locator('.vt-cell').nth(4).click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Filter by port:5432' }).click()
    assert.equal(await box(page).inputValue(), 'port:5432')
    await rowCount(page, everything.filter((line) => line.includes('"destination_port":5432')).length)
    await rows(page).filter({ hasText: 'client-n1' }).first().click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Exclude…' }).click()
    await page.getByRole('menu', { name: 'Exclude' }).getByRole('menuitem', { name: 'Exclude pod:shop/client-n1' }).click()
    assert.equal(await box(page).inputValue(), 'port:5432 -pod:shop/client-n1')
    await rowCount(
      page,
      everything.filter((line) => line.includes('"destination_port":5432') && !line.includes('"pod_name":"client-n1"')).length,
    )
  })
})

describe('drops, map and rate', () => {
  test('drops by reason and policy lead to their flows and their trace', async () => {
    const page = await show({ facts: rawCluster('cilium') })
    await page.getByRole('tab', { name: 'Drops' }).click()
    const rule = page.locator('.drops tr').filter({ hasText: 'edge-not-stranger' })
    await rule.waitFor()
    assert.match(await text(page.locator('.drops h2').first()), /POLICY_DENIED 10/)
    await rule.getByRole('button', { name: /^Trace/ }).click()
    assert.equal(current().acts[0]?.action, 'trace')
    await rule.getByRole('button', { name: /^Show Flows/ }).click()
    await rowCount(page, 4)
  })

  test('an end and a line of the map lead to their flows, by keyboard too', async () => {
    const page = await show()
    await page.getByRole('tab', { name: 'Service Map' }).click()
    const edge = page.locator('.map-edge.dropped').filter({ hasText: '5432/TCP' }).first()
    await edge.waitFor()
    await edge.focus()
    await page.keyboard.press('Enter')
    await rows(page).first().waitFor()
    for (const row of await rows(page).allTextContents()) assert.match(row, /5432\/TCP/)
  })

  test('dragging over the rate chooses a time', async () => {
    const page = await show()
    const chart = page.locator('rate-chart .u-over')
    await chart.waitFor()
    const at = await chart.boundingBox()
    assert.ok(at)
    await page.mouse.move(at.x + at.width * 0.4, at.y + 10)
    await page.mouse.down()
    await page.mouse.move(at.x + at.width * 0.6, at.y + 12, { steps: 5 })
    await page.mouse.up()
    const filter = page.getByRole('combobox', { name: 'Filter flows' })
    await page.waitForFunction(`document.querySelector('filter-box input').value !== ''`)
    assert.match(await filter.inputValue(), /^since:2026-11-22T17:08:4\S+ until:2026-11-22T17:08:4\S+$/)
    await page.waitForFunction(
      `Number(document.querySelector('[role=grid]')?.ariaRowCount ?? document.querySelector('[role=grid]').getAttribute('aria-rowcount')) <= ${everything.length}`,
    )
  })
})

describe('the stream', () => {
  test('loss, missing nodes and interruptions are told at once', async () => {
    const page = await show()
    current().model.tellNodes([{ name: 'n2', state: 'unavailable', reason: 'connection refused' }])
    current().model.lostUnknown('CONNECTION', 'n2')
    current().model.update()
    await page.locator('.alarm').getByText('No flows come from n2.').waitFor()
    await page.locator('.alarm').getByText('Events are being lost').waitFor()
    assert.match(await text(page.locator('.stats')), /some lost/)
    await page.locator('.stats').click()
    await page.locator('.stream').getByText('an unknown number at n2: while the connection was interrupted').waitFor()
  })

  test('paused, the rows hold still and what comes is counted', async () => {
    const page = await show()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('.source').getByText('paused').waitFor()
    appendLines(current().model, dropped)
    await page.locator('.source').getByText(`paused, ${dropped.length} new`).waitFor()
    await rowCount(page, everything.length)
    await page.getByRole('button', { name: 'Resume' }).click()
    await rowCount(page, everything.length + dropped.length)
  })

  test('a page that does not answer is told once, and then all that happened', async () => {
    const page = await show()
    await rowCount(page, everything.length)
    const told = await page.evaluate<number>(`new Promise((resolve) => {
      let states = 0
      addEventListener('message', ({ data }) => { if (data?.name === 'state') states++ })
      window.countStates = () => states
      setTimeout(() => resolve(states), 50)
    })`)
    for (let n = 0; n < 200; n++) appendLines(current().model, clients.slice(0, 5))
    await rowCount(page, everything.length + 1000)
    const states = await page.evaluate<number>('countStates()')
    assert.ok(states - told < 100, `${states - told} states for 200 changes`)
  })

  test('a page made anew shows the same again', async () => {
    const page = await show()
    await page.getByRole('combobox', { name: 'Filter flows' }).fill('verdict:dropped')
    await rowCount(page, everything.filter((line) => line.includes('"verdict":"DROPPED"')).length)
    await rows(page).filter({ hasText: 'edge-not-stranger' }).first().click()
    await page.locator('.details h2').getByText('shop/stranger').waitFor()
    await page.reload()
    await page.locator('.details h2').getByText('shop/stranger').waitFor()
    await page.locator('.vt-row[aria-selected="true"]').filter({ hasText: 'edge-not-stranger' }).waitFor()
    await page.getByRole('tab', { name: 'Drops' }).click()
    await page.locator('.drops h2').first().waitFor()
    await page.reload()
    await page.locator('.drops h2').first().waitFor()
    assert.equal(await page.getByRole('combobox', { name: 'Filter flows' }).inputValue(), 'verdict:dropped')
  })
})
