import { readFile } from 'node:fs/promises'
import test from 'ava'
import { parseAllDocuments, parse } from 'yaml'

/**
 * What runs the nodes elsewhere says of them what compose.yaml says. No schema of Kubernetes is at
 * hand where nothing can be fetched, so what would go wrong unseen is checked here by name.
 */

const NODES = ['node-1', 'node-2', 'node-3'] as const

interface Service {
  readonly environment: Record<string, string>
  readonly command: readonly string[]
  readonly read_only: boolean
  readonly cap_drop: readonly string[]
  readonly tmpfs: readonly string[]
  readonly stop_grace_period: string
  readonly secrets: readonly { source: string; target: string }[]
  readonly deploy: { replicas: number; endpoint_mode: string }
}

interface Stack {
  readonly services: Record<string, Service>
  readonly secrets: Record<string, unknown>
}

interface Container {
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly { name: string; value: string }[]
  readonly volumeMounts: readonly { name: string; mountPath: string; readOnly?: boolean }[]
  readonly securityContext: Record<string, unknown>
  readonly readinessProbe: { httpGet: { path: string } }
  readonly livenessProbe: { httpGet: { path: string } }
}

interface Item {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { name: string }
  readonly spec: {
    readonly selector: Record<string, unknown>
    readonly serviceName: string
    readonly replicas: number
    readonly clusterIP?: string
    readonly maxUnavailable?: number
    readonly volumeClaimTemplates: readonly { metadata: { name: string } }[]
    readonly template: {
      readonly metadata: { labels: Record<string, string> }
      readonly spec: {
        readonly automountServiceAccountToken: boolean
        readonly securityContext: { runAsNonRoot: boolean; runAsUser: number }
        readonly containers: readonly Container[]
        readonly volumes: readonly { name: string; secret?: { secretName: string } }[]
      }
    }
  }
}

/** Kubernetes, Docker and this reader all take the merge keys of YAML 1.1. */
async function read(file: string): Promise<unknown> {
  const text = await readFile(new URL(`../cluster/${file}`, import.meta.url), 'utf8')
  checkOneDocument(text)
  return parse(text, { merge: true })
}

function checkOneDocument(text: string): void {
  const documents = parseAllDocuments(text, { merge: true })
  if (documents.length !== 1) throw new Error(`${documents.length} documents`)
}

const compose = (await read('compose.yaml')) as Stack
const stack = (await read('stack.yaml')) as Stack
const { items } = (await read('kubernetes.yaml')) as { items: readonly Item[] }
const ofKind = (kind: string): readonly Item[] => items.filter(item => item.kind === kind)

test('the nodes of a swarm are those of compose.yaml', t => {
  t.deepEqual(Object.keys(stack.services), [...NODES])
  for (const name of NODES) {
    const ours = stack.services[name]
    const theirs = compose.services[name]
    for (const key of ['environment', 'command', 'read_only', 'cap_drop', 'tmpfs'] as const) {
      t.deepEqual(ours?.[key], theirs?.[key], `${name}: ${key}`)
    }
    t.is(ours?.stop_grace_period, theirs?.stop_grace_period)
    t.like(ours?.deploy, { replicas: 1, endpoint_mode: 'dnsrr' })
    t.deepEqual(
      ours?.secrets.map(({ source }) => source),
      ['ca', `${name}-certificate`, `${name}-private-key`],
    )
    for (const { source } of ours?.secrets ?? []) t.true(source in stack.secrets, source)
  }
})

test('the nodes of Kubernetes are those of compose.yaml, each with a secret of its own', t => {
  const sets = ofKind('StatefulSet')
  t.deepEqual(
    sets.map(({ metadata }) => metadata.name),
    [...NODES],
  )
  for (const { metadata, spec } of sets) {
    const { name } = metadata
    const { labels } = spec.template.metadata
    t.deepEqual(spec.selector, { matchLabels: labels })
    t.is(labels['node'], name)
    t.is(spec.replicas, 1)
    const { containers, volumes, ...pod } = spec.template.spec
    t.like(pod, { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } })
    const [container] = containers
    t.deepEqual(container?.args, compose.services[name]?.command)
    const environment = Object.fromEntries(container?.env.map(one => [one.name, one.value]) ?? [])
    t.deepEqual(environment, compose.services[name]?.environment)
    t.like(container?.securityContext, { readOnlyRootFilesystem: true })
    t.is(container?.readinessProbe.httpGet.path, '/readyz')
    t.is(container?.livenessProbe.httpGet.path, '/healthz')
    const secrets = volumes.flatMap(({ secret }) => secret?.secretName ?? [])
    t.deepEqual(secrets, [name])
    const there = new Set([
      ...volumes.map(volume => volume.name),
      ...spec.volumeClaimTemplates.map(claim => claim.metadata.name),
    ])
    for (const mount of container?.volumeMounts ?? []) t.true(there.has(mount.name), mount.name)
    const service = ofKind('Service').find(one => one.metadata.name === spec.serviceName)
    t.like(service?.spec, { clusterIP: 'None', selector: labels })
  }
  const [budget] = ofKind('PodDisruptionBudget')
  t.is(budget?.spec.maxUnavailable, 1)
  t.deepEqual(budget?.spec.selector, { matchLabels: { app: 'fridge' } })
})
