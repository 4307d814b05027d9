import { posix } from 'node:path'
import { importsOf } from './imports.ts'

/** What a room may know of the others. */
export interface Room {
  /** What its files are about, in one sentence. */
  readonly holds: string
  /** The rooms that its files may import from. */
  readonly imports: readonly string[]
  /** Each room before it that its files may not import from, with the reason. */
  readonly bans: Readonly<Record<string, string>>
  /** Its files that put it together for `start.ts`, and what is open to each of them besides. */
  readonly entrances?: Readonly<Record<string, readonly string[]>>
  /** What is built into Node.js and closed to it, with the reason. */
  readonly builtins?: { readonly banned: RegExp; readonly because: string }
}

/** The rooms in their order: none may import from one behind it. */
export type Plan = Readonly<Record<string, Room>>

/** Which files may import a package, `node:` ones included, and why no other. */
export interface PackageWall {
  readonly files: RegExp
  readonly because: string
}

/** An import of one file by another, or of a package. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly isPackage: boolean
}

/** The room of a file: a folder of `node/`, `start` for what stands in `node/` itself, else the folder at the top. */
export function roomOf(file: string): string {
  const [top = '', folder = '', ...below] = file.split('/')
  if (top !== 'node') return top
  return below.length === 0 ? 'start' : folder
}

/** Files by their paths from the root, with what they import, in the order of the files. */
export interface House {
  readonly files: ReadonlySet<string>
  readonly arrows: readonly Arrow[]
}

/** @param sources the text of each file, by its path from the root */
export function readHouse(sources: ReadonlyMap<string, string>): House {
  const arrows = Array.from(sources, ([from, source]) =>
    importsOf(source).map(path => {
      const isPackage = !path.startsWith('.')
      return {
        from,
        to: isPackage ? packageOf(path) : posix.join(posix.dirname(from), path),
        isPackage,
      }
    }),
  )
  return { files: new Set(sources.keys()), arrows: arrows.flat() }
}

/** The package of a path within it: `csv-parse/sync` is of `csv-parse`. */
function packageOf(path: string): string {
  if (path.startsWith('node:')) return path
  return path.split('/', path.startsWith('@') ? 2 : 1).join('/')
}

/** Each import that crosses a wall, with the reason for the wall. */
export function crossings({ files, arrows }: House, plan: Plan): string[] {
  const rooms = Object.keys(plan)
  const say = ({ from, to }: Arrow, because: string): string => `${from} → ${to}: ${because}`
  return arrows.flatMap(arrow => {
    const { from, to } = arrow
    const room = roomOf(from)
    const own = plan[room]
    if (own === undefined) return [`${from}: there is no room ${room}`]
    if (arrow.isPackage) {
      const { builtins } = own
      return builtins?.banned.test(to) === true ? [say(arrow, builtins.because)] : []
    }
    if (!files.has(to)) return [say(arrow, 'it is no file of the house')]
    const other = roomOf(to)
    const entrance = own.entrances?.[posix.basename(from)] ?? []
    if (other === room || own.imports.includes(other) || entrance.includes(other)) return []
    const isBefore = rooms.indexOf(other) < rooms.indexOf(room)
    const because = isBefore ? own.bans[other] : `${other}/ stands behind ${room}/`
    return [say(arrow, because ?? 'the plan says nothing of it')]
  })
}

/** What a plan leaves open: each room before another is allowed to it, or banned with a reason. */
export function gapsOf(plan: Plan): string[] {
  const rooms = Object.keys(plan)
  return Object.entries(plan).flatMap(([name, { imports, bans }], index) => {
    const said = [...imports, ...Object.keys(bans)]
    const before = rooms.slice(0, index)
    return [
      ...before.filter(room => !said.includes(room)).map(room => `${name} says nothing of ${room}`),
      ...said.filter(room => !before.includes(room)).map(room => `${room} is not before ${name}`),
      ...imports.filter(room => room in bans).map(room => `${name} bans ${room} and allows it`),
    ]
  })
}

/** Each import of a package by a file that may not know it, or that no wall is for. */
export function packageCrossings(
  { arrows }: Pick<House, 'arrows'>,
  walls: Readonly<Record<string, PackageWall>>,
): string[] {
  return arrows.flatMap(({ from, to, isPackage }) => {
    const wall = walls[to]
    if (!isPackage || wall?.files.test(from) === true) return []
    if (wall !== undefined) return [`${from} → ${to}: ${wall.because}`]
    return to.startsWith('node:') ? [] : [`${from} → ${to}: no wall is for this package`]
  })
}

/** The files that import each other in a circle: each group once, its files in order. */
export function circles({ files, arrows }: House): string[][] {
  const next = new Map(Array.from(files, file => [file, new Set<string>()]))
  for (const { from, to } of arrows) if (files.has(to)) next.get(from)?.add(to)
  // Files that nothing in a circle needs, or that need nothing in one, fall away from both ends.
  for (let before = -1; before !== next.size;) {
    before = next.size
    const imported = new Set(Array.from(next.values(), others => [...others]).flat())
    for (const [file, others] of next) {
      for (const other of others) if (!next.has(other)) others.delete(other)
      if (others.size === 0 || !imported.has(file)) next.delete(file)
    }
  }
  const reached = new Map(Array.from(next.keys(), file => [file, reachable(file, next)]))
  const groups = new Map<string, string[]>()
  for (const [file, others] of reached) {
    const group = [...others].filter(other => reached.get(other)?.has(file) === true).sort()
    if (group.includes(file)) groups.set(group.join(' '), group)
  }
  return [...groups.values()]
}

function reachable(
  start: string,
  next: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  const found = new Set<string>()
  const open = [start]
  for (let file; (file = open.pop()) !== undefined;) {
    for (const other of next.get(file) ?? []) {
      if (found.has(other)) continue
      found.add(other)
      open.push(other)
    }
  }
  return found
}
