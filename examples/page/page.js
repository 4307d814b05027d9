// Shows one sensor of the node that the address names: index.html?node=https://node-1.example:8443
import { io } from './socket.io.esm.min.js'

export const shown = document.querySelector('#temperature')
export const node = new URLSearchParams(location.search).get('node')
export const socket = io(node, { transports: ['websocket'] })

socket.on('event', (sensor, type, value) => {
  if (sensor !== 'temperature') return
  shown.textContent = type === 'reading' ? `${value} °C` : `nothing is known: ${value}`
})

// Why this page was cut; the node says so before it closes.
let bye = ''
socket.on('bye', ({ text }) => (bye = text))
socket.on('disconnect', reason => {
  shown.textContent = bye || 'the node is out of reach'
  if (reason === 'io server disconnect') setTimeout(() => socket.connect(), 1_000)
})

// Why it was not let in. It may be: fridge origin add https://HOST --public --sensor temperature
socket.on('connect_error', error => {
  shown.textContent = error.data?.text ?? 'the node is out of reach'
  if (!socket.active) setTimeout(() => socket.connect(), 1_000)
})
