// SPDX-License-Identifier: Apache-2.0

import { LitElement } from 'lit'

/**
 * An element that renders into the page itself: tables stay tables for assistive technology, and one style sheet from a file
 * (all the content security policy allows) covers everything.
 */
export class LightElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this
  }
}
