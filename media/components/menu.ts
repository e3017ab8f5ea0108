// SPDX-License-Identifier: Apache-2.0

/** A context menu: one at a time, closed by Escape, Tab, a choice, or a press elsewhere; the focus goes back to where it was. */

import { html, nothing, render } from 'lit'
import { type IconName, icon } from './icon.ts'
import { foreign } from './text.ts'

export interface MenuItem {
  readonly label: string
  readonly icon?: IconName
  /** A box that can be ticked. */
  readonly checked?: boolean
  readonly disabled?: boolean
  /** A line before it. */
  readonly separated?: boolean
  readonly onChoose: () => void
}

let closeOpen: (() => void) | undefined

/** Opens a menu at a point of the page. `label` says what it is for. */
export function openMenu(label: string, items: readonly MenuItem[], x: number, y: number): void {
  closeOpen?.()
  const before = document.activeElement
  const host = document.createElement('div')
  host.className = 'menu-host'
  // Within the page's landmark, where it is found.
  const page = document.querySelector('main') ?? document.body
  page.append(host)
  const elsewhere = (event: Event) => {
    if (event.target instanceof Node && !host.contains(event.target)) close()
  }
  const close = () => {
    closeOpen = undefined
    host.remove()
    removeEventListener('pointerdown', elsewhere, true)
    removeEventListener('blur', close)
    removeEventListener('resize', close)
    if (before instanceof HTMLElement) before.focus({ preventScroll: true })
  }
  closeOpen = close
  render(menu(label, items, close), host)
  addEventListener('pointerdown', elsewhere, true)
  addEventListener('blur', close)
  addEventListener('resize', close)
  place(host, x, y)
  buttons(host)[0]?.focus()
}

function menu(label: string, items: readonly MenuItem[], close: () => void): unknown {
  return html`<div class="menu" role="menu" aria-label=${label} @keydown=${(event: KeyboardEvent) => onKey(event, close)} @contextmenu=${onContext}>
    ${items.map(
      (item) => html`${item.separated ? html`<div class="menu-line" role="separator"></div>` : nothing}
        <button
          type="button"
          class="menu-item"
          role=${item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
          aria-checked=${item.checked === undefined ? nothing : String(item.checked)}
          tabindex="-1"
          ?disabled=${item.disabled === true}
          @click=${() => {
            close()
            item.onChoose()
          }}
          @pointermove=${({ currentTarget }: Event) => (currentTarget as HTMLElement).focus()}
        >
          <span class="menu-icon">${item.checked ? icon('check') : item.icon === undefined ? nothing : icon(item.icon)}</span>${foreign(item.label)}
        </button>`,
    )}
  </div>`
}

function onContext(event: Event): void {
  event.preventDefault()
}

function onKey(event: KeyboardEvent, close: () => void): void {
  const all = buttons(event.currentTarget as HTMLElement)
  const at = all.indexOf(document.activeElement as HTMLButtonElement)
  const to = next(event.key, at, all)
  if (event.key === 'Escape' || event.key === 'Tab') close()
  else if (to === undefined) return
  else to.focus()
  event.preventDefault()
  event.stopPropagation()
}

function next(key: string, at: number, all: readonly HTMLButtonElement[]): HTMLButtonElement | undefined {
  switch (key) {
    case 'ArrowDown':
      return all[(at + 1) % all.length]
    case 'ArrowUp':
      return all.at(at <= 0 ? -1 : at - 1)
    case 'Home':
      return all[0]
    case 'End':
      return all.at(-1)
    default: {
      if (key.length !== 1 || key === ' ') return undefined
      const starts = (button: HTMLButtonElement) => button.textContent?.trim().toLowerCase().startsWith(key.toLowerCase())
      return all.slice(at + 1).find(starts) ?? all.find(starts)
    }
  }
}

function buttons(host: HTMLElement): readonly HTMLButtonElement[] {
  return [...host.querySelectorAll<HTMLButtonElement>('.menu-item:not(:disabled)')]
}

/** Where it was asked for, moved as far as it must to be in sight. */
function place(host: HTMLElement, x: number, y: number): void {
  const { width, height } = host.getBoundingClientRect()
  host.style.left = `${Math.max(0, Math.min(x, innerWidth - width))}px`
  host.style.top = `${Math.max(0, Math.min(y, innerHeight - height))}px`
}
