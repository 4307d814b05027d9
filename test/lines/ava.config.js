export default {
  files: ['test/lines/**/*.test.ts'],
  extensions: { ts: 'module' },
  timeout: '5m',
  concurrency: 1,
  workerThreads: false,
}
