export default {
  files: ['test/browser/**/*.test.ts'],
  extensions: { ts: 'module' },
  timeout: '2m',
  concurrency: 1,
  workerThreads: false,
}
