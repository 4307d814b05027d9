import test from 'ava'
import { LogOutput } from '../../../cli/output/log-output.ts'

const whenLost = (lines: number): string => `${lines} lost`

/** A stream that can fail, and that may be left unread. */
class TestStream {
  written = ''
  failure: Error | undefined
  isRead = true
  writableLength = 0

  write(text: string, done: (error?: Error | null) => void): void {
    if (this.failure !== undefined) return done(this.failure)
    this.written += text
    if (!this.isRead) this.writableLength += text.length
    done(null)
  }
}

for (const code of ['EPIPE', 'ENOSPC', 'EIO', 'EAGAIN', 'EFBIG', 'EBADF']) {
  test(`lines that fail by ${code} are counted, and the next that can be written says so`, t => {
    const stream = new TestStream()
    const output = new LogOutput(stream)
    output.write('first', whenLost)
    stream.failure = Object.assign(new Error(code), { code })
    for (let count = 0; count < 3; count += 1) output.write('never seen', whenLost)
    stream.failure = undefined
    output.write('back', whenLost)
    output.write('last', whenLost)
    // A write may fail in the middle of a line, so the next one begins anew.
    t.is(stream.written, 'first\n\n3 lost\nback\nlast\n')
  })
}

test('a reader that does not read costs a bounded memory, and hears later how much it has missed', t => {
  const stream = new TestStream()
  const output = new LogOutput(stream)
  stream.isRead = false
  const line = 'x'.repeat(1_023)
  for (let count = 0; count < 2_000; count += 1) output.write(line, whenLost)
  t.is(stream.written.length, 1_025 * 1_024)
  stream.writableLength = 0
  output.write('back', whenLost)
  t.true(stream.written.endsWith('x\n975 lost\nback\n'))
})
