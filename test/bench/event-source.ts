import { followLoad } from './load.ts'

// A thermometer that prints one reading, and then as many as it is told: event-source.ts [CONTROL]
const [control] = process.argv.slice(2)
let celsius = 4
process.stdout.on('error', () => process.exit())

function read(burst: number): void {
  let lines = ''
  for (let count = burst; count > 0; count -= 1) {
    // No two readings in a row are the same.
    celsius = celsius >= 5 ? 4 : celsius + 0.01
    lines += `${celsius.toFixed(2)}\n`
  }
  process.stdout.write(lines)
}

read(1)
if (control === undefined) setInterval(() => {}, 2 ** 31 - 1)
else await followLoad(control, read)
