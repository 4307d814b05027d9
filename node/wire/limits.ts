/** What one end accepts of the other (PROTOCOL.md, "Limits"). Past any of these the connection ends. */
export interface WireLimits {
  /** Longest line of the connection, in bytes without its line feed. A line is buffered whole. */
  readonly maxLineBytes: number
  /** Deepest nesting of JSON arrays and objects: recursion in any consumer stays this shallow. */
  readonly maxDepth: number
  /** Sub-streams that the peer may have open at once: each costs a few hundred bytes here. */
  readonly maxStreams: number
  /** Longest id of a sub-stream; stock mux-demux draws about 26 characters. */
  readonly maxIdLength: number
  /** Longest meta of a sub-stream: its name. */
  readonly maxMetaLength: number
  /** Arguments of one emitted event or one call. */
  readonly maxArguments: number
  /** Functions in one call; each lives here until it is called or culled. */
  readonly maxCallbacks: number
  /** Calls without an answer yet. The next is answered with an error. */
  readonly maxPendingCalls: number
  /** Bytes that may wait for the peer to read them. Past that it is cut as too slow. */
  readonly maxBufferedBytes: number
  /** How long what waits may stay unread, in milliseconds. Past that the peer is cut as too slow. */
  readonly maxStalledMs: number
  /**
   * Frames that the peer may send a second, in the long run; each KiB counts as one more. Past that
   * it is read more slowly, and not cut. Infinity for no limit.
   */
  readonly maxFramesPerSecond: number
}

const KIBI = 1_024
const MEBI = 1_024 * KIBI

/** For a client or an operator: it sends calls of some hundred bytes and nothing else. */
export const CLIENT_LIMITS: WireLimits = {
  maxLineBytes: 64 * KIBI,
  maxDepth: 32,
  maxStreams: 16,
  maxIdLength: 64,
  maxMetaLength: 64,
  maxArguments: 16,
  maxCallbacks: 32,
  maxPendingCalls: 32,
  maxBufferedBytes: 1 * MEBI,
  maxStalledMs: 10_000,
  // Nodes limit the frames of clients (`limits.maxFramesPerSecond`).
  maxFramesPerSecond: Infinity,
}

/** For another node: a digest may name twenty thousand sources. */
export const PEER_LIMITS: WireLimits = {
  ...CLIENT_LIMITS,
  maxLineBytes: 2 * MEBI,
  maxBufferedBytes: 16 * MEBI,
  maxStalledMs: 60_000,
  // Twice what a first exchange brings at most, with both signatures of each change checked.
  maxFramesPerSecond: 20_000,
}

/** For a node, as a client sees it: lists of a whole cluster may come in one answer. */
export const NODE_LIMITS: WireLimits = {
  ...CLIENT_LIMITS,
  maxLineBytes: 16 * MEBI,
  maxStreams: 64,
}
