export default {
  files: ['test/shares/*.share.ts'],
  extensions: { ts: 'module' },
  timeout: '60s',
  concurrency: 4,
  workerThreads: false,
}
