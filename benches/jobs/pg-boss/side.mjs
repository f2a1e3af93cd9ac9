// pg-boss: woken by NOTIFY, in batches of 500, fetched without a pause while they are full. Reads commands, a line each, and
// answers each with a line of JSON.
import { createInterface } from 'node:readline'
import { PgBoss } from 'pg-boss'

const QUEUE = 'nothing'
const TOGETHER = 1000
const text = '0193a5b8-5d2e-7c4f-9b1a-2f6d8c0e4a71'

const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 20, useListenNotify: true })
boss.on('error', (error) => console.error(error))
await boss.start()
await boss.createQueue(QUEUE, { notify: true })

let waits = []
let reached = () => {}
await boss.work(QUEUE, { batchSize: 500, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }, async (jobs) => {
  const now = performance.now()
  for (const job of jobs) waits.push(now - job.data.at)
  reached()
})

const until = (count) => new Promise((resolve) => {
  reached = () => { if (waits.length >= count) resolve() }
  reached()
})
const job = (number) => ({ data: { number, at: performance.now(), text } })

async function many (count) {
  const begun = performance.now()
  for (let from = 0; from < count; from += TOGETHER) {
    await boss.insert(QUEUE, Array.from({ length: Math.min(TOGETHER, count - from) }, (_, n) => job(from + n)))
  }
  await until(count)
  return (performance.now() - begun) / 1000
}

async function paced (rate, seconds) {
  const begun = performance.now()
  for (let number = 0; number < rate * seconds; number++) {
    const early = begun + number * 1000 / rate - performance.now()
    if (early > 1) await new Promise((resolve) => setTimeout(resolve, early))
    await boss.send(QUEUE, job(number).data)
  }
  await until(rate * seconds)
}

console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...numbers] = line.split(' ')
  waits = []
  let seconds = 0
  if (command === 'many') seconds = await many(...numbers.map(Number))
  if (command === 'paced') await paced(...numbers.map(Number))
  if (command === 'stop') break
  const sorted = waits.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor(sorted.length * share)] ?? 0
  console.log(JSON.stringify({ seconds, p50: at(0.5), p99: at(0.99) }))
}
await boss.stop({ graceful: false })
process.exit(0)
