// SPDX-License-Identifier: Apache-2.0

/**
 * The Flows panel with a million flows: the built page in headless Chromium, and behind it, in this process, the extension's own
 * store and model. Scrolling, filtering, following at full speed against appending table rows to a page (the naive way, measured in
 * the same run), and how much memory it takes against the bytes Hubble sent. `npm run build` first.
 *
 * Work in a frame is told twice: by the clock, and as CPU time of the page's main thread, which says what the page itself does on a
 * machine that others use as well.
 */
import { readFileSync } from 'node:fs'
import { create, fromJson, toBinary } from '@bufbuild/protobuf'
import type { Browser, Page } from 'playwright-core'
import type { FlowEvent } from '../core/flows/flow.ts'
import { WireReader } from '../core/flows/hubble/hubbleWire.ts'
import { GetFlowsResponseSchema } from '../gen/hubble/observer/observer_pb.js'
import { collectGarbage } from '../test/support/garbage.ts'
import { FlowsUnderTest } from '../test/ui/flowsHost.ts'
import { launchBrowser, loopbackContext } from '../test/ui/harness/browser.ts'
import type { FlowsModel } from '../src/flows/flowsModel.ts'
import { median, print } from './measure.ts'

const smoke = process.argv.includes('--smoke')
const COUNT = smoke ? 20_000 : 1_000_000
const ROUNDS = smoke ? 1 : 5
const FRAMES = smoke ? 30 : 240
const SECONDS = smoke ? 0.5 : 3
const BATCH = 500

/** Messages as Hubble sends them: the recorded ones, each with a time, a port and an id of its own. */
function messages(): () => Uint8Array {
  const lines = ['clients', 'dropped'].flatMap((name) =>
    readFileSync(`test/fixtures/raw/cilium/hubble/${name}.jsonl`, 'utf8').trim().split('\n'),
  )
  const recorded = lines.map((line) => fromJson(GetFlowsResponseSchema, JSON.parse(line), { ignoreUnknownFields: true }))
  const start = 1_764_000_000n
  let number = 0
  return () => {
    const message = recorded[number % recorded.length] ?? create(GetFlowsResponseSchema)
    const time = {
      $typeName: 'google.protobuf.Timestamp',
      seconds: start + BigInt(Math.floor(number / 2000)),
      nanos: (number % 2000) * 500_000,
    } as const
    message.time = time
    if (message.responseTypes.case === 'flow') {
      const flow = message.responseTypes.value
      flow.time = time
      flow.uuid = `${number.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`
      const l4 = flow.l4?.protocol
      if (l4?.case === 'TCP' && number % 2 === 0) l4.value.sourcePort = 32_768 + (number % 28_000)
    }
    number++
    return toBinary(GetFlowsResponseSchema, message)
  }
}

/** 99 of 100 values are not above it. */
function p99(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN
}

const ms = (value: number) => `${value.toFixed(1)} ms`

interface Frames {
  /** Main thread's work in each frame: script, style, layout and paint, milliseconds. */
  readonly work: readonly number[]
  /** From one frame to the next. */
  readonly between: readonly number[]
}

/** Runs in the page: measures frames while `move` scrolls. A message posted in a frame arrives after it has been painted. */
const MEASURE = `(frames, move) => new Promise((resolve) => {
  const scroller = document.querySelector('.vt-scroll')
  const work = [], between = []
  let last = 0
  const channel = new MessageChannel()
  let began = 0
  channel.port1.onmessage = () => work.push(performance.now() - began)
  const frame = (now) => {
    if (last > 0) between.push(now - last)
    last = now
    began = performance.now()
    if (work.length >= frames) return resolve({ work, between })
    move(scroller, work.length)
    channel.port2.postMessage(0)
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
})`

const MOVES: Readonly<Record<string, string>> = {
  'turning the wheel': '(scroller, n) => { scroller.scrollTop += (Math.floor(n / 60) % 2 === 0 ? 1 : -1) * 130 }',
  'dragging the scroll bar': '(scroller, n) => { scroller.scrollTop = ((n * 7919) % 1000) / 1000 * scroller.scrollHeight }',
}

interface Traced extends Frames {
  /** CPU time of the page's main thread from one frame to the next, milliseconds. */
  readonly cpu: readonly number[]
}

async function scroll(page: Page, move: string): Promise<Traced> {
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] })
  const frames = await page.evaluate<Frames>(`(${MEASURE})(${FRAMES}, ${move})`)
  return { ...frames, cpu: cpuOfFrames(await browser.stopTracing()) }
}

/** Of Chromium's trace events: name, kind, thread, start and CPU time in microseconds. */
interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly tdur?: number
}

/** Tasks of the page's main thread. */
function mainThread(trace: Buffer): readonly TraceEvent[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { readonly traceEvents: readonly TraceEvent[] }
  const own = traceEvents.find(({ name }) => name === 'FireAnimationFrame')
  return traceEvents.filter(({ pid, tid, ph }) => ph === 'X' && pid === own?.pid && tid === own.tid)
}

function cpuOfAll(trace: Buffer): number {
  return mainThread(trace).reduce((sum, { name, tdur = 0 }) => sum + (name.endsWith('RunTask') ? tdur / 1000 : 0), 0)
}

function cpuOfFrames(trace: Buffer): readonly number[] {
  const ofThread = mainThread(trace)
  const starts = ofThread.filter(({ name }) => name === 'FireAnimationFrame').map(({ ts }) => ts)
  const frames = starts.filter((ts, index) => index === 0 || ts - (starts[index - 1] ?? 0) > 4000).sort((x, y) => x - y)
  const cpu = new Array<number>(frames.length).fill(0)
  for (const { name, ts, tdur = 0 } of ofThread) {
    // The frame's callback runs within a task that began a little before it.
    const frame = name.endsWith('RunTask') ? frames.findLastIndex((start) => start <= ts + 2000) : -1
    if (frame >= 0) cpu[frame] = (cpu[frame] ?? 0) + tdur / 1000
  }
  return cpu.slice(0, -1)
}

/** From a keystroke's event to the painted rows of the new filter, milliseconds. */
const KEYSTROKE = `(text) => new Promise((resolve) => {
  const input = document.querySelector('filter-box input')
  const panel = document.querySelector('flows-panel')
  const before = panel.state.generation
  const began = performance.now()
  input.value = text
  input.dispatchEvent(new InputEvent('input', { bubbles: true }))
  const look = () => {
    const settled = panel.state.generation !== before && (panel.state.count === 0 || document.querySelector('.vt-row:not([hidden]):not(.waiting)') !== null)
    if (!settled) return requestAnimationFrame(look)
    const channel = new MessageChannel()
    // Rows are written in the frame that runs now; the message comes when it has been painted.
    channel.port1.onmessage = () => resolve(performance.now() - began)
    channel.port2.postMessage(0)
  }
  requestAnimationFrame(look)
})`

/** A question that costs nothing to answer, and back: the harness's own part of a keystroke. */
const ASK = `(async () => {
  const began = performance.now()
  await document.querySelector('filter-box').complete('nothing-begins-so', 0)
  return performance.now() - began
})()`

const TYPED = ['v', 'verdict:dropped', 'verdict:dropped port:5432', 'pod:shop/stranger', '-ns:kube-system', 'stranger', '']

/** Rows appended to a table as they come, the last in sight, as many a frame as leave it within 16.7 ms. Rows a second. */
const NAIVE = `(seconds) => new Promise((resolve) => {
  document.body.innerHTML = '<div style="height:100vh;overflow:auto"><table><tbody></tbody></table></div>'
  const body = document.querySelector('tbody'), frame = document.querySelector('div')
  const cells = ['17:08:38.027', 'dropped', 'shop/client-n1', 'shop/db-7b6568d8bb-2qf45', '5432/TCP', 'TCP SYN', 'POLICY_DENIED', 'n2']
  const began = performance.now()
  const channel = new MessageChannel()
  let batch = 8, rows = 0, start = 0
  channel.port1.onmessage = () => {
    batch = performance.now() - start > 16.7 ? Math.max(1, Math.floor(batch * 0.7)) : batch + 4
    if (performance.now() - began > seconds * 1000) return resolve(rows / ((performance.now() - began) / 1000))
    requestAnimationFrame(step)
  }
  const step = () => {
    start = performance.now()
    for (let n = 0; n < batch; n++) {
      const row = document.createElement('tr')
      for (const cell of cells) {
        const td = document.createElement('td')
        td.textContent = cell
        row.append(td)
      }
      body.append(row)
    }
    rows += batch
    frame.scrollTop = frame.scrollHeight
    channel.port2.postMessage(0)
  }
  requestAnimationFrame(step)
})`

async function naive(browser: Browser): Promise<number> {
  const context = await loopbackContext(browser, { viewport: { width: 1280, height: 420 } })
  try {
    const page = await context.newPage()
    return await page.evaluate<number>(`(${NAIVE})(${SECONDS})`)
  } finally {
    await context.close()
  }
}

/** Messages read and shown a second, while the page follows the end, and how its frames fare. */
async function follow(
  model: FlowsModel,
  page: Page,
  source: readonly Uint8Array[],
): Promise<{ readonly rate: number; readonly frames: Frames }> {
  const reader = new WireReader()
  const began = performance.now()
  let taken = 0
  const measured = page.evaluate<Frames>(`(${MEASURE})(${Math.ceil(SECONDS * 55)}, () => {})`)
  let done = false
  const frames = measured.finally(() => {
    done = true
  })
  while (!done) {
    for (let n = 0; n < BATCH; n++) model.append(reader.read(source[taken++ % source.length] as Uint8Array))
    model.update()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { rate: taken / ((performance.now() - began) / 1000), frames: await frames }
}

function heapOf(): number {
  collectGarbage()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return heapUsed + Math.max(external, arrayBuffers)
}

async function heapOfPage(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize
}

const browser = await launchBrowser()
try {
  const next = messages()
  const sample = Array.from({ length: smoke ? 2000 : 50_000 }, next)
  const reader = new WireReader()
  const before = heapOf()
  let raw = 0
  const test = await FlowsUnderTest.open(browser, {
    capacity: COUNT,
    width: 1280,
    height: 420,
    before: (model) => {
      for (let number = 0; number < COUNT; number++) {
        const bytes = number < sample.length ? (sample[number] as Uint8Array) : next()
        raw += bytes.length
        const event: FlowEvent = reader.read(bytes)
        model.append(event)
      }
      model.update()
    },
  })
  const { page } = test.panel
  const { model } = test
  await page.locator('.vt-row:not(.waiting)').first().waitFor({ timeout: 60_000 })
  while (model.scanning) await new Promise((resolve) => setTimeout(resolve, 10))
  print(`${COUNT} flows, ${(raw / COUNT).toFixed(0)} bytes each as Hubble sends them; median of ${ROUNDS} rounds`)

  for (const [name, move] of Object.entries(MOVES)) {
    const rounds: Traced[] = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await scroll(page, move))
    const of = (measure: (traced: Traced) => number) => median(rounds.map(measure))
    print(`${name}: CPU a frame ${ms(of(({ cpu }) => median(cpu)))}, p99 ${ms(of(({ cpu }) => p99(cpu)))} (of 16.7)`)
    print(
      `  by the clock: work a frame ${ms(of(({ work }) => median(work)))}, p99 ${ms(of(({ work }) => p99(work)))}; frame to frame p99 ${ms(of(({ between }) => p99(between)))}, late ${of(({ between }) => (100 * between.filter((gap) => gap > 25).length) / between.length).toFixed(1)} %`,
    )
  }

  const strokes: number[] = []
  const asked: number[] = []
  const hostCpu: number[] = []
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline'] })
  for (let round = 0; round < ROUNDS; round++) {
    for (const text of TYPED) {
      const began = process.cpuUsage()
      strokes.push(await page.evaluate<number>(`(${KEYSTROKE})(${JSON.stringify(text)})`))
      const { user, system } = process.cpuUsage(began)
      hostCpu.push((user + system) / 1000)
      while (model.scanning) await new Promise((resolve) => setTimeout(resolve, 5))
      asked.push(await page.evaluate<number>(ASK))
    }
  }
  print(
    `keystroke to painted rows: ${ms(median(strokes))}, p99 ${ms(p99(strokes))} (of 50); of which ${ms(median(asked))} is the way to this process and back`,
  )

  const pageCpu = cpuOfAll(await browser.stopTracing()) / strokes.length
  print(`  CPU: here ${ms(median(hostCpu))} (with the test harness), in the page ${ms(pageCpu)}`)

  const heap = heapOf() - before - sample.reduce((sum, bytes) => sum + bytes.length, 0)
  const pageHeap = await heapOfPage(page)
  print(
    `memory: store ${(heap / 2 ** 20).toFixed(0)} MiB + page ${(pageHeap / 2 ** 20).toFixed(1)} MiB = ${((heap + pageHeap) / raw).toFixed(2)}× of the raw bytes (of 2)`,
  )

  const ratios: number[] = []
  const rates: number[] = []
  const work: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const ours = await follow(model, page, sample)
    const theirs = await naive(browser)
    rates.push(ours.rate)
    work.push(p99(ours.frames.work))
    ratios.push(ours.rate / theirs)
  }
  print(
    `following: ${Math.round(median(rates))} flows/s read, kept and shown, p99 of the page's work a frame ${ms(median(work))}; ${median(ratios).toFixed(0)}× appending table rows (of 50)`,
  )
  await test.close()
} finally {
  await browser.close()
}
