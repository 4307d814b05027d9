import type { Source } from '../identity/names.ts'
import type { CertificateExchange } from './certificate-exchange.ts'
import type { Update } from './document-frames.ts'

/** What a document needs of the stream that carries it. */
export interface DocumentStream {
  /** Whether this end dialed: of what either end may do first, it does it. Default false. */
  readonly dialed?: boolean
  /** The run at the other end. Default: it is not known. */
  readonly peer?: Source | undefined
  /** Send one frame. */
  readonly send: (frame: unknown) => void
  /** Resolves at once, or when what was sent has left. */
  readonly drained: () => Promise<void>
  /** Whether the peer reads more slowly than it is sent to. Default: it never does. */
  readonly isBehind?: (() => boolean) | undefined
  /** The peer sent something that it must not: end the link. */
  readonly refuse: (reason: string) => void
  /** End the link through no fault of the peer's. */
  readonly leave: (text: string) => void
  /** What the peer and this node hold of certificates, shared by the documents of a link. Default: its own. */
  readonly certificates?: CertificateExchange
  /** What either end has said, when the link began, of whether its list was complete at some time. */
  readonly wasWhole?: { readonly here: boolean | undefined; readonly there: boolean | undefined }
  /** Both sides have sent all that the other lacked. */
  readonly onSynced: () => void
}

/** One end of a document on one link. */
export interface DocumentLink extends Disposable {
  /** A parsed frame from the peer. */
  receive(frame: unknown): void
}

/**
 * A stream that sends what a peer must have had first before each update that needs it.
 * @param attachmentsOf what that is, and has not been sent on the stream yet
 */
export function withAttachments(
  stream: DocumentStream,
  attachmentsOf: (update: Update, to: DocumentStream) => Iterable<unknown>,
): DocumentStream {
  const send = (frame: unknown): void => {
    if (Array.isArray(frame)) {
      for (const attachment of attachmentsOf(frame as Update, stream)) stream.send(attachment)
    }
    stream.send(frame)
  }
  return { ...stream, send }
}
