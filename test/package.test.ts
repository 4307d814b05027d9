import { readFile } from 'node:fs/promises'
import test from 'ava'

const read = async (file: string): Promise<string> =>
  readFile(new URL(`../${file}`, import.meta.url), 'utf8')

test('every file that the README links is in the package', async t => {
  const { files } = JSON.parse(await read('package.json')) as { files: string[] }
  const links = Array.from((await read('README.md')).matchAll(/\]\(([^):#]+)\)/g), ([, to]) => to)
  t.true(links.length > 5)
  for (const link of links) {
    t.true(
      files.some(file => link === file || link?.startsWith(`${file}/`)),
      `${link} is not among the files of package.json`,
    )
  }
})
