import type { Browser } from 'playwright-core'
import type { TestCerts } from '../../support/certs.ts'
import { makeSharedCerts } from '../../support/cluster.ts'
import { startBrowser } from '../browser.ts'

/** What all tests of one file share; `test.after.always` disposes it. */
export interface Stage extends AsyncDisposable {
  readonly certs: TestCerts
  readonly browser: Browser
}

/** Make certificates and start a browser. */
export async function setStage(): Promise<Stage> {
  const [shared, browser] = await Promise.all([makeSharedCerts(), startBrowser()])
  return {
    certs: shared.certs,
    browser,
    [Symbol.asyncDispose]: async () => {
      await browser.close()
      await shared.remove()
    },
  }
}
