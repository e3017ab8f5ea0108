// SPDX-License-Identifier: Apache-2.0

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openBundlePath } from '../../cli/files/openBundle.ts'
import { loadCluster } from '../facts/cluster.ts'
import { formatAddress, parseAddress } from '../net/address.ts'
import { formatPrefix, prefixOf } from '../net/prefix.ts'
import { findEverything } from './find.ts'
import type { Found } from './found.ts'
import { FindError, mentionedIn, parseWanted, type Wanted } from './wanted.ts'

const { files } = openBundlePath(join(import.meta.dirname, '../../test/fixtures/bundles/half.zip'))
const cluster = loadCluster(files)
const find = async (query: string) => (await findEverything(cluster, files, parseWanted(query, cluster.objects))).found
const text = (path: string) => new TextDecoder().decode(files.read(path))
const isExact = ({ within }: Found) => within === undefined
const wanted = (address: string): Wanted => {
  const parsed = parseAddress(address)
  assert.ok(parsed)
  return { addresses: [parsed], identity: undefined }
}

/** Addresses of the recorded cluster of every kind: a service, a node, pods behind Cilium and behind kube-proxy. */
const ADDRESSES = [
  '10.96.0.20',
  '10.200.0.11',
  ...[...cluster.objects.pods.values()].flatMap(({ podIPs }) => podIPs.map(formatAddress)),
]

test('every line of rules that has the address as a word is found, and no other as itself', async () => {
  const ruleFiles = files.list().filter((path) => /\/(nft|ipset-save|iptables-(legacy|nft)-save\.[46])\.txt$/.test(path))
  let lines = 0
  for (const address of ADDRESSES) {
    const word = new RegExp(`(?<![\\w.:])${address.replaceAll('.', '\\.')}(?!\\.?\\w|/(?!32))`)
    const expected = ruleFiles.flatMap((path) =>
      text(path)
        .split('\n')
        .flatMap((line, index) => (word.test(line) && !/^(:|#)/.test(line) ? [`${path}:${index + 1}`] : [])),
    )
    const found = (await find(address))
      .filter(isExact)
      .flatMap(({ evidence }) => (evidence.kind === 'file' ? [`${evidence.file}:${evidence.line}`] : []))
    assert.deepEqual(found.sort(), expected.sort(), address)
    lines += expected.length
  }
  assert.ok(lines > 20)
})

test('entries of services are found by the bytes of the address, and their evidence leads back to them', async () => {
  const found = (await find('10.96.0.20')).filter(({ group, place }) => group === 'maps' && place === 'cilium_lb4_services_v2')
  const bytes = Buffer.from(files.read('nodes/n1/bpf/maps/cilium_lb4_services_v2.bin') ?? [])
  const expected = new Set<string>()
  for (let at = 0; at < bytes.length; at += 24) {
    if (bytes.readUInt32BE(at) === 0x0a600014) expected.add(bytes.subarray(at, at + 12).toString('hex'))
  }
  assert.ok(expected.size > 3)
  const keys = found.flatMap(({ evidence }) => (evidence.kind === 'map' ? [evidence.keyBytes] : []))
  assert.deepEqual(new Set(keys), expected)
  assert.deepEqual(new Set(found.map(({ node }) => node)), new Set(['n1']))
})

test('a pod: its objects, its route or neighbour, its address in its own namespace, networks it is in', async () => {
  const pod = [...cluster.objects.pods.values()].find(({ meta }) => meta.name === 'client-n1')
  assert.ok(pod?.podIPs[0])
  const found = await find('pod:shop/client-n1')
  const places = found.map(({ place }) => place)
  for (const place of [
    'Pod shop/client-n1',
    'CiliumEndpoint shop/client-n1',
    'cilium_ipcache_v2',
    'cilium_lxc',
    'address in pod:shop/client-n1',
  ])
    assert.ok(places.includes(place), `${place} in ${[...new Set(places)].join(', ')}`)
  const networks = found.filter((each) => !isExact(each))
  assert.ok(networks.some(({ group, within }) => group === 'routes' && within === 24))
  assert.ok(
    found.every(({ within }) => within !== 0),
    'networks of everything are only counted',
  )
})

test('an identity: its object, and entries of policies and of the cache that name it', async () => {
  const [identity] = [...cluster.objects.others.values()].flat().filter(({ meta }) => meta.kind === 'CiliumIdentity')
  const found = await find(`identity:${identity?.meta.name}`)
  assert.ok(found.some(({ place }) => place === `CiliumIdentity ${identity?.meta.name}`))
  assert.ok(found.some(({ place }) => place === 'cilium_ipcache_v2'))
  assert.deepEqual(new Set(found.map(({ group }) => group)), new Set(['objects', 'maps']))
})

test('what can be asked, and what is wrong with what can’t', () => {
  const addresses = (query: string) => parseWanted(query, cluster.objects).addresses.map(formatAddress)
  assert.deepEqual(addresses(' 10.0.0.1:80 '), ['10.0.0.1'])
  assert.deepEqual(addresses('[fd00::1]:80'), ['fd00::1'])
  assert.deepEqual(addresses('10.0.0.1/24'), ['10.0.0.1'])
  assert.ok(addresses('svc:shop/web').includes('10.96.0.20'))
  assert.equal(parseWanted('identity:7', cluster.objects).identity, 7)
  for (const [query, message] of [
    ['nonsense', /neither an address nor/],
    ['identity:99999999999', /not the number of an identity/],
    ['pod:shop/nobody', /no pod `shop\/nobody`/],
  ] as const)
    assert.throws(
      () => parseWanted(query, cluster.objects),
      (error) => error instanceof FindError && message.test(error.message),
    )
})

test('a line mentions an address that stands in it as a word, or as part of a network or range', () => {
  const address = fc.nat(0xffffffff).map((value) => ({ family: 4, value }) as const)
  const text4 = (value: number) => formatAddress({ family: 4, value: value >>> 0 })
  fc.assert(
    fc.property(address, fc.nat(31), (one, bits) => {
      const own = formatAddress(one)
      for (const line of [
        `-A X -d ${own}/32 -j Y`,
        `ip daddr ${own} accept`,
        `${own} . tcp . 80 : goto z`,
        `{ ${own}, 1.2.3.4 }`,
        `via "${own}"`,
      ])
        assert.deepEqual(mentionedIn(line, wanted(own)), { how: 'exact' }, line)
      assert.deepEqual(mentionedIn(`-s ${formatPrefix(prefixOf(one, bits))}`, wanted(own)), { how: 'contains', bits })
      for (const line of [`x${own}`, `${own}9.example`, `${own}.1`, 'aa:bb:cc:dd:ee:ff'])
        assert.equal(mentionedIn(line, wanted(own)), undefined, line)
      if (one.value > 0 && one.value < 0xffffffff)
        assert.equal(mentionedIn(`--src-range ${text4(one.value - 1)}-${text4(one.value + 1)}`, wanted(own))?.how, 'contains')
    }),
  )
})
