// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { after, afterEach, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { axeViolations } from './harness/axe.ts'
import { launchBrowser } from './harness/browser.ts'
import { PanelUnderTest } from './harness/panel.ts'
import { THEME_NAMES, type ThemeName } from './harness/workbench.ts'
import { MapHost } from './mapHost.ts'

const SHOTS = 'out/screenshots'

let browser: Browser
let panel: PanelUnderTest | undefined
let host: MapHost | undefined

before(async () => {
  browser = await launchBrowser()
  await mkdir(SHOTS, { recursive: true })
})
afterEach(async () => {
  const faults = panel?.faults ?? []
  host?.model.dispose()
  await panel?.close()
  panel = host = undefined
  assert.deepEqual(faults, [])
})
after(() => browser.close())

async function show(map: string, options: { readonly theme?: ThemeName; readonly width?: number } = {}): Promise<Page> {
  const own = new MapHost(map)
  const shown = await PanelUnderTest.open(browser, { panel: 'map', answer: own.answer, ...options })
  host = own
  panel = shown
  await own.connect((name, payload) => shown.tell(name, payload))
  await shown.page.locator('[role=row][aria-rowindex="2"]').waitFor()
  return shown.page
}

function current(): MapHost {
  assert.ok(host)
  return host
}

/** Cells of the rows in sight, hidden ones left out. */
async function rows(page: Page): Promise<readonly string[]> {
  const texts = await page.locator('.vt-view [role=row]').allInnerTexts()
  return texts.map((text) => text.replace(/\s+/g, ' ').trim())
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.fail('it did not come to that within 5 s')
}

async function untilShown(page: Page, text: string): Promise<void> {
  await page.locator('.shown', { hasText: text }).waitFor()
}

for (const theme of THEME_NAMES) {
  describe(theme, () => {
    test('services, with an entry whole: no accessibility violations', async () => {
      const page = await show('cilium_lb4_services_v2', { theme })
      await page.locator('.vt-view [role=row]').first().click()
      await page.locator('.entry .hex').first().waitFor()
      await page.screenshot({ path: `${SHOTS}/map-services-${theme}.png` })
      assert.deepEqual(await axeViolations(page), [])
    })

    test('watched connections, with changes: no accessibility violations', async () => {
      const page = await show('cilium_ct4_global', { theme })
      const { model, bytes } = current()
      const { stride, shape } = model.store
      await page.getByRole('button', { name: 'Watch' }).click()
      await page.getByRole('button', { name: 'Pause' }).waitFor()
      const [first = 0, second = 0] = model.rows
      const fresh = bytes.slice()
      fresh[first * stride + shape.keySize + 40] = 0x11
      // Everything but the second: it has gone.
      await current().change({
        added: Buffer.concat([fresh.subarray(0, second * stride), fresh.subarray((second + 1) * stride)]),
      })
      await page.locator('.log-lines li', { hasText: 'removed' }).waitFor()
      await page.locator('.vt-view', { hasText: '~ changed' }).waitFor()
      await page.screenshot({ path: `${SHOTS}/map-watch-${theme}.png` })
      assert.deepEqual(await axeViolations(page), [])
    })
  })
}

test('filters as one types, says what is wrong and where, and sorts addresses as addresses', async () => {
  const page = await show('cilium_lb4_services_v2')
  const box = page.getByRole('combobox', { name: 'Filter entries' })
  await box.fill('port=443 and slot=0')
  await page.locator('.shown', { hasText: ' of ' }).waitFor()
  const shown = await rows(page)
  assert.ok(shown.length > 0 && shown.every((row) => row.includes('443')), shown.join('\n'))
  await box.fill('port=443 and prot=TCP')
  const problem = page.locator('.filter-problem')
  await problem.waitFor()
  assert.match((await problem.textContent()) ?? '', /no field `prot`.*did you mean/)
  assert.equal((await rows(page)).length, shown.length, 'what was shown stays')
  await box.fill('')
  await box.press('Escape')
  await untilShown(page, `${current().model.store.count} entries`)
  await page.getByRole('columnheader', { name: /address/ }).click()
  await page.locator('[role=columnheader][aria-sort=ascending]').waitFor()
  const first = await rows(page)
  await page.getByRole('columnheader', { name: /address/ }).click()
  await page.locator('[role=columnheader][aria-sort=descending]').waitFor()
  await until(async () => (await rows(page))[0] !== first[0])
  const addresses = (await rows(page)).map((row) => row.split(' ')[0] ?? '').filter((text) => text.includes('.'))
  const value = (text: string) => text.split('.').reduce((sum, part) => 256 * sum + Number(part), 0)
  assert.deepEqual(
    addresses,
    [...addresses].sort((a, b) => value(b) - value(a)),
  )
})

test('an entry is opened by keyboard, with names, bytes and what can be found about it', async () => {
  const page = await show('cilium_lb4_services_v2')
  const box = page.getByRole('combobox', { name: 'Filter entries' })
  await box.fill('address=10.96.0.20 and port=80 and slot=1')
  await untilShown(page, '1 of')
  await page.getByRole('grid').focus()
  await page.keyboard.press('ArrowDown')
  await page.locator('.entry').waitFor()
  const entry = (await page.locator('.entry').textContent()) ?? ''
  assert.match(entry, /svc shop\/web/)
  assert.match(entry, /pod shop\/web-/)
  await page.getByRole('button', { name: 'Find everything about 10.96.0.20' }).click()
  assert.deepEqual(panel?.requests('find'), [{ query: '10.96.0.20' }])
  const marked = page.locator('.hex-byte.at')
  await page.locator('.fields tr', { hasText: 'port' }).first().hover()
  assert.deepEqual(await marked.allInnerTexts(), ['00', '50'])
})

test('what is added, changed and removed is marked with a sign and a word, and told in the log', async () => {
  const page = await show('cilium_lb4_backends_v3')
  const { model, bytes } = current()
  const { stride } = model.store
  await page.getByRole('button', { name: 'Watch' }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor()
  const changed = bytes.slice(0, stride)
  changed[9] = 0x51
  const added = bytes.slice(stride, 2 * stride)
  added[0] = 0xfe
  await current().change({ added: Buffer.concat([changed, bytes.subarray(2 * stride), added]) })
  await page.locator('.vt-view', { hasText: '+ added' }).waitFor()
  for (const word of ['~ changed', '− removed'])
    assert.ok(
      (await rows(page)).some((row) => row.includes(word)),
      word,
    )
  const log = (await page.locator('.log-lines').textContent()) ?? ''
  assert.match(log, /port \d+ → \d+/)
  await until(async () => !(await rows(page)).some((row) => row.includes('− removed')))
  assert.equal(model.store.count, bytes.length / stride)
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.getByRole('button', { name: 'Continue' }).waitFor()
})

test('a map that is deleted keeps its last contents, and says so', async () => {
  const page = await show('cilium_lb4_backends_v3')
  const count = current().model.store.count
  await page.getByRole('button', { name: 'Watch' }).click()
  await page.getByRole('button', { name: 'Pause' }).waitFor()
  current().delete('map 7: no such map')
  const banner = page.locator('.banner', { hasText: 'This map is gone' })
  await banner.waitFor()
  assert.match((await banner.textContent()) ?? '', /no such map.*last contents, as of/s)
  assert.equal((await rows(page)).length, count)
})

test('in a narrow editor the entry goes below the table', async () => {
  const page = await show('cilium_lb4_services_v2', { width: 560 })
  await page.locator('.vt-view [role=row]').first().click()
  await page.locator('.entry').waitFor()
  const [table, entry] = await Promise.all([page.locator('virtual-table').boundingBox(), page.locator('.entry').boundingBox()])
  assert.ok(table && entry && entry.y >= table.y + table.height - 1)
  await page.screenshot({ path: `${SHOTS}/map-narrow.png` })
})
