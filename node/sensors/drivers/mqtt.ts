import type { Sensor, TellEvent } from '../sensor.ts'
import { availabilityOf, type AvailabilityFormat } from './availability.ts'
import { connectBroker, type BrokerMessage, type BrokerOptions } from './mqtt-connection.ts'
import { decodePayload } from './payload.ts'
import { PayloadReader, type PayloadReaderOptions } from './payload-reader.ts'

export interface MqttSensorOptions extends BrokerOptions, PayloadReaderOptions {
  readonly topic: string
  /** The `topic` on which the device says whether it can be reached. Default that of its values. */
  readonly availability?: (AvailabilityFormat & { readonly topic?: string | undefined }) | undefined
}

/**
 * What a device publishes on a topic of a broker. Without the broker it is unavailable, and the feed
 * connects anew. What the broker has kept is no news: it is told only where it says its time.
 */
export function mqttSensor(options: MqttSensorOptions): Sensor {
  const { name, kind, topic, availability, silentAfterMs } = options
  const ownTopic = availability?.topic === undefined || availability.topic === topic
  const topics = [topic, ...(ownTopic ? [] : [availability.topic])]

  async function watch(tell: TellEvent, signal: AbortSignal): Promise<void> {
    // A word on a topic of its own is not looked for among the values.
    const reader = new PayloadReader(
      { ...options, availability: ownTopic ? availability : undefined },
      tell,
    )
    const onMessage = ({ topic: from, payload, isRetained }: BrokerMessage): void => {
      if (from === topic) reader.take(payload, isRetained)
      else if (from === availability?.topic) {
        // The broker keeps the last word of a device that has gone: that is what it is kept for.
        reader.hear(availabilityOf(decodePayload(payload), availability))
      }
    }
    try {
      await using broker = await connectBroker(options, onMessage, signal)
      await broker.subscribe(topics)
      await broker.ended
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }
  return { name, kind, silentAfterMs, watch }
}
