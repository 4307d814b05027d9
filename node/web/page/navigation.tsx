import { signal } from '@preact/signals'
import type { ComponentChild } from 'preact'
import { rights } from './connection.ts'

/** A part of the page that has a name of its own. */
export interface Part {
  /** What stands behind `#`. */
  readonly id: string
  readonly title: string
  /** Without which view of its grant nobody gets it; absent where everybody does. */
  readonly view?: string
  /** @param name what stands behind a slash in the fragment: one of several that it can show */
  readonly show: (name: string | undefined) => ComponentChild
}

const chosen = signal(location.hash.slice(1))
addEventListener('hashchange', () => {
  chosen.value = location.hash.slice(1)
})

/** The parts that the page may show, and the one that is looked at. */
export function Parts({ parts }: { readonly parts: readonly Part[] }) {
  const { views } = rights.value
  const shown = parts.filter(({ view }) => view === undefined || views.includes(view))
  const [wanted, name] = chosen.value.split('/')
  const part = shown.find(({ id }) => id === wanted) ?? shown[0]
  if (part === undefined) return null
  return (
    <>
      {shown.length > 1 && (
        <nav aria-label="Parts of this page">
          {shown.map(({ id, title }) => (
            <a
              key={id}
              href={`#${id}`}
              aria-current={id === part.id && name === undefined ? 'page' : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
      )}
      {part.show(part.id === wanted ? name : undefined)}
    </>
  )
}
