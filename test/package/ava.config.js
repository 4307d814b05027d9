export default {
  files: ['test/package/**/*.test.ts'],
  extensions: { ts: 'module' },
  timeout: '5m',
  workerThreads: false,
}
