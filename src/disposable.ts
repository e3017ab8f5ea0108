// SPDX-License-Identifier: Apache-2.0

interface Disposes {
  dispose(): unknown
}

/** Owns what it registers. Registering after it was disposed disposes at once, so late results of slow work never leak. */
export class Owner implements Disposes {
  readonly #owned = new Set<Disposes>()
  #disposed = false

  protected own<T extends Disposes>(thing: T): T {
    if (this.#disposed) thing.dispose()
    else this.#owned.add(thing)
    return thing
  }

  get disposed(): boolean {
    return this.#disposed
  }

  dispose(): void {
    this.#disposed = true
    // In reverse: what came later may use what came before.
    for (const thing of [...this.#owned].reverse()) thing.dispose()
    this.#owned.clear()
  }
}
