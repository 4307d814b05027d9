import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Step } from './typed-scene.ts'

/** A key that is made on a device, and its certificate, signed on the machine of the authority. */
export const SIGNED_ELSEWHERE: readonly Step[] = [
  { line: 'fridge certs request client till-7', below: 'device' },
  {
    line: 'fridge certs sign request.pem',
    before: async ({ folder }) => {
      const request = join(folder, 'device/certs/clients/till-7/request.pem')
      await copyFile(request, join(folder, 'request.pem'))
    },
  },
  {
    line: 'fridge certs accept till-7.signed.pem',
    below: 'device',
    before: async ({ folder }) =>
      copyFile(join(folder, 'till-7.signed.pem'), join(folder, 'device/till-7.signed.pem')),
  },
]
