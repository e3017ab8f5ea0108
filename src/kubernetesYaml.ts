// SPDX-License-Identifier: Apache-2.0

const LANGUAGES: ReadonlySet<string> = new Set(['yaml', 'kubernetes'])
const LOOKED_AT = 4096

/** Whether a text may hold Kubernetes objects, judged by its first few kilobytes. Helm templates do not count. */
export function looksLikeKubernetes(languageId: string, text: string): boolean {
  if (!LANGUAGES.has(languageId)) return false
  const head = text.slice(0, LOOKED_AT)
  return /^apiVersion:\s*\S/m.test(head) && /^kind:\s*\S/m.test(head) && !head.includes('{{')
}
