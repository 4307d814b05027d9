import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Makes the bundle of the page: `npm run build:page`. Its files are served by ../bundle.ts. */

/** Engine.IO brings three transports, and its library cannot leave out the two that no page uses. */
const websocketAlone = {
  name: 'websocket-alone',
  setup({ onLoad }) {
    const others = /engine\.io-client.build.esm.transports.(polling-xhr|webtransport)\.js$/
    onLoad({ filter: others }, () => ({ contents: 'export class XHR {}\nexport class WT {}\n' }))
  },
}

const options = {
  absWorkingDir: fileURLToPath(new URL('./', import.meta.url)),
  outdir: 'bundle',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome120', 'firefox115', 'safari17'],
  tsconfig: 'tsconfig.json',
  logLevel: 'warning',
}

// What draws codes for cameras is a file of its own: the page loads it when it first shows one.
await build({ ...options, entryPoints: { 'qr-code': 'lean-qr/nano' } })
await build({
  ...options,
  entryPoints: ['index.html', 'page.tsx'],
  alias: { 'lean-qr/nano': './qr-code.js' },
  external: ['./qr-code.js'],
  loader: { '.html': 'copy' },
  plugins: [websocketAlone],
})
