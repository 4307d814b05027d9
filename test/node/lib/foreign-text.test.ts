import test from 'ava'
import { foreignText } from '../../../node/lib/foreign-text.ts'

test('a text of somebody else is one line that no terminal obeys', t => {
  t.is(foreignText('a\n  b\tc\u2028d\r\ne'), 'a b c d e')
  t.is(foreignText('\u001B[31mred\u009B0m\u0007'), '\uFFFD[31mred\uFFFD0m\uFFFD')
  t.is(foreignText('\u001B[8mhidden'), '\uFFFD[8mhidden')
  t.is(foreignText('abc\u202Ecba\u2066'), 'abc\uFFFDcba\uFFFD')
})

test('what is there without being seen is seen', t => {
  for (const unseen of ['\u200B', '\u200D', '\u00AD', '\u3164', '\u2800', '\u{E0041}', '\uD800']) {
    t.is(foreignText(`a${unseen}b`), 'a\uFFFDb')
  }
})

test('what people write stays as it is', t => {
  for (const text of ['lost, 20 °C – Müller', '薬局の冷蔵庫', 'ثلاجة', '❄️ fridge']) {
    t.is(foreignText(text), text)
  }
})
