// The reference implementation at a repo's CAR: read, hashed, walked. No signature is checked.
// node verify_repo.mjs MODULES_FOLDER CAR DID; prints the seconds.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [modules, car, did] = process.argv.slice(2)
const file = path.join(modules, 'node_modules', '@atproto', 'repo', 'dist', 'index.js')
const { readCarWithRoot, verifyRepo } = await import(pathToFileURL(file).href)

const bytes = new Uint8Array(readFileSync(car))
const start = performance.now()
const { root, blocks } = await readCarWithRoot(bytes)
const { creates } = await verifyRepo(blocks, root, did)
if (creates.length === 0) throw new Error('no record')
console.log((performance.now() - start) / 1000)
