export default {
  files: ['test/lines/**/*.test.ts'],
  extensions: { ts: 'module' },
  timeout: '10m',
  concurrency: 1,
  workerThreads: false,
}
