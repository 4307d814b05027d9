import test from 'ava'
import { MAX_LIST_TEXT, readSubjectPages } from '../../../../node/client/operator/subject-pages.ts'
import { readFleet } from '../../../../node/client/operator/vitals-answers.ts'
import { sourceOf, parseName } from '../../../../node/identity/names.ts'

/** A stolen node that invents names in order, without end. */

const SOURCE = sourceOf(parseName('node-1'), '0'.repeat(16))
const GRANT = { operator: 'admin', at: 1, source: SOURCE, sequence: 1, reason: 'x'.repeat(500) }

function nameBehind(count: number): string {
  return `n${String(count).padStart(9, '0')}`
}

test('attack: a list that goes on for ever is given up, and says which node shows it', async t => {
  let asked = 0
  const ask = async (): Promise<unknown> => {
    asked += 1
    return Array.from({ length: 1_000 }, (_, index) => ({
      subject: `client/${nameBehind(asked * 1_000 + index)}`,
      standing: 'granted',
      grants: Array.from({ length: 10 }, () => GRANT),
      revocations: [],
      sessions: 0,
    }))
  }
  const read = async (): Promise<void> => {
    for await (const page of readSubjectPages(ask, 'node-1')) t.is(page.length, 1_000)
  }
  await t.throwsAsync(read, {
    code: 'ERR_PROTOCOL',
    message: 'what node-1 answers to list cannot be read: it has no end',
  })
  const pageText = JSON.stringify(await ask()).length
  t.true(asked * pageText < MAX_LIST_TEXT + 5 * pageText)
})

test('attack: a fleet that goes on for ever is given up, and says which node shows it', async t => {
  let asked = 0
  const ask = async (): Promise<unknown> => {
    asked += 1
    return Array.from({ length: 1_000 }, (_, index) => ({
      name: nameBehind(asked * 1_000 + index),
    }))
  }
  await t.throwsAsync(readFleet(ask, 'node-1'), {
    code: 'ERR_PROTOCOL',
    message: 'what node-1 answers to vitals cannot be read: it has no end',
  })
  t.is(asked, 21)
})

test('a fleet of as many nodes as a node keeps is read whole', async t => {
  const most = 16_384 + 256
  let told = 0
  const ask = async (): Promise<unknown> => {
    const page = Array.from({ length: Math.min(200, most - told) }, (_, index) => ({
      name: nameBehind(told + index),
    }))
    told += page.length
    return page
  }
  const fleet = await readFleet(ask, 'node-1')
  t.is(fleet.size, most)
})
