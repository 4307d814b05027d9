import { FridgeError } from '../lib/errors.ts'

declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** What a certificate is for. It stands in its SPIFFE-style URI (PROTOCOL.md, "Identity"). */
export type Role = 'node' | 'operator' | 'client'

/** What a subject of the list is: the holder of a certificate or of a browser's key, or the origin of a page. */
export type SubjectKind = Role | 'origin'

/** Where a page comes from: `https://HOST` or `https://HOST:PORT`, as a browser says it (RFC 6454). */
export type Origin = Brand<'Origin'>

/** The name of one node, operator or client: 1 to 64 of `A-Z a-z 0-9 . _ -`, not `.` or `..`. */
export type Name = Brand<'Name'>

/**
 * Whom a change is about: `<role>/<name>`, for example `client/fridge-client-001`, or
 * `origin/<origin>`, for example `origin/https://shop.example`.
 */
export type Subject = Brand<'Subject'>

/**
 * Who numbers changes: `<node name>#<incarnation>`. The incarnation, 16 hex digits, is drawn at
 * random at each start of the node, so that a lost disk never reuses a place. One of 32 hex digits
 * is that of a stray (PROTOCOL.md, "Equivocation"): no run of a node can take its place.
 */
export type Source = Brand<'Source'>

/** What a checkpoint is about: no name, but all of them. It sorts between clients and nodes. */
export const WHOLE_LIST = 'list' as Subject

/** SHA-256 of a SubjectPublicKeyInfo in DER, 64 lower-case hex digits. */
export type KeyId = Brand<'KeyId'>

/** The greatest number of sources that a digest, a change or a clock may name (PROTOCOL.md, "Limits"). */
export const MAX_SOURCES = 20_000

export const ROLES: readonly Role[] = ['node', 'operator', 'client']

// The characters of a SPIFFE path segment (SPIFFE-ID, section 2.2).
const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/
const SOURCE = /^(?!\.{1,2}#)[A-Za-z0-9._-]{1,64}#(?:[0-9a-f]{16}|[0-9a-f]{32})$/
const PART = /^(?!\.{1,2}#)[A-Za-z0-9._-]{1,64}#[0-9a-f]{16}\.(?:state|vitals)$/
const RUN_DIGITS = 16
const KEY_ID = /^[0-9a-f]{64}$/
const ORIGIN = /^https:\/\/(?:[a-z0-9._-]{1,253}|\[[0-9a-f:]{2,39}\])(?::[1-9][0-9]{0,4})?$/
const ORIGIN_PREFIX = 'origin/'

export function isRole(value: unknown): value is Role {
  return value === 'node' || value === 'operator' || value === 'client'
}

export function isName(value: unknown): value is Name {
  return typeof value === 'string' && NAME.test(value)
}

export function isSource(value: unknown): value is Source {
  return typeof value === 'string' && SOURCE.test(value)
}

/**
 * Whether a value is where something is gossiped: a source, or a part of what a run says of itself,
 * `<run>.state` or `<run>.vitals` (PROTOCOL.md, "Members").
 */
export function isGossiped(value: unknown): value is Source {
  return isSource(value) || (typeof value === 'string' && PART.test(value))
}

/** Whether a source is a run of a node, not the place of a stray. */
export function isRun(source: Source): boolean {
  return source.length - source.indexOf('#') - 1 === RUN_DIGITS
}

export function isKeyId(value: unknown): value is KeyId {
  return typeof value === 'string' && KEY_ID.test(value)
}

/**
 * Whether a text is an origin just as `new URL(text).origin` gives it back, of a page that came
 * over HTTPS. Every node says the same, whatever version of Node.js it runs on: which labels of
 * international names there are changes with the versions of Unicode, so those are not looked into.
 */
export function isOrigin(value: unknown): value is Origin {
  if (typeof value !== 'string' || !ORIGIN.test(value)) return false
  const ascii = value.replaceAll('xn--', 'xnxx')
  return URL.canParse(ascii) && new URL(ascii).origin === ascii
}

export function isSubject(value: unknown): value is Subject {
  if (typeof value !== 'string') return false
  if (value.startsWith(ORIGIN_PREFIX)) return isOrigin(value.slice(ORIGIN_PREFIX.length))
  const slash = value.indexOf('/')
  return slash > 0 && isRole(value.slice(0, slash)) && isName(value.slice(slash + 1))
}

/** @throws FridgeError `ERR_USAGE` when it is not a name. */
export function parseName(text: string): Name {
  if (isName(text)) return text
  throw new FridgeError('ERR_USAGE', `${JSON.stringify(text)} is not a name`, {
    fix: 'use 1 to 64 letters, digits, dots, underscores and hyphens',
  })
}

/**
 * Whom a person means: `NAME` is a client, `operator/NAME` and `node/NAME` are the others.
 * @throws FridgeError `ERR_USAGE` when it is neither.
 */
export function parseSubject(text: string): Subject {
  if (isSubject(text)) return text
  return subjectOf('client', parseName(text))
}

export function subjectOf(role: SubjectKind, name: Name): Subject {
  return `${role}/${name}` as Subject
}

/** The origin of a page as a subject. */
export function originSubject(origin: Origin): Subject {
  return `${ORIGIN_PREFIX}${origin}` as Subject
}

export function roleOf(subject: Subject): SubjectKind {
  return subject.slice(0, subject.indexOf('/')) as SubjectKind
}

/**
 * Whether a subject signs changes or accepts them: then it needs no grant, its removal is for good,
 * and says up to where its own grants still count. All others are let in by grants.
 */
export function isAuthor(subject: Subject): boolean {
  const role = roleOf(subject)
  return role === 'operator' || role === 'node'
}

/** The name in a subject; of an origin the origin. */
export function nameOf(subject: Subject): Name {
  return subject.slice(subject.indexOf('/') + 1) as Name
}

/** @param incarnation 16 lower-case hex digits; 32 for a stray */
export function sourceOf(node: Name, incarnation: string): Source {
  return `${node}#${incarnation}` as Source
}

/** The node that a source belongs to. */
export function nodeOf(source: Source): Name {
  return source.slice(0, source.indexOf('#')) as Name
}

/**
 * A subject as a person writes it: clients bare, others with their role; so is a client whose name
 * begins like an option, since it stands in commands that are shown to be typed.
 */
export function displaySubject(subject: Subject): string {
  const name = nameOf(subject)
  return roleOf(subject) === 'client' && !name.startsWith('-') ? name : subject
}
