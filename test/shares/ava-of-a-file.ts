import { testFiles } from './loaded.ts'

/** What `import test from 'ava'` gives a test file of a share, whose URL is the query of this one. */
export default testFiles.get(new URL(import.meta.url).search.slice(1))?.test()
