import test from 'ava'
import { shellWord } from '../../../node/lib/shell-word.ts'

test('a suggested command can be pasted, whatever the folder is called', t => {
  t.is(shellWord('/srv/fridge-1/certs'), '/srv/fridge-1/certs')
  t.is(shellWord('my certs'), "'my certs'")
  t.is(shellWord("it's; rm -rf ~"), String.raw`'it'\''s; rm -rf ~'`)
  t.is(shellWord(''), "''")
})
