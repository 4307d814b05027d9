// A thermometer for the fan-out bench, a line an event: event-source.ts BURST INTERVAL_MS
const [burst = '1', intervalMs = '100'] = process.argv.slice(2)
let celsius = 4
process.stdout.on('error', () => process.exit())
function read(): void {
  let lines = ''
  for (let count = Number(burst); count > 0; count -= 1) {
    // No two readings in a row are the same.
    celsius = celsius >= 5 ? 4 : celsius + 0.01
    lines += `${celsius.toFixed(2)}\n`
  }
  process.stdout.write(lines)
}
read()
setInterval(read, Number(intervalMs))
