// SPDX-License-Identifier: Apache-2.0

/**
 * The decoded path of a request's URL, as Go's url.ParseRequestURI finds it; Hubble looks for paths in that. Undefined where Go
 * refuses the URL: such a flow has no path.
 */
export function requestPath(url: string): string | undefined {
  if (url === '' || /[\u0000-\u001f\u007f]/.test(url)) return undefined
  if (url === '*') return '*'
  const colon = url.indexOf(':')
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*(?=:)/.exec(url)?.[0]
  if (colon === 0) return undefined
  const rest = (scheme === undefined ? url : url.slice(scheme.length + 1)).replace(/\?[\s\S]*$/, '')
  if (!rest.startsWith('/')) return scheme === undefined ? undefined : ''
  if (scheme === undefined || !rest.startsWith('//')) return unescapePath(rest)
  const slash = rest.indexOf('/', 2)
  const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash)
  return isAuthority(authority) ? unescapePath(slash < 0 ? '' : rest.slice(slash)) : undefined
}

/** `user:password@host:port`. */
function isAuthority(authority: string): boolean {
  const at = authority.lastIndexOf('@')
  const user = authority.slice(0, Math.max(0, at))
  if (at >= 0 && (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) || /%(?![0-9A-Fa-f]{2})/.test(user))) return false
  const host = authority.slice(at + 1)
  if (host.startsWith('[')) return /^\[[^\]]*\](?::\d*)?$/.test(host) && isHost(host)
  const port = host.lastIndexOf(':')
  return (port < 0 || /^:\d*$/.test(host.slice(port))) && isHost(host)
}

function isHost(host: string): boolean {
  // Of percent escapes, only those beyond ASCII may stand in a host.
  return /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"\u0080-\u{10ffff}]|%25|%[89A-Fa-f][0-9A-Fa-f])*$/u.test(host)
}

function unescapePath(path: string): string | undefined {
  if (!path.includes('%')) return path
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return undefined
  return path.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) =>
    new TextDecoder().decode(Uint8Array.from(escapes.slice(1).split('%'), (digits) => Number.parseInt(digits, 16))),
  )
}
