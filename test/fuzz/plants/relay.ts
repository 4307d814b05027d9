import { inFile, type Plant } from './plant.ts'

/** In what reads the words of a far node. */
export const RELAY_PLANTS: readonly Plant[] = inFile('relay', 'relays/relay-frames.ts', [
  {
    name: 'the hello of another node',
    find: "if (!isName(node) || node !== peer) return 'a hello is of another node'",
    put: "if (!isName(node)) return 'a hello is of another node'",
  },
  {
    name: 'a run of another node',
    find: 'if (!isSource(run) || nodeOf(run) !== peer)',
    put: 'if (!isSource(run))',
  },
  {
    name: 'a version of any length',
    find: "typeof version !== 'string' || version.length > MAX_VERSION",
    put: "typeof version !== 'string'",
  },
  {
    name: 'any number of sensors',
    find: "if (value['sensors'].length > MAX_SENSORS) return undefined",
    put: '',
  },
  {
    name: 'a sensor twice',
    find: "return names.size === value['sensors'].length ? infos : undefined",
    put: "return infos.length === value['sensors'].length ? infos : undefined",
  },
  {
    name: 'values in clear of a sealed sensor',
    find: 'if ((type === SEALED) !== (sealed !== undefined)) return undefined',
    put: 'if (type === SEALED && sealed === undefined) return undefined',
  },
  {
    name: 'events with more in them',
    find: 'if (numbered === undefined || values.length !== lengthOf(numbered.event)) return undefined',
    put: 'if (numbered === undefined) return undefined',
  },
  {
    name: 'sealed events with more in them',
    find: 'return values.length === 3 ? parseSealedEvent(values)?.sequence : undefined',
    put: 'return parseSealedEvent(values)?.sequence',
  },
  {
    name: 'reasons without end',
    find: "event.type !== 'unavailable' || event.reason === values[0]",
    put: 'true',
  },
  {
    name: 'streams of no number',
    find: '/^([1-9]\\d{0,14})\\/([a-z]',
    put: '/^(\\d{1,15})\\/([a-z]',
  },
])
