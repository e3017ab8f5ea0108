// SPDX-License-Identifier: Apache-2.0

import type { MapPanelContract } from '../../protocol/mapPanel.ts'
import type { Handlers } from '../webview/bridge.ts'
import type { MapModel } from './mapModel.ts'
import { mapEntry, mapRows } from './mapView.ts'

type Answers = Pick<Handlers<MapPanelContract>, 'rows' | 'entry' | 'position' | 'filter' | 'sort' | 'cancel' | 'watch'>

const MOST_ROWS = 1_000

/** What a page may ask of a model alone. `onFilter` hears of expressions that were understood. */
export function mapAnswers(model: MapModel, onFilter: (text: string) => void): Answers {
  return {
    rows: async ({ from, to }) => {
      const first = Math.max(0, Math.floor(from))
      return { rows: mapRows(model, first, Math.min(Math.floor(to), first + MOST_ROWS)) }
    },
    entry: async ({ key }) => {
      const row = rowOf(model, key)
      return row < 0 ? null : mapEntry(model, row)
    },
    position: async ({ key }) => {
      const position = positionOf(model, key)
      return { position: position < 0 ? null : position }
    },
    filter: async ({ text }) => {
      const outcome = model.setFilter(text)
      if (outcome.ok && model.filterText !== '') onFilter(model.filterText)
      return outcome
    },
    sort: async ({ sort }) => {
      model.setSort(sort)
      return null
    },
    cancel: async () => {
      model.cancel()
      return null
    },
    watch: async ({ watch }) => {
      model.setWatch(watch)
      return null
    },
  }
}

/** Row of an entry by its key, in hexadecimal; -1 when there is none. */
export function rowOf(model: MapModel, key: string): number {
  return model.store.find(Buffer.from(key, 'hex'))
}

/** Where an entry is among those shown; -1 when it is not. */
export function positionOf(model: MapModel, key: string): number {
  const row = rowOf(model, key)
  return row < 0 ? -1 : model.rows.indexOf(row)
}
