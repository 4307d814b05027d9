import type { TestFile } from './test-file.ts'

/** The test files of this process, by their URLs. */
export const testFiles = new Map<string, TestFile>()
