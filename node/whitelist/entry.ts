import { hash } from 'node:crypto'
import { nodeOf, sourceOf, type Source } from '../identity/names.ts'
import type { EntrySignatures } from '../identity/signature.ts'
import type { Change, Place } from './change.ts'
import type { EntryCertificates } from './vouchers.ts'

/** One change as it is stored and sent: its text, which says what stands before it, its hash and its signatures. */
export interface Entry {
  readonly change: Change
  /** Canonical text of the change. */
  readonly text: string
  /** `entryHash` of its text and its certificates. */
  readonly hash: string
  readonly signatures: EntrySignatures
}

/**
 * An entry of a source that equivocated: its node signed two entries that cannot stand in one
 * chain. Each of them is operator-signed and counts as it would in its place; only it is filed and
 * sent at a place of its own, so that every node ends with all of them (PROTOCOL.md,
 * "Equivocation").
 */
export interface Stray {
  readonly entry: Entry
  /** An entry that conflicts with it; absent when the fork has been proven at or before its place. */
  readonly against?: Entry
}

/** An entry, with its place in the order in which this node took them. */
export interface LoggedEntry {
  /** 1, 2, 3…: the order in which this node took them. */
  readonly position: number
  readonly entry: Entry
  /** Where it is filed: for a stray a place of its own. */
  readonly place: Place
  readonly isStray: boolean
}

/** Whether an entry is a stray, checked or not. */
export function isStray<One extends object>(
  one: One,
): one is Extract<One, { readonly entry: unknown }> {
  return 'entry' in one
}

/** The entries that an entry or a stray is made of, checked or not. */
export function entriesIn<One extends object>(
  one: One | { readonly entry: One; readonly against?: One },
): One[] {
  if (!('entry' in one)) return [one]
  return one.against === undefined ? [one.entry] : [one.entry, one.against]
}

/** Where an entry or a stray is filed, sent and counted. */
export function placeOf(one: Entry | Stray): Place {
  return isStray(one) ? strayPlace(one.entry) : one.change
}

/**
 * Where a stray stands: a source that only its hash decides, and sequence 1. Of 128 bits, so that
 * nobody finds two entries for one place; no run has as many, so that no entry stands there.
 */
export function strayPlace({ change, hash: entry }: Pick<Entry, 'change' | 'hash'>): Place {
  return { source: straySource(change.source, entry), sequence: 1 }
}

/** The source at which an entry of `source` stands as a stray. @param entry its hash */
export function straySource(source: Source, entry: string): Source {
  return sourceOf(nodeOf(source), hash('sha256', `stray\n${entry}`).slice(0, 32))
}

/** Whether two entries of one source cannot stand in one chain. */
export function conflicts(one: Entry, other: Entry): boolean {
  const [first, second] = one.change.sequence <= other.change.sequence ? [one, other] : [other, one]
  if (first.change.source !== second.change.source) return false
  if (first.change.sequence === second.change.sequence) return first.hash !== second.hash
  return (
    first.change.sequence + 1 === second.change.sequence && second.change.previous !== first.hash
  )
}

/**
 * SHA-256 over `entry`, the fingerprints of both certificates and the text, each behind a line feed,
 * in base64url (43 characters). The text says the hash of the entry before it, so that nobody can
 * swap, leave out or insert one unnoticed; and who relays an entry cannot put another certificate of
 * the same key under it, which an authority may have issued that counts no longer.
 */
export function entryHash(
  text: string,
  { operatorCertificate, nodeCertificate }: EntryCertificates,
): string {
  const lines = ['entry', operatorCertificate, nodeCertificate, text]
  return hash('sha256', lines.join('\n'), 'base64url')
}
