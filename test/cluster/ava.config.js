export default {
  files: ['test/cluster/**/*.test.ts'],
  extensions: { ts: 'module' },
  timeout: '10m',
  workerThreads: false,
}
