// SPDX-License-Identifier: Apache-2.0

/**
 * Bundles every runtime with esbuild into dist/: extension host, language server and command line share chunks, each webview
 * is a script of its own. `node scripts/build.ts [--watch] [--production]`.
 *
 * Whatever is reached by `import()` becomes a chunk that is loaded on first use; a production build fails when what the
 * extension loads at activation outgrows its budget.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as esbuild from 'esbuild'

const production = process.argv.includes('--production')
const watch = process.argv.includes('--watch')

const ENTRY_BUDGET_BYTES = 150_000

const shared = {
  bundle: true,
  minify: production,
  sourcemap: production ? false : 'linked',
  logLevel: 'warning',
  metafile: true,
  legalComments: 'none',
  outdir: 'dist',
} satisfies esbuild.BuildOptions

const hosts: esbuild.BuildOptions = {
  ...shared,
  platform: 'node',
  format: 'esm',
  // The command line also runs on the oldest Node that package.json's engines allow.
  target: 'node20',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  external: ['vscode'],
  loader: { '.yaml': 'text' },
  // Bundled CommonJS packages call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  entryPoints: { extension: 'src/extension.ts', cli: 'cli/main.ts', server: 'server/main.ts' },
}

function webviews(): esbuild.BuildOptions[] {
  return readdirSync('media', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join('media', entry.name, `${entry.name}.ts`)))
    .map(({ name }) => ({
      ...shared,
      platform: 'browser',
      format: 'iife',
      target: 'chrome130',
      tsconfig: 'media/tsconfig.json',
      entryPoints: { [`media/${name}`]: `media/${name}/${name}.ts` },
    }))
}

/** Bytes the given output makes the runtime load at once: itself and its static imports. */
function eagerBytes(outputs: esbuild.Metafile['outputs'], entry: string, seen = new Set<string>()): number {
  const output = outputs[entry]
  if (output === undefined || seen.has(entry)) return 0
  seen.add(entry)
  return output.imports
    .filter((imported) => imported.kind === 'import-statement' && !imported.external)
    .reduce((sum, imported) => sum + eagerBytes(outputs, imported.path, seen), output.bytes)
}

function checkEntryBudget(metafile: esbuild.Metafile | undefined): void {
  const bytes = metafile === undefined ? 0 : eagerBytes(metafile.outputs, 'dist/extension.js')
  if (bytes > ENTRY_BUDGET_BYTES)
    throw new Error(`activation loads ${bytes} bytes of dist/extension.js; the budget is ${ENTRY_BUDGET_BYTES}`)
  process.stderr.write(`activation loads ${bytes} of at most ${ENTRY_BUDGET_BYTES} bytes\n`)
}

function copyCodicons(): void {
  mkdirSync('dist/media', { recursive: true })
  for (const file of ['codicon.css', 'codicon.ttf'])
    cpSync(join('node_modules/@vscode/codicons/dist', file), join('dist/media', file))
}

async function main(): Promise<void> {
  rmSync('dist/chunks', { recursive: true, force: true })
  copyCodicons()
  const builds = [hosts, ...webviews()]
  if (watch) {
    const contexts = await Promise.all(builds.map((build) => esbuild.context(build)))
    await Promise.all(contexts.map((context) => context.watch()))
    return
  }
  const [result] = await Promise.all(builds.map((build) => esbuild.build(build)))
  if (production) checkEntryBudget(result?.metafile)
}

await main()
