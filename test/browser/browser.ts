import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { chromium, type Browser, type Locator, type Page } from 'playwright-core'
import type { KeyId } from '../../node/identity/names.ts'
import type { TestCerts } from '../support/certs.ts'

/** Nothing of it reaches out of this machine. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Debian's Chromium. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: find('chromium'), args: FLAGS })
}

/** The path of a program; undefined where there is none. */
export function findProgram(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map(folder => join(folder, program)).find(isExecutable)
}

function find(program: string): string {
  const found = findProgram(program)
  if (found === undefined) throw new Error(`there is no ${program}: apt-get install ${program}`)
  return found
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A web site of somebody, over HTTPS at `https://localhost:PORT`. */
export interface WebSite extends AsyncDisposable {
  readonly origin: string
}

const TYPES = new Map([
  ['html', 'text/html; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
])

/** Serve the files of a map, by path. */
export async function serveSite(
  certs: TestCerts,
  files: ReadonlyMap<string, URL | string>,
): Promise<WebSite> {
  const { key, certificate } = await certs.load('node', 'node-1')
  const server = createServer({ key, cert: certificate }, (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? ''
    const file = files.get(path)
    if (file === undefined) return void response.writeHead(404).end()
    const type = TYPES.get(path.split('.').at(-1) ?? '') ?? 'text/html; charset=utf-8'
    void (typeof file === 'string' ? Promise.resolve(file) : readFile(file)).then(body => {
      // A frame without an origin of its own may load a module by this alone.
      const headers = { 'Content-Type': type, 'Access-Control-Allow-Origin': '*' }
      response.writeHead(200, headers).end(body)
    })
  })
  await new Promise<void>(resolve => {
    server.listen(0, 'localhost', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `https://localhost:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise(resolve => {
        server.close(resolve)
      })
    },
  }
}

/** How often a page is looked at, and for how long, in milliseconds. */
const LOOK_MS = 50
const PATIENCE_MS = 30_000

/**
 * Wait until a page shows a text that fits. It is looked at from outside: under a strict policy
 * nothing can be evaluated in it again and again.
 */
export async function untilShown(
  page: Page,
  shown: Locator | string,
  text: RegExp,
): Promise<string> {
  const place = typeof shown === 'string' ? page.locator(shown) : shown
  let said = ''
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    said = await place.innerText()
    if (text.test(said)) return said
    await page.waitForTimeout(LOOK_MS)
  }
  throw new Error(`it does not show ${text}, but: ${said}`)
}

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A folder for pictures of the page, to be looked at by whoever changes it. */
const PICTURES = process.env['PICTURES']

/** What axe finds wrong on a page as it is now. */
export async function findings(page: Page): Promise<unknown[]> {
  // The policy of the page is for scripts of the page; a debugger is none.
  await page.evaluate(axe)
  return page.evaluate<unknown[]>(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]))`)
}

const DRAWN_COLUMNS = `(() => {
  const canvas = [...document.querySelectorAll('article')]
    .find(({ textContent }) => textContent.startsWith('temperature')).querySelector('canvas')
  const { width, height } = canvas
  const { data } = canvas.getContext('2d').getImageData(0, 0, width, height)
  const isDrawn = x => Array.from({ length: height }, (_, y) => 4 * (y * width + x))
    .some(at => data[at] < 60 && data[at + 2] > 120 && data[at + 3] > 200)
  return Array.from({ length: width }, (_, x) => isDrawn(x))
})()`

/** Whether the plot of the temperature has a line in each column of its pixels: none where nothing is known. */
export async function drawnColumns(page: Page): Promise<boolean[]> {
  return page.evaluate<boolean[]>(DRAWN_COLUMNS)
}

/** Scripts, styles and connections that the policy of the page has stopped. */
export function watchFaults(page: Page): string[] {
  const faults: string[] = []
  page.on('pageerror', error => faults.push(error.message))
  page.on('console', message => {
    if (message.type() === 'error') faults.push(message.text())
  })
  return faults
}

/** Wait until nothing of a page is wider than it is shown. */
export async function untilFits(page: Page, width: number): Promise<void> {
  while ((await page.evaluate<number>('document.documentElement.scrollWidth')) > width) {
    await page.waitForTimeout(50)
  }
}

export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return
  for (const width of [360, 768, 1_440]) {
    await page.setViewportSize({ width, height: 900 })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const path = `${PICTURES}/${name}-${width}-${colorScheme}.png`
      await page.screenshot({ path, fullPage: true })
    }
  }
}

/** Ask to be let in. @returns the key in the command that the page shows */
export async function signInAs(page: Page, name: string): Promise<KeyId> {
  await page.getByLabel('The name of this browser').fill(name)
  await page.getByRole('button', { name: 'Sign in' }).click()
  const command = await untilShown(page, 'pre', /whitelist add/)
  return command.split(' ').at(-1) as KeyId
}
