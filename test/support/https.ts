import { request, type RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'

/** What a port for browsers answered. */
export interface PageAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The SHA-256 of the certificate that it showed. */
  readonly shown: string
  readonly protocol: string | null
}

/** Ask a port for browsers as a browser does that trusts `ca`. */
export async function askPage(
  url: string,
  options: RequestOptions & { readonly ca: string },
): Promise<PageAnswer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, ...options }, (answer: IncomingMessage) => {
      const socket = answer.socket as TLSSocket
      const shown = socket.getPeerCertificate().fingerprint256
      const protocol = socket.getProtocol()
      text(answer).then(
        body =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: body,
            shown,
            protocol,
          }),
        reject,
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}
