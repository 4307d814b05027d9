import { isIP } from 'node:net'
import {
  COMMON_NAME,
  readName,
  SUBJECT_ALTERNATIVE_NAME,
  valuesIn,
  type CertificateFields,
} from './certificate-fields.ts'
import { readElements, readOnly, TAG } from './der.ts'

/** The forms that a name can have, by the numbers of their tags (RFC 5280, section 4.2.1.6). */
const FORM = { other: 0, email: 1, dns: 2, directory: 4, uri: 6, ip: 7 } as const

/** A GeneralName: its form, and what it holds. */
interface NameOfForm {
  readonly form: number
  readonly content: Uint8Array
}

interface Subtree extends NameOfForm {
  /** Whether it has a minimum or a maximum, which nobody uses and nothing here knows. */
  readonly isBounded: boolean
}

/** What names an authority says that those below it may have (RFC 5280, section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly Subtree[]
  readonly excluded: readonly Subtree[]
}

const EMAIL_ADDRESS = '1.2.840.113549.1.9.1'

const HOST = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@[\]\\\s]+)(?::\d{1,5})?(?:[/?#]|$)/i
const LABEL = /^\w[\w-]*$/

/** @param value of the extension. @throws RangeError when it cannot be read */
export function readConstraints(value: Uint8Array): NameConstraints {
  const lists = readElements(readOnly(value, TAG.sequence))
  const subtreesOf = (tag: number): Subtree[] =>
    lists.filter(list => list.tag === tag).flatMap(({ content }) => readSubtrees(content))
  if (lists.some(({ tag }) => tag !== 0xa0 && tag !== 0xa1)) {
    throw new RangeError('it constrains in a way that is not known')
  }
  return { permitted: subtreesOf(0xa0), excluded: subtreesOf(0xa1) }
}

function readSubtrees(content: Uint8Array): Subtree[] {
  return readElements(content).map(({ content: subtree }) => {
    const [base, ...bounds] = readElements(subtree)
    if (base === undefined) throw new RangeError('it constrains nothing')
    return { ...nameOfForm(base.tag, base.content), isBounded: bounds.length > 0 }
  })
}

/**
 * Every name of a certificate that constraints are about.
 * @param isLeaf a common name stands for a host where no host is named, but not in an authority
 * @throws RangeError when one cannot be read
 */
export function namesIn(
  { subject, extensions }: Pick<CertificateFields, 'subject' | 'extensions'>,
  isLeaf: boolean,
): NameOfForm[] {
  const stated = extensions.get(SUBJECT_ALTERNATIVE_NAME)
  const names =
    stated === undefined
      ? []
      : readElements(readOnly(stated.value, TAG.sequence)).map(({ tag, content }) =>
          nameOfForm(tag, content),
        )
  const hosts =
    isLeaf && !names.some(({ form }) => form === FORM.dns)
      ? valuesIn(subject, COMMON_NAME).filter(isHostName)
      : []
  return [
    ...(subject.length === 0 ? [] : [{ form: FORM.directory, content: subject }]),
    ...valuesIn(subject, EMAIL_ADDRESS).map(text => ({
      form: FORM.email,
      content: Buffer.from(text),
    })),
    ...hosts.map(text => ({ form: FORM.dns, content: Buffer.from(text) })),
    ...names,
  ]
}

/** Why names are not those that an authority lets those below it have; undefined if they are. */
export function objectionToNames(
  names: readonly NameOfForm[],
  { permitted, excluded }: NameConstraints,
): string | undefined {
  for (const name of names) {
    const allowed = permitted.filter(subtree => isAbout(subtree, name))
    const denied = excluded.filter(subtree => isAbout(subtree, name))
    const unknown = [...allowed, ...denied].find(
      subtree => subtree.isBounded || !isKnown(name, subtree),
    )
    // RFC 5280, section 4.2.1.10: whoever cannot apply a constraint to a name refuses it.
    if (unknown !== undefined) return 'constrains names in a form that is not applied here'
    if (allowed.length > 0 && !allowed.some(subtree => isWithin(name, subtree))) {
      return `does not permit ${describe(name)}`
    }
    if (denied.some(subtree => isWithin(name, subtree) || covers(name, subtree))) {
      return `excludes ${describe(name)}`
    }
  }
  return undefined
}

function nameOfForm(tag: number, content: Uint8Array): NameOfForm {
  const form = tag & 0x1f
  // That of a directory is a choice, so it has a tag of its own inside.
  return { form, content: form === FORM.directory ? readOnly(content, TAG.sequence) : content }
}

function isAbout({ form }: Subtree, name: NameOfForm): boolean {
  // An address for mail may stand in another name as well (RFC 9598).
  return form === name.form || (form === FORM.email && name.form === FORM.other)
}

function isKnown(name: NameOfForm, { content }: Subtree): boolean {
  switch (name.form) {
    case FORM.dns:
    case FORM.directory:
      return true
    case FORM.uri:
      return hostOf(name) !== undefined
    case FORM.ip:
      return (
        (name.content.length === 4 || name.content.length === 16) &&
        (content.length === 8 || content.length === 32)
      )
    default:
      return false
  }
}

/** Whether a name lies within a subtree of its form. */
function isWithin(name: NameOfForm, { content: base }: Subtree): boolean {
  switch (name.form) {
    case FORM.directory:
      return isPrefix(readName(base), readName(name.content))
    case FORM.dns:
      return isBelow(text(name.content), text(base))
    case FORM.uri: {
      const [host = '', within] = [hostOf(name), text(base)]
      return within.startsWith('.')
        ? host.length > within.length && host.endsWith(within)
        : host === within
    }
    case FORM.ip: {
      const { content } = name
      const mask = base.subarray(content.length)
      if (mask.length !== content.length) return false
      return content.every((byte, at) => ((byte ^ (base[at] ?? 0)) & (mask[at] ?? 0)) === 0)
    }
    default:
      return false
  }
}

/** Whether a name with an asterisk stands for hosts that lie within an excluded subtree. */
function covers({ form, content }: NameOfForm, { content: base }: Subtree): boolean {
  const name = text(content)
  return form === FORM.dns && name.startsWith('*.') && isBelow(text(base), name.slice(2))
}

function isBelow(name: string, base: string): boolean {
  if (base === '' || name === base) return true
  return name.endsWith(base.startsWith('.') ? base : `.${base}`)
}

function isPrefix(base: readonly string[], name: readonly string[]): boolean {
  return base.every((part, index) => part === name[index])
}

/** Whether OpenSSL takes a common name for that of a host: two labels at least. */
function isHostName(commonName: string): boolean {
  const labels = commonName.split('.')
  return labels.length > 1 && labels.every(label => LABEL.test(label) && !label.endsWith('-'))
}

/** The host in a URI; undefined where it has none, or is an address (RFC 5280, section 4.2.1.10). */
function hostOf({ content }: NameOfForm): string | undefined {
  const host = HOST.exec(text(content))?.[1]
  return host === undefined || isIP(host) !== 0 ? undefined : host
}

function text(content: Uint8Array): string {
  return Buffer.from(content).toString('latin1').toLowerCase()
}

function describe({ form, content }: NameOfForm): string {
  switch (form) {
    case FORM.directory:
      return 'its subject'
    case FORM.ip:
      return `the address ${[...content].join('.')}`
    default:
      return JSON.stringify(text(content))
  }
}
