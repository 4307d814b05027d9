import { readFile } from 'node:fs/promises'
import test from 'ava'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget'
import { Service as KubernetesService } from 'kubernetes-models/v1/Service'
import { parse } from 'yaml'

/** What runs the nodes elsewhere says of them what compose.yaml says. */

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
  return parse(text, { merge: true })
}

const compose = (await read('compose.yaml')) as Stack
const stack = (await read('stack.yaml')) as Stack
const { items } = (await read('kubernetes.yaml')) as { items: readonly Item[] }
const ofKind = (kind: string): readonly Item[] => items.filter(item => item.kind === kind)

const SCHEMAS = new Map<string, new (resource: never) => { validate(): void }>([
  ['PodDisruptionBudget', PodDisruptionBudget],
  ['Service', KubernetesService],
  ['StatefulSet', StatefulSet],
])

/** What the schema of Kubernetes says is wrong with a resource, if anything. */
function objectionTo(item: Item): string | undefined {
  const Schema = SCHEMAS.get(item.kind)
  if (Schema === undefined) return `no schema of ${item.kind}`
  try {
    new Schema(item as never).validate()
    return undefined
  } catch (error) {
    return String(error)
  }
}

test('the schema of Kubernetes finds nothing wrong, and what is wrong is found', t => {
  for (const item of items) t.is(objectionTo(item), undefined, item.metadata.name)
  const [set] = ofKind('StatefulSet')
  if (set === undefined) return t.fail()
  const wrong = { ...set, spec: { ...set.spec, replicas: 'three' } } as unknown as Item
  t.regex(objectionTo(wrong) ?? '', /replicas must be integer/)
})

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
