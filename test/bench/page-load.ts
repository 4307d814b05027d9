import { join } from 'node:path'
import type { Browser, Page, Response } from 'playwright-core'
import { connectOperator } from '../../cli/operator.ts'
import { HISTORY_FILE } from '../../node/history/database.ts'
import { parseSubject, type KeyId } from '../../node/identity/names.ts'
import { startBrowser, untilShown } from '../browser/browser.ts'
import { recordYear } from '../support/history-year.ts'
import { quantile, type Bench } from './result.ts'
import { startServer, type LongestTurn } from './server-process.ts'
import { BENCH_IO, makeSite } from './site.ts'

const NODE = 'node-1'

/** How many times slower than this machine the browser is made. */
const THROTTLE = 4

/** In the page: when its form could first be filled in, in milliseconds from the navigation on. */
const WATCH_FORM = `new MutationObserver((_, observer) => {
  if (document.querySelector('main form input') === null) return
  observer.disconnect()
  requestAnimationFrame(() => { globalThis.formAt = performance.now() })
}).observe(document, { childList: true, subtree: true })`

/** In the page: press a button of the temperature. @returns ms until the plot of that window is painted */
function plotTime(title: string): string {
  return `new Promise(resolve => {
    const article = [...document.querySelectorAll('article')]
      .find(({ textContent }) => textContent.startsWith('temperature'))
    const begin = performance.now()
    new MutationObserver((records, observer) => {
      const added = records.flatMap(({ addedNodes }) => [...addedNodes])
      if (!added.some(node => node.querySelector?.('canvas') || node.tagName === 'CANVAS')) return
      observer.disconnect()
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begin)))
    }).observe(article, { childList: true, subtree: true })
    for (const button of article.querySelectorAll('button')) {
      if (button.textContent === '${title}') button.click()
    }
  })`
}

/** What the page of a node costs a browser: bytes, the time until it can be used, a year in a plot. */
export const measurePageLoad: Bench = async ({ quick, progress }) => {
  await using stack = new AsyncDisposableStack()
  const browser = await startBrowser()
  stack.defer(async () => browser.close())
  const site = stack.use(await makeSite([NODE]))
  progress('recording a year')
  await recordYear(join(await site.dataFolder(NODE), HISTORY_FILE))
  const config = await site.writeConfig(NODE, { web: { listen: '127.0.0.1:0' } })
  const server = stack.use(await startServer('page-server.ts', [config, site.certs.dir]))
  const url = `https://127.0.0.1:${server.port}/`
  const rounds = quick ? 3 : 11

  progress(`loading the page, ${THROTTLE} times slower`)
  const loads = []
  for (let round = 0; round < rounds; round += 1) loads.push(await loadOnce(browser, url))

  progress('plotting a year')
  await using context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  await page.goto(url)
  const target = { certs: site.certs.dir, as: 'admin', node: [server.address ?? ''] }
  const keys = [await askToBeLetIn(page)]
  {
    await using operator = await connectOperator(target, BENCH_IO)
    const subject = parseSubject('phone')
    await operator.change({ kind: 'grant', subject, terms: { keys } }, { waitMs: 10_000 })
  }
  await untilShown(page, 'article:has-text("temperature") figcaption', /lowest|Nothing/)
  const [plots, turns, cpus]: [number[], LongestTurn[], number[]] = [[], [], []]
  for (let round = 0; round < rounds; round += 1) {
    await page.evaluate(plotTime('7 days'))
    const before = await server.cpuMicros()
    await server.longestTurn()
    plots.push(await page.evaluate<number>(plotTime('a year')))
    turns.push(await server.longestTurn())
    cpus.push(((await server.cpuMicros()) - before) / 1_000)
  }
  const row = (what: string, samples: readonly number[], unit: string): string[] => [
    what,
    ...[0.5, 1].map(share => `${quantile(samples, share).toFixed(unit === 'kB' ? 1 : 0)} ${unit}`),
  ]
  return [
    {
      title: `The page of a node in Chromium (${rounds} rounds)`,
      rows: [
        ['what', 'median', 'most'],
        row(
          'on its way',
          loads.map(({ bytes }) => bytes / 1_000),
          'kB',
        ),
        row(
          `until its form can be filled in, ${THROTTLE} times slower`,
          loads.map(({ ms }) => ms),
          'ms',
        ),
        row('a year of hours, from the press of the button to the plot', plots, 'ms'),
        row('processor time of the node meanwhile', cpus, 'ms'),
        row(
          'longest turn of the loop of the node meanwhile',
          turns.map(({ ms }) => ms),
          'ms',
        ),
        row(
          'processor time of the turn that took most of it',
          turns.map(({ cpuMs }) => cpuMs),
          'ms',
        ),
      ],
    },
  ]
}

async function loadOnce(browser: Browser, url: string): Promise<{ ms: number; bytes: number }> {
  await using context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  const answers: Response[] = []
  page.on('response', answer => void answers.push(answer))
  const debugging = await context.newCDPSession(page)
  await debugging.send('Emulation.setCPUThrottlingRate', { rate: THROTTLE })
  await page.addInitScript(WATCH_FORM)
  await page.goto(url)
  await untilShown(page, 'header [role=status]', /nobody has signed in/)
  const ms = await page.evaluate<number>('globalThis.formAt')
  const sizes = await Promise.all(answers.map(async answer => answer.request().sizes()))
  return { ms, bytes: sizes.reduce((sum, { responseBodySize }) => sum + responseBodySize, 0) }
}

/** @returns the key that the page shows */
async function askToBeLetIn(page: Page): Promise<KeyId> {
  await page.getByLabel('The name of this browser').fill('phone')
  await page.getByRole('button', { name: 'Sign in' }).click()
  const command = await untilShown(page, 'pre', /whitelist add/)
  return command.split(' ').at(-1) as KeyId
}
