import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { connectOperator } from '../../cli/operator.ts'
import { HISTORY_FILE, openHistoryDatabase } from '../../node/history/database.ts'
import { HistoryStore } from '../../node/history/store.ts'
import { parseSubject } from '../../node/identity/names.ts'
import { makeTestFolder } from '../support/certs.ts'
import { recordIo, spawnCli, type CliProcess } from '../support/cli.ts'
import { celsius, HOUR_MS, openWriter } from '../support/history.ts'
import { makePeople } from '../support/replica-people.ts'
import { drawnColumns, signInAs, untilShown } from './browser.ts'
import { setStage } from './support/stage.ts'

/** A node that is a process of its own, killed under a page that is open. */

const stage = await setStage()
const { certs, browser } = stage
test.after.always(async () => stage[Symbol.asyncDispose]())
const READY = /^fridge node \S+ ready on (\S+)$/
const PAGE = /^page (\S+)$/

/** What a node has recorded that was killed some hours ago. */
async function recordUntil(file: string, end: number): Promise<void> {
  const begin = end - 5 * HOUR_MS
  const people = await makePeople({ nodes: ['node-1'], now: begin - HOUR_MS })
  using store = new HistoryStore(openHistoryDatabase(file))
  const writer = openWriter(store, people, begin)
  for (let at = begin; at < end; at += 60_000) {
    writer.tell('temperature', celsius(4 + Math.sin(at / HOUR_MS), at), at)
  }
  writer.flush()
}

test.serial(
  'a node that is killed under an open page is told, its last values are no values, and what it missed is a gap',
  async t => {
    const data = await makeTestFolder(t)
    await mkdir(data, { recursive: true })
    await recordUntil(join(data, HISTORY_FILE), Date.now() - 3 * HOUR_MS)
    const config = join(data, 'node.json')
    const settings = { name: 'node-1', certs: certs.dir, data, metrics: { listen: 'off' } }
    await writeFile(config, JSON.stringify(settings))
    const start = (web: string, listen: string): CliProcess =>
      spawnCli(t, ['node', 'start', '--config', config, '--listen', listen], {
        env: { FRIDGE_WEB: web },
      })
    const node = start('127.0.0.1:0', '127.0.0.1:0')
    const [, address = ''] = READY.exec(await node.out.find(READY)) ?? []
    const [, url = ''] = PAGE.exec(await node.out.find(PAGE)) ?? []
    await using context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    await page.goto(url)
    const key = await signInAs(page, 'phone')
    {
      const target = { certs: certs.dir, as: 'admin', node: [address] }
      await using operator = await connectOperator(target, recordIo().io)
      const keys = [key]
      const subject = parseSubject('phone')
      await operator.change({ kind: 'grant', subject, terms: { keys } }, { waitMs: 20_000 })
    }
    const value = page.locator('article:has-text("temperature") .value')
    await untilShown(page, value, /°C/)
    node.child.kill('SIGKILL')
    await untilShown(page, 'header [role=status]', /^Not connected: the node is out of reach/)
    t.notRegex(await page.locator('main').innerText(), /°C/)

    const again = start(new URL(url).host, address)
    await again.out.find(READY)
    await untilShown(page, value, /°C/)
    await untilShown(page, 'article:has-text("temperature") figcaption', /lowest \d/)
    await page.locator('article:has-text("temperature") canvas').waitFor()
    // Three hours of a day are an eighth of the plot; its margins are less than the rest.
    const columns = await drawnColumns(page)
    const missing = columns.length - columns.lastIndexOf(true)
    t.true(missing > columns.length / 10 && columns.includes(true), String(missing))
  },
)
