import { identityOf, type Identity } from '../../../node/identity/identity.ts'
import { FridgeError } from '../../../node/lib/errors.ts'
import { readCorpus } from '../corpus.ts'
import { mutateTree, readTree, writeTree } from '../der-tree.ts'
import type { Dice } from '../dice.ts'
import { contradictionOf } from '../models/identities.ts'
import type { Target } from '../target.ts'

/** Who a certificate is said to be of: an input is its DER in hexadecimal, as one line. */
export async function openCertificates(): Promise<Target> {
  const genuine = readCorpus('certificates')
    .filter(({ file }) => file.startsWith('valid-'))
    .map(({ bytes }) => decode(bytes))
  return {
    name: 'certificates',
    fixedInputs: 4_000,
    maxLineBytes: 8_192,
    generate: dice => altered(dice.pick(genuine), dice).toString('hex'),
    run: async bytes => {
      const der = decode(bytes)
      const identity = readIdentity(der)
      if (identity === undefined) return { refused: true }
      return { refused: false, problem: contradictionOf(der, identity) }
    },
  }
}

function decode(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1'), 'hex')
}

function altered(der: Buffer, dice: Dice): Buffer {
  const tree = readTree(der)
  for (let left = dice.pick([1, 1, 1, 2, 2, 3]); left > 0; left -= 1) mutateTree(tree, dice)
  return writeTree(tree)
}

/** @returns undefined where it is refused; whatever else is thrown is a fault */
function readIdentity(der: Buffer): Identity | undefined {
  try {
    return identityOf(der)
  } catch (error) {
    if (error instanceof FridgeError && error.code === 'ERR_CERTIFICATE') return undefined
    throw error
  }
}
